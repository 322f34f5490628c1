"""A live deployment is one party's: whatever belongs to another stops the start, and the clause is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.config.one_party import OTHERS_STATE, check_own_attester, read_own_anchor, strange_evidence
from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, NotPermitted
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.model import Head
from keybroker.ledger.store import Ledger, open_ledger
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ModuleClassification
from keybroker.statement.standing import Standing
from keybroker.statement.statement import read_statement
from keybroker.terms import DeploymentKind
from tests.ledger import books
from tests.statement.attested import AT, ORIGIN, Attests, a_location, common

CLAUSES = r"SEC G2.*G3\.14"
OWN, OTHER = "supplier-a", "supplier-b"
NODE, SERIAL = "broker-1.0123456789abcdef", "0123456789abcdef"
MEMBER = "fedcba9876543210"
OFFICER = Attests(name="officer")
STATES = frozenset({StatementKind.LOCATION})
KIND = StatementKind.MODULE_CLASSIFICATION
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that keeps this head, or something else than one."""

    head: Head | None

    def read_anchor(self) -> Head | None:
        if self.head is not None and self.head.tree_size < 0:
            raise ModuleDisagrees("the module keeps heads of two ledgers")
        return self.head


def a_ledger(directory: Path, party: str, deployment: DeploymentKind = DeploymentKind.LIVE) -> Ledger:
    return open_ledger(books.url(directory), origin=ORIGIN, deployment=deployment, at=AT, party=party)


def standing(*attesters: Attester, **location: Any) -> Standing:
    said = a_location(**{"subject": NODE, "of": "node", "people": ["alice"], "environment": ENVIRONMENT} | location)
    enrolled: Mapping[str, Attester] = {OFFICER.kid: OFFICER.attester(STATES)}
    statement = read_statement(OFFICER.state(said), enrolled, kind=StatementKind.LOCATION, origin=ORIGIN, at=AT)
    return Standing(attesters={**enrolled, **{each.kid: each for each in attesters}}, statements=(statement,))


def with_members(held: Standing) -> Standing:
    """And a classification of our module that names the member behind its slot."""
    names = {
        "manufacturer": "Example Modules",
        "model": "EM-3",
        "serial": SERIAL,
        "firmware_version": "7.4",
        "hardware_version": "2.0",
        "members": [SERIAL, MEMBER],
    }
    said = ModuleClassification.model_validate(
        common(KIND) | {"module": names, "scheme": "ICS 4", "classification": "SECRET"}
    )
    classifier = Attests(name="classifier")
    attester = classifier.attester(frozenset({KIND}))
    enrolled = {**held.attesters, attester.kid: attester}
    statement = read_statement(classifier.state(said), enrolled, kind=KIND, origin=ORIGIN, at=AT)
    return Standing(attesters=enrolled, statements=(*held.statements, statement))


ENVIRONMENT = {"standard": "ISO/IEC 27001", "reference": "IS 1", "expires": int((AT + 100 * HOUR).timestamp())}


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.parametrize("party", [OTHER, ""])
def test_refuses_the_ledger_of_another_party(tmp_path: Path, party: str) -> None:
    a_ledger(tmp_path, OWN).close()
    with pytest.raises(ConfigurationInvalid, match=CLAUSES) as refused:
        a_ledger(tmp_path, party)
    assert refused.value.where == "deployment.party"
    a_ledger(tmp_path, OWN).close()


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="acceptance")
def test_a_live_ledger_bears_its_party_from_birth_and_a_test_ledger_none(tmp_path: Path) -> None:
    for name, party, deployment in (("live", OWN, DeploymentKind.LIVE), ("test", "", DeploymentKind.TEST)):
        (tmp_path / name).mkdir()
        ledger = a_ledger(tmp_path / name, party, deployment)
        stored = ledger.find(0)
        assert stored is not None
        assert (stored.party, decode(stored.octets)["party"]) == (party, party)
        ledger.close()


HEAD = Head(origin=ORIGIN, tree_size=1, root_hash=bytes(32), at=AT)
NOT_OURS = {"another ledger's": replace(HEAD, origin="another.example"), "two ledgers'": replace(HEAD, tree_size=-1)}


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.parametrize("head", NOT_OURS.values(), ids=NOT_OURS)
def test_refuses_a_token_that_keeps_the_head_of(head: Head) -> None:
    with pytest.raises(ConfigurationInvalid, match=CLAUSES) as refused:
        read_own_anchor(Token(head), origin=ORIGIN, party=OWN)
    assert refused.value.where == "module.token_serial"


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="acceptance")
@pytest.mark.parametrize("head", [None, HEAD])
def test_takes_a_token_that_keeps_our_head_or_none_yet(head: Head | None) -> None:
    assert read_own_anchor(Token(head), origin=ORIGIN, party=OWN) == head


ATTESTER = Attests(name="check", party=OTHER)
STRANGE: dict[str, Standing] = {
    "the node": standing(party=OTHER),
    "its module": standing(of="module", subject=SERIAL, party=OTHER),
    "a member behind its slot": with_members(standing(of="module", subject=MEMBER, party=OTHER)),
    "who states": standing(ATTESTER.attester(STATES)),
    "who orders": standing(ATTESTER.attester(frozenset({StatementKind.ORDER}))),
    "who states his own and ours": standing(ATTESTER.attester(OTHERS_STATE | STATES)),
}


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.parametrize("held", STRANGE.values(), ids=STRANGE)
def test_tells_what_is_another_partys(held: Standing) -> None:
    (stranger,) = strange_evidence(held, OWN, node=NODE, serial=SERIAL, at=AT)
    assert OTHER in stranger


OURS: dict[str, Standing] = {
    "our own": standing(),
    "another's node elsewhere": standing(subject="broker-2.0123456789abcdef", party=OTHER),
    "another's module elsewhere": standing(of="module", subject=MEMBER, party=OTHER),
    "a member of our own": with_members(standing(of="module", subject=MEMBER)),
    "another's system": standing(of="system", subject="supplier-b/check", party=OTHER),
    "a User who notifies": standing(ATTESTER.attester(frozenset({StatementKind.THRESHOLD_NOTIFICATION}))),
    "one who was withdrawn": standing(ATTESTER.attester(STATES, withdrawn_at=AT - HOUR)),
    "one whose time is over": standing(ATTESTER.attester(STATES, until=AT)),
}


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="acceptance")
@pytest.mark.parametrize("held", OURS.values(), ids=OURS)
def test_tells_nothing_of_what_may_be_there(held: Standing) -> None:
    assert strange_evidence(held, OWN, node=NODE, serial=SERIAL, at=AT) == []


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
def test_refuses_to_enrol_whom_the_next_start_would_stop_for() -> None:
    with pytest.raises(NotPermitted, match=CLAUSES):
        check_own_attester(OWN, OTHER, STATES)
    check_own_attester(OWN, OWN, STATES)
    check_own_attester(OWN, OTHER, OTHERS_STATE)
    check_own_attester("", OTHER, STATES)
