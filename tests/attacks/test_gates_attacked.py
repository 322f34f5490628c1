"""Whoever wants a key used without what is demanded: statements that cost time, are another's, or are not that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.config.one_party import check_own_thresholds
from keybroker.errors import NotPermitted, PersonMayNotAct, StatementRefused, ThresholdExceeded
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.standing import read_standing
from keybroker.keys.thresholds import notifications, take_in_notification
from keybroker.keys.withdrawal import StatementWithdrawal
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.record import order_target
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import CommitteeOpinion, ThresholdNotification, VariantNotSensitive
from keybroker.statement.standing import Standing
from keybroker.statement.strict_json import read_object
from tests import evidence
from tests.evidence import AT, attests
from tests.keys.restoring import ACTOR, PEOPLE
from tests.keys.standing_book import ALICE, BOB, a_standing_book
from tests.ledger import books
from tests.ledger.thresholds import act, asking, begin, counted, held, let_through
from tests.statement.attested import an_order

DCC, USER = "dcc/thresholds", "supplier-b/thresholds"
USER_ID = "90-B3-D5-1F-AA-01-00-00"
PEOPLES = frozenset({StatementKind.ORDER, StatementKind.VARIANT_NOT_SENSITIVE})
KINDS = frozenset({StatementKind.THRESHOLD_NOTIFICATION, StatementKind.COMMITTEE_OPINION})
ON = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 10**9, "quarantine": 10**9}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """With attesters of the DCC and of a User."""
    with books.a_book(tmp_path) as journal:
        for name in (DCC, USER):
            enrol_attester(journal, ACTOR, enrolment(name), PEOPLE, evidence.BEFORE)
        yield journal


def enrolment(name: str, **changes: Any) -> Enrolment:
    given: dict[str, Any] = {
        "name": name,
        "party": name.partition("/")[0],
        "certificate": attests(name).certificate,
        "kinds": KINDS,
        "until": AT + timedelta(days=900),
    }
    return Enrolment(**(given | changes))


def a_notification(by: str, *, user: str | None = None, **on: Any) -> bytes:
    said = {"user": user, "part": "test", "sequence": 1, "guidance": "G-1", "thresholds": [ON | on]}
    common = evidence.in_common(StatementKind.THRESHOLD_NOTIFICATION)
    return attests(by).state(ThresholdNotification.model_validate(common | said))


def an_opinion(journal: Journal, about: str, subject: str = "test", *, committee: str) -> None:
    said = {"committee": committee, "about": about, "subject": subject, "reference": "G-1"}
    common = evidence.in_common(StatementKind.COMMITTEE_OPINION)
    octets = attests(DCC).state(CommitteeOpinion.model_validate(common | said))
    add_statement(journal, ACTOR, octets, StatementKind.COMMITTEE_OPINION, PEOPLE, AT)


def standing(journal: Journal) -> Standing:
    with journal.ledger.read() as connection:
        return read_standing(connection)


# ---- what costs time before anybody looked who signed it


@pytest.mark.parametrize(
    "octets",
    [
        b'\\"' * 32_768,
        b'"' * 65_536,
        b'"' + b"\\\\" * 32_768,
        b'{"a":"' + b'\\"' * 32_768,
        b"[" * 65_536,
        b"9" * 65_536,
    ],
    ids=["escaped quotes", "quotes", "backslashes", "a text without an end", "brackets", "digits"],
)
def test_octets_that_are_no_json_are_refused_as_soon_as_any(octets: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(StatementUnfit):
        read_object(octets)
    assert time.process_time() - begun < 1


def test_a_bracket_behind_a_text_that_does_not_end_hides_no_depth() -> None:
    with pytest.raises(StatementUnfit):
        read_object(b'{"a":"\\"' + b"[" * 9 + b"]" * 9 + b"}")


# ---- whose thresholds


@pytest.mark.clause("G6.6A", shows="refusal")
@pytest.mark.parametrize(
    ("own", "of_the_dcc", "by", "user"),
    [("dcc", True, USER, None), ("supplier-a", False, USER, USER_ID), ("supplier-a", False, DCC, USER_ID)],
    ids=["a User, the DCC's own", "a User, another User's", "the DCC, a User's"],
)
def test_nobody_else_sets_what_the_keys_of_a_live_deployment_are_held_to(
    journal: Journal, own: str, of_the_dcc: bool, by: str, user: str | None
) -> None:
    with pytest.raises(NotPermitted, match=r"alone \(SEC G6\.3, G6\.6"):
        check_own_thresholds(own, a_notification(by, user=user), standing(journal), of_the_dcc=of_the_dcc)


@pytest.mark.parametrize(
    ("own", "of_the_dcc", "octets"),
    [
        ("dcc", True, a_notification(DCC)),
        ("dcc", True, a_notification(USER, user=USER_ID)),
        ("supplier-b", False, a_notification(USER, user=USER_ID)),
        ("supplier-b", False, a_notification(DCC)),
        ("", False, a_notification(DCC, user=USER_ID)),
        ("dcc", True, b"no statement"),
        ("dcc", True, a_notification("nobody")),
    ],
)
def test_whoever_sets_his_own_is_heard_and_what_is_none_is_refused_by_whoever_takes_it_in(
    journal: Journal, own: str, of_the_dcc: bool, octets: bytes
) -> None:
    check_own_thresholds(own, octets, standing(journal), of_the_dcc=of_the_dcc)


@pytest.mark.clause("G6.7", "G6.8", "G6.9", shows="refusal")
def test_the_word_of_another_committee_is_none_of_the_security_sub_committees(journal: Journal) -> None:
    an_opinion(journal, "threshold-consulted", committee="smki-pma")
    octets = a_notification(DCC)
    with pytest.raises(StatementRefused) as refusal:
        take_in_notification(journal, ACTOR, octets, AT)
    assert (refusal.value.flaw, refusal.value.clause) == ("COMMITTEE_NOT_CONSULTED", "G6.7(b)")


@pytest.mark.clause("G6.7", "G6.8", "G6.9", shows="refusal")
def test_a_committee_that_was_not_asked_for_was_not_told_either(journal: Journal) -> None:
    take_in_notification(journal, ACTOR, a_notification(USER, user=USER_ID), AT)
    (one,) = notifications(journal.ledger, AT)
    an_opinion(journal, "threshold-notified", one.statement.sha256.hex(), committee="smki-pma")
    assert [each.told for each in notifications(journal.ledger, AT)] == [False]
    an_opinion(journal, "threshold-notified", one.statement.sha256.hex(), committee="security-sub-committee")
    assert [each.told for each in notifications(journal.ledger, AT)] == [True]


@pytest.mark.clause("G6.6A", shows="refusal")
@pytest.mark.parametrize(
    "on",
    [
        {"variant": None, "code": "0x0050"},
        {"variant": None, "code": "0x00CC"},
        {"variant": None, "code": "0x0105", "measure": "encrypted"},
        {"variant": "4.3"},
    ],
    ids=["a code that counts by its variant", "an Alert", "a code's Responses", "a variant of nothing critical"],
)
def test_a_threshold_that_nothing_would_ever_count_against_is_not_taken_in(
    journal: Journal, on: dict[str, Any]
) -> None:
    with pytest.raises(StatementRefused) as refusal:
        take_in_notification(journal, ACTOR, a_notification(USER, user=USER_ID, **on), AT)
    assert refusal.value.flaw == "THRESHOLD_ON_NOTHING_KNOWN"
    assert notifications(journal.ledger, AT) == []


def test_a_threshold_on_a_command_of_no_variant_is_taken_in(journal: Journal) -> None:
    octets = a_notification(USER, user=USER_ID, variant=None, code="0x0105")
    take_in_notification(journal, ACTOR, octets, AT)
    assert [each.in_force for each in notifications(journal.ledger, AT)] == [True]


# ---- who waits


@pytest.mark.clause("G6.1", shows="refusal")
def test_what_is_quarantined_is_not_signed_by_waiting_until_its_period_is_over(tmp_path: Path) -> None:
    on = counted(most=1, period=60)
    with books.a_book(tmp_path) as book:
        assert let_through(book, asking("a", on, counter=1), asking("b", on, counter=2)) == 1
        for minutes in (2, 60, 100_000):
            (refusal,) = begin(book, asking(f"c{minutes}", on, counter=2), at=AT + timedelta(minutes=minutes))
            assert isinstance(refusal, ThresholdExceeded)
            assert refusal.clause == "G6.1(a)(iii)"
            assert refusal.findings[-1].reason == "COMMUNICATION_IN_QUARANTINE"
        assert let_through(book, asking("d", on, counter=3), at=AT + timedelta(hours=1)) == 1
        (one,) = held(book)
        act(book, one.record, "release")
        assert let_through(book, asking("e", on, counter=2), at=AT + timedelta(hours=9)) == 1
        assert held(book) == []
        audit.verify(book.ledger, AT)


def test_a_release_is_over_with_the_signature_that_did_not_need_it_any_more(tmp_path: Path) -> None:
    on, later = counted(most=1, period=60), AT + timedelta(hours=1)
    with books.a_book(tmp_path) as book:
        let_through(book, asking("a", on, counter=1), asking("b", on, counter=2))
        (one,) = held(book)
        act(book, one.record, "release")
        assert let_through(book, asking("c", on, counter=2), at=later) == 1
        assert let_through(book, asking("d", on, counter=2), at=later) == 0
        assert [each.state.value for each in held(book)] == ["quarantined"]
        audit.verify(book.ledger, AT)


def test_explain_says_that_it_is_in_quarantine(tmp_path: Path) -> None:
    on, later = counted(most=1, period=60), AT + timedelta(hours=1)
    with books.a_book(tmp_path) as book:
        let_through(book, asking("a", on, counter=1), asking("b", on, counter=2))
        _, permit = asking("c", on, counter=2)
        with pytest.raises(ThresholdExceeded, match="since record"):
            book.check_takes(permit, later)
        (one,) = held(book)
        act(book, one.record, "release")
        book.check_takes(permit, AT)


# ---- who is who


def test_no_system_is_enrolled_under_the_name_of_another_party(journal: Journal) -> None:
    with pytest.raises(NotPermitted, match="another party"):
        enrol_attester(journal, ACTOR, enrolment("supplier-a/check", party="supplier-b"), PEOPLE, evidence.BEFORE)


@pytest.mark.clause("G3.25(a)", shows="refusal")
def test_a_person_who_may_not_act_states_of_no_variant_that_it_needs_no_check(tmp_path: Path) -> None:
    common = evidence.in_common(StatementKind.VARIANT_NOT_SENSITIVE)
    said = VariantNotSensitive.model_validate(common | {"variant": "7.16", "because": "no effect on supply"})
    with a_standing_book(tmp_path) as book:
        book.enrol(BOB, PEOPLES)
        with pytest.raises(PersonMayNotAct):
            book.take_in(said, BOB)
        assert (book.last()["statement_kind"], book.last()["reason"]) == ("variant-not-sensitive", "PERSON_MAY_NOT_ACT")
        # Nothing was spent: as soon as another vouches for him, the same statement counts.
        book.vouch_for(BOB)
        book.take_in(said, BOB)
        book.check()


def test_nobody_has_the_word_of_the_committee_about_himself_withdrawn(tmp_path: Path) -> None:
    common = evidence.in_common(StatementKind.COMMITTEE_OPINION)
    said = {"committee": "security-sub-committee", "about": "exclusion-shortened", "subject": BOB.name}
    opinion = CommitteeOpinion.model_validate(common | said | {"reference": "SSC 7", "until": int(AT.timestamp())})
    with a_standing_book(tmp_path) as book:
        book.enrol(BOB)
        book.vouch_for(BOB)
        book.take_in(opinion)
        statement = book.standing().statements[-1]
        told = StatementWithdrawal(sha256=statement.sha256, because="test").told()
        orders = {who.name: who.state(an_order(str(told["act"]), order_target(told))) for who in (ALICE, BOB)}
        with pytest.raises(NotPermitted, match="another person"):
            book.withdraw(statement.sha256, order=orders["bob"])
        book.withdraw(statement.sha256, order=orders["alice"])
        assert statement not in book.standing().statements
