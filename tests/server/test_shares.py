"""Nobody holds more than its share of the queue, and nobody is remembered for longer than it holds something."""

from __future__ import annotations

import pytest

from keybroker.errors import ModuleBusy
from keybroker.server.shares import Shares


def test_refuses_more_than_a_share_and_takes_again_what_was_given_back() -> None:
    shares = Shares(8)
    shares.take("a", 8)
    with pytest.raises(ModuleBusy, match="ask again"):
        shares.take("a", 1)
    shares.take("b", 8)
    shares.give("a", 3)
    shares.take("a", 3)
    with pytest.raises(ModuleBusy):
        shares.take("a", 1)


def test_a_refused_request_takes_nothing() -> None:
    shares = Shares(8)
    with pytest.raises(ModuleBusy):
        shares.take("a", 9)
    shares.take("a", 8)
