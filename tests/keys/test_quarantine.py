"""Notifications of thresholds, and what a User says of what is quarantined: refusals first, then what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from keybroker.errors import PersonMayNotAct, StatementRefused
from keybroker.keys.acts import Actor
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.quarantine import act_on, quarantined
from keybroker.keys.standing import read_standing
from keybroker.keys.thresholds import held_notifications, take_in_notification
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger import audit, canonical_json, tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import CommitteeOpinion, Person, QuarantineAction, ThresholdNotification
from keybroker.terms import CallerKind, PartyName, RelevantSystem
from tests import evidence
from tests.evidence import attests
from tests.keys.restoring import PEOPLE, vouch_for
from tests.ledger import books
from tests.ledger.thresholds import USER, asking, counted, let_through
from tests.situations import AT

ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PartyName("operator"))
OWN, OTHER, PERSON = "thresholds-a", "thresholds-b", "evidence-officer"
PARTIES = {OWN: "supplier-a", OTHER: "supplier-b", PERSON: "operator"}
ALL = (
    StatementKind.ORDER,
    StatementKind.PERSON,
    StatementKind.THRESHOLD_NOTIFICATION,
    StatementKind.QUARANTINE_ACTION,
    StatementKind.COMMITTEE_OPINION,
)
ON = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 2}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """With three enrolled attesters of as many parties."""
    with books.a_book(tmp_path) as journal:
        for name, party in PARTIES.items():
            certificate, until = attests(name).certificate, AT + timedelta(days=900)
            asked = Enrolment(name=name, party=party, certificate=certificate, kinds=frozenset(ALL), until=until)
            enrol_attester(journal, ACTOR, asked, PEOPLE, AT - timedelta(days=2))
        for name in (OWN, OTHER):
            vouch_for(journal, name, PARTIES[name])
        yield journal


def a_notification(*, by: str = OWN, **changes: Any) -> bytes:
    said = {"user": USER, "part": "test", "sequence": 1, "guidance": "G-1", "thresholds": [ON]}
    common = evidence.in_common(StatementKind.THRESHOLD_NOTIFICATION)
    return attests(by).state(ThresholdNotification.model_validate(common | said | changes))


def an_opinion(about: str = "threshold-consulted", subject: str = "test", reference: str = "G-1") -> bytes:
    said = {"committee": "security-sub-committee", "about": about, "subject": subject, "reference": reference}
    common = evidence.in_common(StatementKind.COMMITTEE_OPINION)
    return attests(PERSON).state(CommitteeOpinion.model_validate(common | said))


def an_action(which: int, *, by: str = OWN, octets: str = "", action: str = "release", user: str = USER) -> bytes:
    said = {"user": user, "record": which, "octets_sha256": octets, "action": action}
    common = evidence.in_common(StatementKind.QUARANTINE_ACTION)
    return attests(by).state(QuarantineAction.model_validate(common | said))


def take_in(journal: Journal, octets: bytes) -> Receipt:
    return take_in_notification(journal, ACTOR, octets, AT)


def bodies(journal: Journal, kind: str) -> list[dict[str, Any]]:
    stored = audit.read_records(journal.ledger, 0, 1_000)
    found: list[dict[str, Any]] = [canonical_json.decode(each.octets) for each in stored if each.kind == kind]
    return [each.get("body", each) for each in found]


def checks(journal: Journal) -> int:
    with journal.ledger.read() as connection:
        return len(connection.execute(select(tables.threshold_check)).all())


def refused(journal: Journal, octets: bytes) -> StatementRefused:
    with pytest.raises(StatementRefused) as refusal:
        take_in(journal, octets)
    assert bodies(journal, "refusal")[-1]["flaw"] == refusal.value.flaw
    audit.verify(journal.ledger, AT)
    return refusal.value


# ---- notifications: refused, and nothing spent


@pytest.mark.clause("G6.4", shows="refusal")
@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (b"no statement", "STATEMENT_NOT_COMPACT"),
        (a_notification(by="nobody"), "ATTESTER_UNKNOWN"),
        (an_opinion(), "STATEMENT_OF_ANOTHER_KIND"),
        (a_notification()[:-2] + b"AA", "STATEMENT_SIGNATURE_INVALID"),
        (a_notification(aud="another/TEST"), "STATEMENT_FOR_ANOTHER_LEDGER"),
        (a_notification(iat=1, exp=2), "STATEMENT_LAPSED"),
    ],
)
def test_refuses_what_fails_the_cryptographic_check_and_spends_nothing(
    journal: Journal, octets: bytes, flaw: str
) -> None:
    assert refused(journal, octets).flaw == flaw
    assert checks(journal) == 0


@pytest.mark.clause("G6.6A", shows="refusal")
def test_refuses_a_notification_that_was_checked_before(journal: Journal) -> None:
    octets = a_notification()
    take_in(journal, octets)
    assert refused(journal, octets).flaw == "STATEMENT_USED_BEFORE"
    assert checks(journal) == 1


# ---- notifications: refused, and spent (G6.6A)


@pytest.mark.clause("G6.6A", "G6.7", "G6.8", "G6.9", shows="refusal")
@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"sequence": 2}, "NOTIFICATION_OLDER_THAN_IN_FORCE"),
        ({"sequence": 1}, "NOTIFICATION_OLDER_THAN_IN_FORCE"),
        ({"sequence": 3, "by": OTHER}, "NOTIFICATION_BY_ANOTHER_PARTY"),
        ({"sequence": 3, "thresholds": [ON | {"variant": "9.9.9"}]}, "THRESHOLD_ON_NOTHING_KNOWN"),
        ({"sequence": 3, "thresholds": [ON | {"variant": None, "code": "0xFFFF"}]}, "THRESHOLD_ON_NOTHING_KNOWN"),
        (
            {
                "sequence": 3,
                "thresholds": [{"measure": "value", "code": "0x0050", "value": "x", "least": 0, "most": 1}],
            },
            "THRESHOLD_ON_NOTHING_KNOWN",
        ),
        (
            {
                "sequence": 3,
                "thresholds": [{"measure": "value", "code": "0x001C", "value": "x", "least": 0, "most": 1}],
            },
            "THRESHOLD_ON_NOTHING_KNOWN",
        ),
        ({"sequence": 3, "user": None}, "COMMITTEE_NOT_CONSULTED"),
    ],
)
def test_refuses_to_apply_it_and_the_check_is_recorded_and_spent(
    journal: Journal, changes: dict[str, Any], flaw: str
) -> None:
    take_in(journal, a_notification(sequence=2))
    octets = a_notification(**changes)
    assert refused(journal, octets).flaw == flaw
    assert checks(journal) == 2
    check = bodies(journal, "administrative")[-1]
    assert (check["act"], check["applied"], check["why_not"]) == ("CheckThresholdNotification", False, flaw)
    assert check["checked"]["statement"] == octets.decode()
    # Spent: whatever changes here, that communication is not checked a second time.
    assert refused(journal, octets).flaw == "STATEMENT_USED_BEFORE"
    with journal.ledger.read() as connection:
        (held,) = held_notifications(read_standing(connection), AT)
    assert (held.notification.sequence, held.in_force) == (2, True)


def test_an_opinion_about_another_part_of_the_systems_is_none_about_this_one(journal: Journal) -> None:
    add_statement(journal, ACTOR, an_opinion(subject="another"), StatementKind.COMMITTEE_OPINION, PEOPLE, AT)
    assert refused(journal, a_notification(user=None, by=PERSON)).flaw == "COMMITTEE_NOT_CONSULTED"


@pytest.mark.clause("G6.7", "G6.8", "G6.9", shows="acceptance")
def test_the_dccs_own_are_applied_where_the_committee_was_consulted(journal: Journal) -> None:
    octets = a_notification(user=None, by=PERSON)
    assert refused(journal, octets).clause == "G6.7(b)"
    add_statement(journal, ACTOR, an_opinion(), StatementKind.COMMITTEE_OPINION, PEOPLE, AT)
    take_in(journal, a_notification(user=None, by=PERSON))
    audit.verify(journal.ledger, AT)


# ---- notifications: applied


@pytest.mark.clause("G6.4", "G6.6A", shows="acceptance")
def test_applies_a_notification_and_records_check_and_content(journal: Journal) -> None:
    octets = a_notification()
    receipt = take_in(journal, octets)
    check, applied = bodies(journal, "administrative")[-2:]
    assert (check["act"], check["applied"], check["part"], check["sequence"]) == (
        "CheckThresholdNotification",
        True,
        "test",
        "1",
    )
    assert (applied["act"], applied["statement"], applied["user"]) == ("ApplyThresholds", octets.decode(), USER)
    with journal.ledger.read() as connection:
        (held,) = held_notifications(read_standing(connection), AT)
    assert (held.in_force, held.told, held.statement.leaf_index) == (True, False, receipt.leaf_index)
    audit.verify(journal.ledger, AT)


@pytest.mark.clause("G6.7", "G6.8", "G6.9", shows="acceptance")
def test_tells_what_is_in_force_and_what_the_committee_was_told(journal: Journal) -> None:
    take_in(journal, a_notification())
    take_in(journal, a_notification(sequence=7))
    take_in(journal, a_notification(sequence=1, part="other"))
    with journal.ledger.read() as connection:
        first = held_notifications(read_standing(connection), AT)[-1]
    told = an_opinion("threshold-notified", first.statement.sha256.hex())
    add_statement(journal, ACTOR, told, StatementKind.COMMITTEE_OPINION, PEOPLE, AT)
    with journal.ledger.read() as connection:
        held = held_notifications(read_standing(connection), AT)
    found = [(each.notification.part, each.notification.sequence, each.in_force, each.told) for each in held]
    assert found == [("other", 1, True, False), ("test", 7, True, False), ("test", 1, False, True)]
    assert held[-1].why_not == "followed by sequence 7"


# ---- quarantine


@pytest.fixture
def which(journal: Journal) -> tuple[int, str]:
    """One communication in quarantine: its record and SHA-256."""
    assert let_through(journal, asking("r", counted(most=0))) == 0
    with journal.ledger.read() as connection:
        (one,) = quarantined(connection)
    return one.record, one.octets_sha256


@pytest.mark.clause("G6.1", shows="refusal")
@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"which": 0}, "NOTHING_QUARANTINED_THERE"),
        ({"octets": "00" * 32}, "ACTION_FOR_OTHER_OCTETS"),
        ({"by": OTHER}, "ACTION_OF_ANOTHER_USER"),
        ({"by": PERSON}, "ACTION_OF_ANOTHER_USER"),
        ({"user": "90-B3-D5-1F-AA-99-00-00"}, "ACTION_OF_ANOTHER_USER"),
        ({"by": "nobody"}, "ATTESTER_UNKNOWN"),
    ],
)
def test_refuses_an_order_that_is_not_the_users_own_for_these_octets(
    journal: Journal, which: tuple[int, str], changes: dict[str, Any], flaw: str
) -> None:
    given: dict[str, Any] = {"which": which[0], "octets": which[1]} | changes
    with pytest.raises(StatementRefused) as refusal:
        act_on(journal, ACTOR, an_action(**given), PEOPLE, AT)
    assert refusal.value.flaw == flaw
    assert bodies(journal, "refusal")[-1]["flaw"] == flaw
    with journal.ledger.read() as connection:
        assert [each.state for each in quarantined(connection)] == ["quarantined"]


def test_who_may_not_act_now_says_nothing_of_what_is_quarantined(journal: Journal, which: tuple[int, str]) -> None:
    action, later = an_action(which[0], octets=which[1]), AT + timedelta(minutes=5)
    (said,) = (each for each, who in statements_of(journal) if who == OWN)
    withdraw_statement(journal, ACTOR, StatementWithdrawal(sha256=said, because="left"), PEOPLE, AT, None)
    with pytest.raises(PersonMayNotAct, match="person-vouched-for"):
        act_on(journal, ACTOR, action, PEOPLE, later)
    refusal = bodies(journal, "refusal")[-1]
    assert (refusal["act"], refusal["reason"]) == ("ActOnQuarantined", "PERSON_MAY_NOT_ACT")
    with journal.ledger.read() as connection:
        assert [each.state for each in quarantined(connection)] == ["quarantined"]
    # Nothing was spent: vouched for anew, the same order counts.
    vouch_for(journal, OWN, PARTIES[OWN])
    act_on(journal, ACTOR, action, PEOPLE, later)
    audit.verify(journal.ledger, later)


def test_a_users_own_people_are_not_the_dccs_to_judge(journal: Journal, which: tuple[int, str]) -> None:
    take_in(journal, a_notification(by=OTHER))
    of_the_dcc = replace(PEOPLE, system=RelevantSystem.DCC_LIVE_SYSTEMS_B)
    (said,) = (each for each, who in statements_of(journal) if who == OTHER)
    withdraw_statement(journal, ACTOR, StatementWithdrawal(sha256=said, because="left"), PEOPLE, AT, None)
    act_on(journal, ACTOR, an_action(which[0], octets=which[1], by=OTHER), of_the_dcc, AT)


def statements_of(journal: Journal) -> list[tuple[bytes, str]]:
    """SHA-256 and the person, of every statement about one."""
    with journal.ledger.read() as connection:
        return [(each.sha256, said.person) for each, said in read_standing(connection).ever(Person)]


def test_an_order_is_used_once(journal: Journal, which: tuple[int, str]) -> None:
    order = an_action(which[0], octets=which[1])
    act_on(journal, ACTOR, order, PEOPLE, AT)
    with pytest.raises(StatementRefused) as refusal:
        act_on(journal, ACTOR, order, PEOPLE, AT)
    assert refusal.value.flaw == "STATEMENT_USED_BEFORE"


@pytest.mark.clause("G6.1", shows="acceptance")
def test_what_was_released_is_let_through_once(journal: Journal, which: tuple[int, str]) -> None:
    act_on(journal, ACTOR, an_action(which[0], octets=which[1]), PEOPLE, AT)
    assert let_through(journal, asking("r", counted(most=0))) == 1
    assert let_through(journal, asking("r2", counted(most=0))) == 0
    again = an_action(which[0], octets=which[1])
    with pytest.raises(StatementRefused, match="one that is processed"):
        act_on(journal, ACTOR, again, PEOPLE, AT)
    audit.verify(journal.ledger, AT)


@pytest.mark.clause("G6.1", shows="refusal")
@pytest.mark.parametrize("released", [False, True])
def test_what_was_deleted_is_erased_and_never_let_through(
    journal: Journal, which: tuple[int, str], released: bool
) -> None:
    if released:
        act_on(journal, ACTOR, an_action(which[0], octets=which[1]), PEOPLE, AT)
    act_on(journal, ACTOR, an_action(which[0], octets=which[1], action="delete"), PEOPLE, AT)
    with journal.ledger.read() as connection:
        assert quarantined(connection) == []
        (one,) = quarantined(connection, every=True)
    assert (one.state, one.kept) == ("deleted", False)
    assert let_through(journal, asking("r", counted(most=0))) == 0
    audit.verify(journal.ledger, AT)


def test_where_a_user_gave_its_thresholds_its_attester_says_what_becomes_of_it(
    journal: Journal, which: tuple[int, str]
) -> None:
    take_in(journal, a_notification(by=OTHER))
    receipt = act_on(journal, ACTOR, an_action(which[0], octets=which[1], by=OTHER), PEOPLE, AT)
    body = bodies(journal, "administrative")[-1]
    assert (body["act"], body["action"], body["record"]) == ("ActOnQuarantined", "release", which[0])
    assert receipt.leaf_index > which[0]
    with journal.ledger.read() as connection:
        (one,) = quarantined(connection)
    assert replace(one, at=AT) == replace(one, state="released", at=AT)  # type: ignore[arg-type]
    audit.verify(journal.ledger, AT)
