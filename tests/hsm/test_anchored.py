"""A module that fails to keep the ledger's head for too long serves no key, and serves again once it keeps one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.errors import ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.anchored import MISSED_MOST, AnchoredModule
from keybroker.ledger.model import Head
from keybroker.policy.model import KeyRegister
from tests.fakes import FakeModule
from tests.situations import AT, ORIGIN

HEAD = Head(origin=ORIGIN, tree_size=1, root_hash=bytes(32), at=AT)
REGISTER = KeyRegister(version=0, keys={})


def miss(module: AnchoredModule, times: int) -> None:
    """The head of another ledger, which a module does not keep."""
    for _ in range(times):
        with pytest.raises(ModuleDisagrees):
            module.write_anchor(replace(HEAD, origin="another"))


def test_serves_nothing_after_too_many_misses_in_a_row_and_again_after_one_head_is_kept() -> None:
    module = AnchoredModule(FakeModule())
    module.write_anchor(HEAD)
    miss(module, MISSED_MOST - 1)
    assert module.served(REGISTER) == {}
    miss(module, 1)
    with pytest.raises(ModuleUnavailable, match="nothing is signed"):
        module.served(REGISTER)
    module.write_anchor(HEAD)
    assert module.served(REGISTER) == {}


def test_misses_that_are_not_in_a_row_do_not_add_up() -> None:
    module = AnchoredModule(FakeModule())
    for _ in range(3):
        module.write_anchor(HEAD)
        miss(module, MISSED_MOST - 1)
    assert module.served(REGISTER) == {}
