"""A number that counts, against a forger, time, and whoever puts back an older database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from keybroker.errors import LedgerBroken, ModuleUnavailable
from keybroker.ledger import audit
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.model import Concluded, Head
from keybroker.policy.model import KeyRegister
from keybroker.signing import Line
from keybroker.terms import ContentKind, DeploymentKind, KeyPurpose
from tests.attacks.test_ledger_file import checkpointed_copy
from tests.content.test_smets1 import DEVICE, GET
from tests.dcc_uses import a_dcc_key
from tests.evidence import FixedSurroundings
from tests.fakes import FakeModule
from tests.ledger import books
from tests.ledger.claims import spent
from tests.ledger.test_increasing_on_success import LARGEST, failed, opening, served
from tests.situations import AT, ORIGIN, packaged_policies
from tests.token_line import FixedRegister, TokenLine

LATER = AT + timedelta(days=400)
KEY = a_dcc_key(KeyPurpose.S1SP_SMETS1)


@dataclass(slots=True)
class Stage:
    line: TokenLine
    module: FakeModule

    def protect(self, request_id: str) -> object:
        return self.line.asked(KEY.label, ContentKind.SMETS1_INSTRUCTION, DEVICE.octets + GET, request_id)


@pytest.fixture
def module() -> FakeModule:
    return FakeModule()


@pytest.fixture
def stage(tmp_path: Path, module: FakeModule) -> Iterator[Stage]:
    identity = module.add_secret(KEY.label, bytes(16))
    key = a_dcc_key(KeyPurpose.S1SP_SMETS1, public_key=identity)
    with books.a_book(tmp_path) as journal:
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=packaged_policies(),
            register=FixedRegister(KeyRegister(version=0, keys={key.label: key})),
            journal=journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )
        yield Stage(TokenLine(line, journal), module)


def test_an_older_database_cannot_be_put_back_once_an_invocation_counter_was_used(stage: Stage, tmp_path: Path) -> None:
    """However soon: a head kept every few seconds would not have seen it, and the counter would come twice."""
    journal = stage.line.journal
    stage.module.write_anchor(journal.head(AT))
    older = checkpointed_copy(journal, tmp_path / "older")
    outcome = stage.protect("a")
    assert isinstance(outcome, Concluded)
    assert outcome.intent.counter == 1
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    older.rename(elsewhere / journal.ledger.file.name)
    with books.a_book(elsewhere, "worker-9") as put_back, pytest.raises(LedgerBroken, match="rolled back"):
        check_anchor(put_back.ledger, stage.module.read_anchor())


class KeepsNoHead(FakeModule):
    """A token that cannot write."""

    def write_anchor(self, head: Head) -> None:  # noqa: ARG002 - as the module has it
        raise ModuleUnavailable("the token is full")


@pytest.mark.parametrize("module", [KeepsNoHead()])
def test_no_invocation_counter_is_used_whose_head_could_not_be_kept(stage: Stage) -> None:
    outcome = stage.protect("a")
    assert isinstance(outcome, ModuleUnavailable)
    assert stage.module.uses == 0
    assert [record["kind"] for record in stage.line.records()] == ["intent", "outcome"]


def test_a_forged_counter_does_not_silence_a_device_that_then_says_nothing_for_long(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        served(journal, "a", 5)
        failed(journal, "forged", LARGEST)
        journal.forget_requests(LATER)
        served(journal, "b", 6)
        assert "greater than 6" in spent(journal, opening("c", 6)).sentence
        audit.verify(journal.ledger, AT)


def test_a_failed_request_is_forgotten_as_soon_as_another_took_the_number(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        failed(journal, "forged", LARGEST)
        assert journal.forget_requests(LATER) == 0
        served(journal, "a", 5)
        assert journal.forget_requests(LATER) == 2


def test_a_worker_that_keeps_the_head_makes_others_wait_and_one_that_hangs_not_for_long(tmp_path: Path) -> None:
    """SoftHSM's processes fail to find an object while another destroys one: three at once failed 7 times in 100."""
    with books.a_book(tmp_path) as first, books.a_book(tmp_path, "worker-1") as second:
        with first.keeping_head(AT) as head:
            began = monotonic()
            with second.keeping_head(AT) as same:
                assert 0.9 < monotonic() - began < 3
            assert head == same
        began = monotonic()
        with second.keeping_head(AT):
            assert monotonic() - began < 0.5
