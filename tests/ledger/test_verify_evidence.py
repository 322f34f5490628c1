"""Every row of evidence of which no record tells, and every statement that is not as its record says, is found.

The ledger is made by the code that makes everybody's; then somebody who owns the whole file changes one thing in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.ledger import audit
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.verify import verify_ledger
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, QuarantineReport, SupplySensitiveCheck
from keybroker.terms import DeploymentKind
from tests import evidence
from tests.evidence import OFFICER, attests
from tests.gates import checks
from tests.ledger import books
from tests.ledger.evidence_book import FIRST, LEAVER, SECOND, write
from tests.ledger.test_verify import broken, rewrite
from tests.situations import AT
from tests.statement.attested import a_location, parts

Bodies = dict[int, Any]
Change = Callable[[Bodies], object]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A closed ledger in which all of it was done, as octets of the database file."""
    directory = tmp_path_factory.mktemp("book")
    with books.a_book(directory) as journal:
        write(journal)
    return (directory / "ledger.sqlite").read_bytes()


# ---- rows that somebody changed, slipped in or took away


THIEF = attests("thief").certificate
THIEF_KID = evidence.an_attester("thief").kid
ROWS: dict[str, tuple[str, str]] = {
    "an attester slipped in": (
        "INSERT INTO attester VALUES (:kid, 'thief', 'operator', :thief, 'order', 1, 4000000000, NULL)",
        f"attester holds {THIEF_KID}",
    ),
    "an attester taken away": ("DELETE FROM attester", "attester does not hold it"),
    "an attester's kid": ("UPDATE attester SET kid = 'f' WHERE name = 'leaver'", "attester holds f"),
    "an attester's name": ("UPDATE attester SET name = 'thief' WHERE name = 'leaver'", "name 'thief'"),
    "an attester's party": ("UPDATE attester SET party = 'thief'", "party 'thief'"),
    "an attester's certificate": ("UPDATE attester SET certificate = :thief", f"'{THIEF_KID}'"),
    "an attester's kinds": ("UPDATE attester SET kinds = 'order' WHERE name = 'leaver'", "kinds 'order'"),
    "an attester's begin": ("UPDATE attester SET since = since + 1", "since 1768"),
    "an attester's end": ("UPDATE attester SET until = until + 1", "until 2177"),
    "an attester withdrawn": ("UPDATE attester SET withdrawn_at = 5", "withdrawn_at 5"),
    "an attester that stands again": ("UPDATE attester SET withdrawn_at = NULL", "withdrawn_at None"),
    "a statement slipped in": (
        "INSERT INTO statement SELECT 999, kind, attester, x'00', compact, NULL FROM statement LIMIT 1",
        "statement holds 999",
    ),
    "a statement taken away": ("DELETE FROM statement", "statement does not hold it"),
    "a statement's record": ("UPDATE statement SET leaf_index = leaf_index + 999", "statement holds 10"),
    "a statement's kind": ("UPDATE statement SET kind = 'order'", "kind 'order'"),
    "a statement's attester": ("UPDATE statement SET attester = 'thief'", "attester 'thief'"),
    "a statement's payload": ("UPDATE statement SET sha256 = x'00' WHERE kind = 'committee-opinion'", "sha256 '00'"),
    "a statement's octets": ("UPDATE statement SET compact = x'00'", "compact"),
    "a statement withdrawn": ("UPDATE statement SET withdrawn_index = 9", "withdrawn_index 9"),
    "a statement held again": ("UPDATE statement SET withdrawn_index = NULL", "withdrawn_index None"),
    "a use slipped in": ("INSERT INTO statement_used VALUES ('a#b', x'00', 1)", "statement_used holds a#b"),
    "a use forgotten": ("DELETE FROM statement_used", "statement_used does not hold it"),
    "a use's identity": ("UPDATE statement_used SET identity = identity || 'b'", "statement_used holds"),
    "a use's payload": ("UPDATE statement_used SET sha256 = x'00'", "sha256 '00'"),
    "a use's record": ("UPDATE statement_used SET leaf_index = 0", "leaf_index 0"),
    "an act by order slipped in": ("INSERT INTO person_act VALUES (1, 'key:a', 'thief', 5)", "holds (1, 'key:a')"),
    "an act by order forgotten": ("DELETE FROM person_act", "person_act does not hold it"),
    "an act's record": (
        "UPDATE person_act SET leaf_index = 1 WHERE subject = 'configuration'",
        "holds (1, 'configuration')",
    ),
    "an act's subject": ("UPDATE person_act SET subject = 'key:b' WHERE subject = 'key:another'", "'key:b'"),
    "an act's person": ("UPDATE person_act SET person = 'thief'", "person 'thief'"),
    "an act's moment": ("UPDATE person_act SET at = 5", "at 5"),
    "a restore slipped in": ("INSERT INTO restore VALUES (1, 5, 0)", "restore holds 1"),
    "a restore forgotten": ("DELETE FROM restore", "restore does not hold it"),
    "a restore's record": ("UPDATE restore SET leaf_index = 1", "restore holds 1"),
    "a restore's moment": ("UPDATE restore SET at = 5", "at 5"),
    "a restore's loss": ("UPDATE restore SET lost = 99", "lost 99"),
}


