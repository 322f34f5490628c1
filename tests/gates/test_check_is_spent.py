"""A Supply Sensitive Check down the whole line: one statement, one use of the key. Only the module is the fake one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.content.contents import Content
from keybroker.errors import CheckNotShown, EvidenceSpent
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.model import Concluded, GivenAgain, RecordKind, RequestIdentity
from keybroker.policy.model import KeyRegister
from keybroker.signing import Ask, Line, Outcome, explain, sign_batch
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, Operation, RequestId
from tests import messages, situations
from tests.evidence import ADMINISTRATORS, FixedSurroundings
from tests.fakes import FakeModule
from tests.gates.checks import a_check, a_pre_command
from tests.ledger import books
from tests.situations import AT, ORIGIN
from tests.statement.attested import decoded, encoded
from tests.test_line import ARegister


@dataclass(frozen=True)
class Stage:
    line: Line
    module: FakeModule

    def asked(self, name: str, content: Content, *checks: bytes, at: datetime = AT) -> Outcome:
        return sign_batch(self.line, (an_ask(name, content, *checks),), at)[0]


def an_ask(name: str, content: Content, *checks: bytes) -> Ask:
    caller = situations.a_caller(keys=frozenset({KeyLabel("supplier-a")}))
    identity = RequestIdentity(
        caller=caller,
        operation=Operation.SIGN_PRE_COMMAND,
        key=KeyLabel("supplier-a"),
        request_id=RequestId(name),
        sha256=sha256(b"".join((name.encode(), content.octets, *checks))).digest(),
    )
    return Ask(identity=identity, kind=ContentKind.PRE_COMMAND, octets=content.octets, statements=checks)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    module = FakeModule()
    key = situations.a_key(public_key=module.add("supplier-a", ec.derive_private_key(1, ec.SECP256R1())))
    register = KeyRegister(version=0, keys={key.label: key}, standing=situations.good_standing())
    with books.a_book(tmp_path) as journal:
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=situations.packaged_policies(),
            register=ARegister(now=register, seen=register),
            journal=journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )
        yield Stage(line, module)


def with_other_signature_octets(check: bytes) -> bytes:
    """(r, n - s) verifies as (r, s) does."""
    signing_input, _, signature = check.rpartition(b".")
    octets = decoded(signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = (order - int.from_bytes(octets[32:], "big")).to_bytes(32, "big")
    return signing_input + b"." + encoded(octets[:32] + s)


def through_the_caller() -> dict[str, Any]:
    return {"chain": [{"system": each} for each in ("supplier-a/check", "supplier-a/head-end", "test-node")]}


def test_signs_nothing_supply_sensitive_without_a_check(stage: Stage) -> None:
    assert isinstance(stage.asked("r-1", a_pre_command()), CheckNotShown)
    assert stage.module.uses == 0


@pytest.mark.clause("G3.25(a)", shows="refusal")
def test_one_statement_lets_one_signature_be_made_whatever_its_signature_octets(stage: Stage) -> None:
    content = a_pre_command()
    check = a_check(content, **through_the_caller())
    assert isinstance(stage.asked("r-1", content, check), Concluded)
    for name, again in (("r-2", check), ("r-3", with_other_signature_octets(check))):
        outcome = stage.asked(name, content, again)
        assert isinstance(outcome, EvidenceSpent), outcome
    assert stage.module.uses == 1


@pytest.mark.clause("G3.25(a)", shows="acceptance")
def test_the_same_request_again_gets_the_recorded_signature(stage: Stage) -> None:
    content = a_pre_command()
    check = a_check(content, **through_the_caller())
    first = stage.asked("r-1", content, check)
    again = stage.asked("r-1", content, check)
    assert isinstance(first, Concluded)
    assert isinstance(again, GivenAgain)
    assert again.signature == first.signature
    assert stage.module.uses == 1


@pytest.mark.parametrize("later", [timedelta(minutes=10), timedelta(days=2)], ids=["too old", "lapsed"])
def test_the_same_request_gets_the_recorded_signature_also_when_its_check_counts_no_more(
    stage: Stage, later: timedelta
) -> None:
    content = a_pre_command()
    check = a_check(content, **through_the_caller())
    first = stage.asked("r-1", content, check)
    again = stage.asked("r-1", content, check, at=AT + later)
    assert isinstance(first, Concluded)
    assert isinstance(again, GivenAgain)
    assert again.signature == first.signature
    for name, octets in (("r-2", content), ("r-1", a_pre_command(counter=1_001))):
        assert isinstance(stage.asked(name, octets, check, at=AT + later), CheckNotShown)
    assert stage.module.uses == 1


def test_a_check_that_was_refused_is_not_spent(stage: Stage) -> None:
    content = a_pre_command()
    check = a_check(content, **through_the_caller())
    other = a_pre_command(counter=1_001)
    assert isinstance(stage.asked("r-1", other, check), CheckNotShown)
    assert isinstance(stage.asked("r-2", content, check), Concluded)


def test_explain_says_that_a_check_was_spent(stage: Stage) -> None:
    content = a_pre_command()
    check = a_check(content, **through_the_caller())
    assert explain(stage.line, an_ask("e-1", content, check), AT).used
    assert isinstance(stage.asked("r-1", content, check), Concluded)
    with pytest.raises(EvidenceSpent) as refusal:
        explain(stage.line, an_ask("e-2", content, check), AT)
    assert refusal.value.findings[0].rule == "policy-in-force"


@pytest.mark.clause("G3.25(a)", shows="acceptance")
def test_the_record_of_a_use_without_a_check_names_who_switched_it_off_and_why(stage: Stage) -> None:
    """6.15.1 is 'possibly' supply sensitive; of it two people say so."""
    assert isinstance(stage.asked("r-1", a_pre_command(messages.SUPPLIER_BY_SUPPLIER)), Concluded)
    journal = stage.line.journal
    stored = [journal.find(index) for index in range(journal.head(AT).tree_size)]
    (intent,) = (decode(each.octets) for each in stored if each is not None and each.kind == RecordKind.INTENT)
    findings = intent["findings"]
    assert isinstance(findings, list)
    (found,) = (str(each[2]) for each in findings if isinstance(each, list) and each[0] == "supply-sensitive-check")
    said = r'6\.15\.1: variant-not-sensitive [0-9a-f]{16} by %s until \S+, because "no effect on supply"'
    both = "; ".join(said % name for name in ADMINISTRATORS)
    assert re.fullmatch(f"6\\.15\\.1 possibly; switched off by {both}", found), found
