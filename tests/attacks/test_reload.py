"""A caller that the operator has taken out of the table, and whose request waits in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from keybroker.config.clock import Clock
from keybroker.ledger.model import Concluded
from keybroker.server.metrics import Metrics
from keybroker.server.standing import Current, Limits, Standing
from keybroker.server.work import Work
from keybroker.signing import Line
from keybroker.terms import KeyPurpose
from tests import situations
from tests.attacks.test_line import a_line, an_ask
from tests.situations import AT

LIMITS = Limits(message_octets=65_536, batch_items=16, deadline_seconds=30, connection_age_seconds=3_600)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    yield from a_line(tmp_path, KeyPurpose.SUPPLIER_PRE_COMMAND)


def test_nothing_is_signed_for_a_caller_who_was_removed_while_the_item_waited(line: Line) -> None:
    ask = an_ask("waited", situations.a_message())
    after_reload = Standing(line=line, callers={}, limits=LIMITS, clock=Clock(AT))
    work = Work(Current(after_reload), Metrics(CollectorRegistry()))
    _, flying = work.begin([ask], None)
    (outcome,) = work.end(flying)
    assert not isinstance(outcome, Concluded)