@pytest.mark.parametrize("name", ROWS)
def test_names_a_row_of_which_no_record_tells(book: bytes, tmp_path: Path, name: str) -> None:
    statement, said = ROWS[name]

    def tamper(connection: sqlite3.Connection) -> None:
        assert connection.execute(statement, {"kid": THIEF_KID, "thief": THIEF}).rowcount > 0

    assert said in broken(book, tmp_path, tamper)


# ---- records that say something else


def of_act(name: str, which: int = 0, /, **changes: Any) -> Change:
    """Change what the record of an act says; None takes it out."""

    def change(bodies: Bodies) -> None:
        act = acts(bodies, name)[which]
        act.update(changes)
        for key in [key for key, value in act.items() if value is None]:
            del act[key]

    return change


def acts(bodies: Bodies, name: str) -> list[dict[str, Any]]:
    found = [body["body"] for body in bodies.values() if body["kind"] == "administrative"]
    return [act for act in found if act["act"] == name]


def in_order(name: str, which: int = 0, /, **changes: Any) -> Change:
    """The order that the record of an act holds."""
    return lambda bodies: acts(bodies, name)[which]["order"].update(changes)


def copied(name: str, to: int, key: str | None = None, *, of: int = 0) -> Change:
    """The act, or one of its members, takes the place of another's."""

    def change(bodies: Bodies) -> None:
        found = acts(bodies, name)
        found[to].update(found[of] if key is None else {key: found[of][key]})

    return change


def spare(number: int, /, **act: Any) -> Change:
    """An act in the place of a read: before the restore (1) or behind it (2)."""

    def change(bodies: Bodies) -> None:
        (body,) = (each for each in bodies.values() if each.get("body") == {"spare": number})
        body["kind"], body["body"] = "administrative", act

    return change


def told(octets: bytes, by: str, kind: StatementKind) -> dict[str, Any]:
    """As records tell a statement."""
    statement = octets.decode()
    digest = sha256(parts(octets)[1]).hexdigest()
    return {"attester": by, "sha256": digest, "statement": statement, "statement_kind": kind.value}


LOCATED = a_location("somebody", party="operator")


def added(by: str, said: Location = LOCATED) -> dict[str, Any]:
    octets = attests(by).state(said)
    return {"act": "AddStatement", **told(octets, by, StatementKind.LOCATION)}


def a_report(**changes: Any) -> Change:
    """The check of a report, and what its record says otherwise than the statement."""
    said = {"file_sha256": "ab" * 32, "communications": 1}
    common = evidence.in_common(StatementKind.QUARANTINE_REPORT)
    octets = attests(OFFICER).state(QuarantineReport.model_validate(common | said))
    held = told(octets, OFFICER, StatementKind.QUARANTINE_REPORT)
    return spare(1, **({"act": "CheckQuarantineReport"} | said | held | changes))


