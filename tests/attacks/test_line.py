"""One caller against all others, and a ledger against the line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.errors import ContentMalformed, LedgerBroken, NotPermitted
from keybroker.ledger import audit, tables
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.signing import Ask, Line, sign_batch
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, KeyPurpose, RequestId
from tests import situations
from tests.evidence import FixedSurroundings
from tests.fakes import FakeModule
from tests.ledger import books
from tests.messages import compose_command, der
from tests.situations import AT, ORIGIN


@dataclasses.dataclass(frozen=True)
class OneRegister:
    register: KeyRegister

    def current(self) -> KeyRegister:
        return self.register

    def refresh(self) -> KeyRegister:
        return self.register


def a_line(directory: Path, purpose: KeyPurpose) -> Iterator[Line]:
    module = FakeModule()
    label = situations.LABELS[purpose]
    point = module.add(label, ec.derive_private_key(1, ec.SECP256R1()))
    key: RegisteredKey = situations.a_key(purpose, public_key=point)
    with books.a_book(directory) as journal:
        yield Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=situations.packaged_policies(),
            register=OneRegister(KeyRegister(version=0, keys={key.label: key}, standing=situations.good_standing())),
            journal=journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    yield from a_line(tmp_path, KeyPurpose.SUPPLIER_PRE_COMMAND)


@pytest.fixture
def auditing_line(tmp_path: Path) -> Iterator[Line]:
    yield from a_line(tmp_path, KeyPurpose.AUDIT_CHECKPOINT)


def an_ask(name: str, octets: bytes, purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, key: str = "") -> Ask:
    checkpoint = purpose is KeyPurpose.AUDIT_CHECKPOINT
    identity = RequestIdentity(
        caller=situations.a_caller(purpose),
        operation=situations.a_situation(purpose).operation,
        key=KeyLabel(key or situations.LABELS[purpose]),
        request_id=RequestId(name),
        sha256=sha256(octets).digest(),
    )
    return Ask(
        identity=identity, kind=ContentKind.AUDIT_CHECKPOINT if checkpoint else ContentKind.PRE_COMMAND, octets=octets
    )


def test_a_message_with_an_endless_number_does_not_fail_those_who_travel_with_it(line: Line) -> None:
    endless = compose_command(
        0x0012, counter=1, content=der(0x30, der(0x04, bytes(32)), der(0x02, b"\x01", bytes(2_500)))
    )
    outcomes = sign_batch(line, [an_ask("mine", situations.a_message(counter=1)), an_ask("theirs", endless)], AT)
    assert [type(outcome) for outcome in outcomes] == [Concluded, ContentMalformed]


def test_the_refusal_of_an_unknown_key_has_a_clause(line: Line) -> None:
    (outcome,) = sign_batch(line, [an_ask("a", situations.a_message(), key="no-such-key")], AT)
    assert isinstance(outcome, NotPermitted)
    assert outcome.clause
    assert [finding.passed for finding in outcome.findings] == [False]


def test_a_recorded_signature_that_does_not_verify_is_withheld(line: Line) -> None:
    ask = an_ask("a", situations.a_message(counter=1))
    sign_batch(line, [ask], AT)
    table = tables.record
    with line.journal.ledger._engine.begin() as connection:
        row = connection.execute(table.select().where(table.c.kind == "outcome")).one()
        at = row.octets.index(b'"signature":"') + 13
        forged = row.octets[:at] + b"11" * 64 + row.octets[at + 128 :]
        connection.execute(
            table.update()
            .where(table.c.leaf_index == row.leaf_index)
            .values(octets=forged, leaf_hash=leaf_hash(forged))
        )
    (outcome,) = sign_batch(line, [ask], AT)
    assert isinstance(outcome, LedgerBroken)


@pytest.mark.parametrize("tree_size", [2**63, 2**64 - 1, 1_000])
def test_a_checkpoint_of_a_tree_that_the_ledger_has_not_is_refused_and_the_ledger_verifies(
    auditing_line: Line, tree_size: int
) -> None:
    octets = situations.a_message(KeyPurpose.AUDIT_CHECKPOINT, tree_size=tree_size)
    (outcome,) = sign_batch(auditing_line, [an_ask("a", octets, KeyPurpose.AUDIT_CHECKPOINT)], AT)
    assert isinstance(outcome, NotPermitted)
    assert audit.verify(auditing_line.journal.ledger, AT).signatures == 0
