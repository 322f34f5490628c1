"""Who is enrolled to state what: the first at the machine, later ones by order, nobody by his own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.errors import KeybrokerError, NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.keys.attesters import Withdrawal, withdraw_attester
from keybroker.keys.ordering import may_act
from keybroker.ledger.record import order_target
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Person
from tests.keys.standing_book import (
    ACTOR,
    ALICE,
    BOB,
    CAROL,
    OFFICER,
    PEOPLE,
    StandingBook,
    a_standing_book,
    enrolment,
)
from tests.statement.attested import AT, DAY, ORDERS, Attests, an_order

LOCATION = frozenset({StatementKind.LOCATION})
HOUR = timedelta(hours=1)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[StandingBook]:
    with a_standing_book(tmp_path) as book:
        yield book
        book.check()


@pytest.fixture
def two(book: StandingBook) -> StandingBook:
    """Alice and Bob may act: from now on an enrolment is ordered."""
    book.enrol(BOB)
    book.vouch_for(BOB)
    return book


def order_for(told: dict[str, Any], by: Attests = ALICE, **changes: Any) -> bytes:
    given = {"act": told["act"], "target": order_target(told)} | changes
    return by.state(an_order(**given))


TWIN = Attests(name="twin")
TWIN.key = ALICE.key
REFUSED: dict[str, tuple[Attests, dict[str, Any], str]] = {
    "no name": (CAROL, {"name": ""}, "name"),
    "a name in capitals": (CAROL, {"name": "Carol"}, "name"),
    "a name with two slashes": (CAROL, {"name": "a/b/c"}, "name"),
    "a name with a line feed behind": (CAROL, {"name": "carol\n"}, "name"),
    "a party that is none": (CAROL, {"party": "Supplier A"}, "name"),
    "no kinds": (CAROL, {"kinds": frozenset()}, "kinds"),
    "a system that orders": (CAROL, {"name": "supplier-a/check", "kinds": ORDERS}, "a person alone"),
    "an end that has come": (CAROL, {"until": AT}, "after now"),
    "an end after the certificate's": (CAROL, {"until": AT + 900 * DAY}, "certificate's"),
    "no certificate": (CAROL, {"certificate": b"certificate"}, "P-256"),
    "a key on another curve": (Attests(name="dave", curve=ec.SECP384R1()), {}, "P-256"),
    "a certificate that is over": (Attests(name="dave", not_after=AT - HOUR), {}, "valid now"),
    "a certificate that is to come": (Attests(name="dave", not_before=AT + HOUR), {}, "valid now"),
    "a certificate that is enrolled": (ALICE, {"name": "alice-b"}, "enrolled before"),
    "a key that another has": (TWIN, {}, "everybody has a key of his own"),
    "a name of another party": (CAROL, {"name": "alice", "party": "supplier-b"}, "another party"),
}


@pytest.mark.parametrize(("who", "changes", "told"), REFUSED.values(), ids=REFUSED)
def test_refuses_to_enrol(book: StandingBook, who: Attests, changes: dict[str, Any], told: str) -> None:
    before = book.standing()
    with pytest.raises(NotPermitted, match=told):
        book.enrol(who, **({"kinds": LOCATION} | changes))
    assert (book.last()["kind"], book.last()["reason"]) == ("refusal", "NOT_PERMITTED")
    assert book.standing() == before


def test_refuses_to_enrol_without_an_order_as_soon_as_two_may_act(two: StandingBook) -> None:
    assert may_act(two.standing(), PEOPLE, AT) == {"alice", "bob"}
    with pytest.raises(PersonMayNotAct, match="EnrolAttester"):
        two.enrol(CAROL, LOCATION)
    assert two.last()["reason"] == "PERSON_MAY_NOT_ACT"


def test_refuses_to_enrol_without_an_order_after_one_was_used(two: StandingBook) -> None:
    two.enrol(CAROL, LOCATION, order=order_for(enrolment(CAROL, LOCATION).told()))
    two.at = AT + 401 * DAY
    assert may_act(two.standing(), PEOPLE, two.at) == frozenset()
    with pytest.raises(PersonMayNotAct):
        two.enrol(Attests(name="dave"), LOCATION, until=two.at + DAY)


TOLD = enrolment(CAROL, LOCATION).told()
BAD_ORDERS: dict[str, tuple[bytes, type[KeybrokerError], str]] = {
    "for another act": (order_for(TOLD, act="WithdrawAttester"), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "for another target": (order_for(TOLD, target="ab" * 32), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "for other kinds": (order_for(enrolment(CAROL).told()), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "lapsed": (order_for(TOLD, at=AT - 2 * HOUR), StatementRefused, Flaw.LAPSED),
    "by nobody enrolled": (order_for(TOLD, CAROL), StatementRefused, Flaw.ATTESTER_UNKNOWN),
    "by one who states no orders": (order_for(TOLD, OFFICER), StatementRefused, Flaw.ATTESTER_NOT_FOR_KIND),
    "nothing": (b"", StatementRefused, Flaw.NOT_COMPACT),
}


@pytest.mark.parametrize(("order", "error", "told"), BAD_ORDERS.values(), ids=BAD_ORDERS)
def test_refuses_an_enrolment_by_a_bad_order(
    two: StandingBook, order: bytes, error: type[KeybrokerError], told: str
) -> None:
    with pytest.raises(error, match=told):
        two.enrol(CAROL, LOCATION, order=order)
    assert two.last()["kind"] == "refusal"


def test_refuses_an_order_by_somebody_of_whom_nothing_is_known(two: StandingBook) -> None:
    two.enrol(CAROL, order=order_for(enrolment(CAROL).told()))
    dave = Attests(name="dave")
    with pytest.raises(PersonMayNotAct, match="carol"):
        two.enrol(dave, LOCATION, order=order_for(enrolment(dave, LOCATION).told(), CAROL))


@pytest.mark.clause("G2.22B(b)", shows="refusal")
def test_nobody_renews_himself_by_his_own_order(two: StandingBook) -> None:
    again = Attests(name="alice")
    told = enrolment(again).told()
    with pytest.raises(NotPermitted, match="another person"):
        two.enrol(again, order=order_for(told, ALICE))
    two.enrol(again, order=order_for(told, BOB))
    assert len([each for each in two.standing().attesters.values() if each.name == "alice"]) == 2


@pytest.mark.clause("G2.22B(b)", shows="acceptance")
def test_an_order_enrols_once(two: StandingBook) -> None:
    order = order_for(TOLD)
    two.enrol(CAROL, LOCATION, order=order)
    assert two.last()["order"]["attester"] == "alice"  # type: ignore[index,call-overload]
    assert [(act.person, act.subject) for act in two.standing().acts] == [("alice", "evidence")]
    told = Withdrawal(kid=CAROL.kid, because="left")
    with pytest.raises(StatementRefused, match="STATEMENT_USED_BEFORE"):
        withdraw_attester(two.journal, ACTOR, told, PEOPLE, AT, order)


def test_what_a_withdrawn_attester_stated_counts_no_more(two: StandingBook) -> None:
    told = Withdrawal(kid=OFFICER.kid, because="left")
    with pytest.raises(PersonMayNotAct, match="WithdrawAttester"):
        withdraw_attester(two.journal, ACTOR, told, PEOPLE, AT)
    withdraw_attester(two.journal, ACTOR, told, PEOPLE, AT, order_for(told.told()))
    assert not list(two.standing().of(Person, AT))
    assert list(two.standing().ever(Person))
    assert may_act(two.standing(), PEOPLE, AT) == frozenset()


@pytest.mark.parametrize("kid", ["ab" * 32, ""])
def test_refuses_to_withdraw_whom_nobody_enrolled(book: StandingBook, kid: str) -> None:
    with pytest.raises(NotPermitted, match="stands"):
        withdraw_attester(book.journal, ACTOR, Withdrawal(kid=kid, because="x"), PEOPLE, AT)


def test_the_first_are_enrolled_at_the_machine(book: StandingBook) -> None:
    book.enrol(BOB)
    attester = book.standing().attesters[BOB.kid]
    assert (attester.name, attester.party, attester.kinds, attester.since) == ("bob", "supplier-a", ORDERS, AT)
    assert (book.last()["act"], book.last()["kid"]) == ("EnrolAttester", BOB.kid)
    assert "order" not in book.last()