def with_check(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Change:
    """Change the intent that came with a check, or the check that it holds."""

    def of(bodies: Bodies) -> None:
        (intent,) = (body for body in bodies.values() if "evidence" in body)
        change(intent, intent["evidence"][0])

    return of


def with_another_check(intent: dict[str, Any], held: dict[str, Any]) -> None:
    """A good one of other octets, taken as it should be."""
    chain = checks.through((checks.CHECK, checks.CALLER, evidence.NODE.name))
    said = SupplySensitiveCheck.model_validate(checks.claims(octets_sha256="00" * 32, chain=chain))
    octets = attests(checks.CHECK).state(said)
    held.update(told(octets, checks.CHECK, StatementKind.SUPPLY_SENSITIVE_CHECK))
    del held["statement_kind"]
    intent["taken"][0].update(name=f"{checks.CHECK}#{said.nonce}".encode().hex(), value=held["sha256"])


def with_a_location(_intent: dict[str, Any], held: dict[str, Any]) -> None:
    held.update(statement=attests(OFFICER).state(LOCATED).decode(), kind="location")


UNKNOWN, VERIFIES = "ATTESTER_UNKNOWN", "STATEMENT_SIGNATURE_INVALID"
RECORDS: dict[str, tuple[Change, str]] = {
    "an enrolment of another kid": (of_act("EnrolAttester", kid="00" * 32), "of the certificate"),
    "an enrolment with another certificate": (
        of_act("EnrolAttester", certificate=THIEF.hex()),
        f"expected kid {THIEF_KID}",
    ),
    "an enrolment with no certificate": (of_act("EnrolAttester", certificate="00"), "its certificate"),
    "an enrolment of an unknown kind": (of_act("EnrolAttester", kinds=["all"]), "expected an attester"),
    "an enrolment without kinds": (of_act("EnrolAttester", kinds=None), "expected an attester"),
    "an enrolment until no moment": (of_act("EnrolAttester", until="9" * 30), "expected an attester"),
    "an enrolment a second time": (copied("EnrolAttester", 1), "a certificate that was never enrolled"),
    "an enrolment under another name": (of_act("EnrolAttester", name="thief"), "as the statement says"),
    "an enrolment that never was": (of_act("EnrolAttester", act="Nothing"), UNKNOWN),
    "an enrolment that is ordered otherwise": (
        of_act("EnrolAttester", -1, party="thief"),
        "the order of EnrolAttester",
    ),
    "a withdrawal of nobody": (of_act("WithdrawAttester", kid="00" * 32, order=None), "an attester that stands"),
    "a withdrawal a second time": (
        spare(1, act="WithdrawAttester", kid=evidence.an_attester(LEAVER).kid),
        "an attester that stands",
    ),
    "a withdrawal that is ordered otherwise": (of_act("WithdrawAttester", because="?"), "order of WithdrawAttester"),
    "a statement by one that was withdrawn": (spare(1, **added(LEAVER)), "ATTESTER_WITHDRAWN"),
    "a statement by a stranger": (spare(1, **added("thief")), UNKNOWN),
    "a statement by one who may not say it": (spare(1, **added(FIRST)), "ATTESTER_NOT_FOR_KIND"),
    "a statement from before a restore": (spare(2, **added(OFFICER)), "STATEMENT_BEFORE_RESTORE"),
    "a statement that is not in the tables": (spare(1, **added(OFFICER)), "statement does not hold it"),
    "a statement with another signature": (
        spare(1, **added(OFFICER) | {"statement": added(OFFICER)["statement"][:-4] + "AAAA"}),
        VERIFIES,
    ),
    "a statement that is none": (of_act("AddStatement", statement="x"), "STATEMENT_NOT_COMPACT"),
    "a statement that is missing": (of_act("AddStatement", statement=None), "STATEMENT_NOT_COMPACT"),
    "a statement of another payload": (of_act("AddStatement", sha256="00" * 32), "as the statement says"),
    "a statement of another attester": (of_act("AddStatement", attester="thief"), "as the statement says"),
    "a statement of another kind": (of_act("AddStatement", statement_kind="person"), "STATEMENT_OF_ANOTHER_KIND"),
    "a statement of no kind": (of_act("AddStatement", statement_kind="x"), "a kind of statement that is added"),
    "a statement that is given otherwise": (
        of_act("AddStatement", statement_kind="supply-sensitive-check"),
        "a kind of statement that is added",
    ),
    "a statement a second time": (copied("AddStatement", 2), "never used"),
    "a withdrawal of what is not held": (
        of_act("WithdrawStatement", sha256="00" * 32, order=None),
        "a statement that is held",
    ),
    "a withdrawal of thresholds": (
        lambda bodies: spare(1, act="WithdrawStatement", sha256=acts(bodies, "ApplyThresholds")[0]["sha256"])(bodies),
        "of a kind that is withdrawn",
    ),
    "a withdrawal for another reason": (of_act("WithdrawStatement", because="?"), "the order of WithdrawStatement"),
    "thresholds of another part": (of_act("CheckThresholdNotification", part="x"), "that record"),
    "thresholds that are not applied": (of_act("ApplyThresholds", act="Nothing"), "no record applies it"),
    "thresholds that were not checked": (of_act("CheckThresholdNotification", act="Nothing"), "checked: None"),
    "thresholds of another sequence": (of_act("ApplyThresholds", sequence="2"), "as the notification says"),
    "thresholds refused, of another sequence": (
        of_act("CheckThresholdNotification", -1, sequence="2"),
        "as the notification says",
    ),
    "thresholds refused, and not held": (
        of_act("CheckThresholdNotification", -1, checked=None),
        "a whole threshold-notification; found None",
    ),
    "thresholds refused, and told as applied": (
        of_act("CheckThresholdNotification", -1, applied=True),
        "no record applies it",
    ),
    "another action on what is quarantined": (of_act("ActOnQuarantined", action="delete"), "as the statement says"),
    "an action of another User": (of_act("ActOnQuarantined", user="x"), "as the statement says"),
    "an action without its statement": (of_act("ActOnQuarantined", statement=None), "STATEMENT_NOT_COMPACT"),
    "a report of another file": (a_report(file_sha256="00" * 32), "as the statement says"),
    "a report of more communications": (a_report(communications=2), "as the statement says"),
    "a report without its statement": (a_report(statement="x"), "STATEMENT_NOT_COMPACT"),
    "a report that no row tells of": (a_report(), "statement_used does not hold it"),
    "an act on another key": (of_act("OrderKey", key="x"), "the order of OrderKey"),
    "an act on a key that was not ordered": (
        lambda bodies: acts(bodies, "OrderKey")[0].pop("order"),
        "of which no record tells",
    ),
    "an act on a key by no order": (of_act("OrderKey", order="x"), "a whole order; found"),
    "an order by another": (in_order("OrderKey", attester=SECOND), "as the statement says"),
    "an order of another payload": (in_order("OrderKey", sha256="00" * 32), "as the statement says"),
    "an order a second time": (
        lambda bodies: spare(1, **acts(bodies, "OrderKey")[0])(bodies),
        "a statement that was never used",
    ),
    "an unlatching of another module": (of_act("UnlatchModule", module="x"), "the order of UnlatchModule"),
    "an unlatching that was not ordered": (
        lambda bodies: acts(bodies, "UnlatchModule")[0].pop("order"),
        "of which no record tells",
    ),
    "a reload by another": (of_act("Reload", person=SECOND), "an order that was taken in"),
    "a reload by an order that never came": (of_act("Reload", order="00" * 32), "an order that was taken in"),
    "a reload of another configuration": (of_act("Reload", configuration="00" * 32), "the order of Reload"),
    "a reload that is the first again": (of_act("Reload", 1, register_version=9), "whose holding ended None"),
    "a reload that is not the first": (of_act("Reload", register_version=None), "whose holding ended -1"),
    "orders of a restore in another order": (
        lambda bodies: acts(bodies, "RestoreLedger")[0]["orders"].reverse(),
        "the table person_act says of",
    ),
    "an order of a restore by another": (
        lambda bodies: acts(bodies, "RestoreLedger")[0]["orders"][0].update(attester="thief"),
        "as the statement says",
    ),
    "a use that takes a check and holds none": (with_check(lambda it, _: it.pop("evidence")), "statements taken: []"),
    "a use that holds a check and takes none": (with_check(lambda it, _: it.pop("taken")), "found []"),
    "a use that takes another check": (with_check(lambda it, _: it["taken"][0].update(value="00" * 32)), "taken"),
    "a use that takes it otherwise": (with_check(lambda it, _: it["taken"][0].update(form="bound")), "taken"),
    "a use with no list of statements": (
        with_check(lambda it, _: it.update(evidence="x")),
        "a whole supply-sensitive-check; found",
    ),
    "a use whose check is of other octets": (with_check(with_another_check), "a check of octets"),
    "a use with a statement of another kind": (with_check(with_a_location), "STATEMENT_OF_ANOTHER_KIND"),
    "a use whose check is of another payload": (with_check(lambda _, it: it.update(sha256="00" * 32)), "as the stat"),
    "a use whose check does not verify": (
        with_check(lambda _, it: it.update(statement=it["statement"][:-4] + "AAAA")),
        VERIFIES,
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_names_a_record_that_says_otherwise(book: bytes, tmp_path: Path, name: str) -> None:
    change, said = RECORDS[name]
    assert said in broken(book, tmp_path, rewrite(change))


def test_a_check_is_judged_at_the_moment_of_its_intent(book: bytes, tmp_path: Path) -> None:
    later = with_check(lambda intent, _: intent.update(at="2026-03-15T12:00:00.000000Z"))
    assert "STATEMENT_LAPSED" in broken(book, tmp_path, rewrite(later))
    no_moment = with_check(lambda intent, _: intent.update(at="2026-03-15"))
    assert "a moment" in broken(book, tmp_path, rewrite(no_moment))


# ---- the whole good one


def test_a_ledger_with_every_such_record_and_row_verifies(book: bytes, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(book)
    with books.a_book(tmp_path) as journal:
        verified = audit.verify(journal.ledger, AT)
        size = verified.tree_size
        stored = audit.read_records(journal.ledger, 0, size)
        bodies = [decode(each.octets) for each in stored]
        head = journal.head(AT)
    assert {name: len(acts(dict(enumerate(bodies)), name)) for name in ACTS} == ACTS
    # From records alone: the certificates stand in them.
    alone = verify_ledger(stored, head, find=lambda index: stored[index].octets, deployment=DeploymentKind.TEST)
    assert alone == verified


ACTS: Mapping[str, int] = {
    "EnrolAttester": 6,
    "WithdrawAttester": 1,
    "AddStatement": 9,
    "WithdrawStatement": 1,
    "CheckThresholdNotification": 2,
    "ApplyThresholds": 1,
    "ActOnQuarantined": 1,
    "OrderKey": 1,
    "Reload": 2,
    "RestoreLedger": 1,
}
