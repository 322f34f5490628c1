"""Reviews of the audit log (SEC G2.26): by order of an auditor, forwards, within what is there, and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.orders import Ordered
from keybroker.keys.review import review_ledger
from keybroker.keys.standing import read_standing
from keybroker.ledger import audit
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.review_form import Review
from keybroker.ledger.reviews import last_review
from keybroker.statement.kind import StatementKind
from tests import evidence
from tests.keys.restoring import ACTOR, FIRST, PEOPLE, UNTIL, enrol, order_of, vouch_for
from tests.ledger.books import a_book
from tests.situations import AT

AUDITOR = "auditor-1"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    """With two administrators, and an auditor."""
    with a_book(tmp_path) as journal:
        certificate = evidence.attests(AUDITOR).certificate
        kinds = frozenset({StatementKind.ORDER})
        asked = Enrolment(name=AUDITOR, party="operator", certificate=certificate, kinds=kinds, until=UNTIL)
        enrol_attester(journal, ACTOR, asked, PEOPLE, evidence.BEFORE)
        enrol(journal)
        vouch_for(journal, AUDITOR, "operator", role="auditor")
        yield journal


def a_review(up_to: int = 3, *marked: int, because: str = "weekly: nothing out of the ordinary") -> Review:
    return Review(up_to=up_to, marked=marked, because=because)


def ordered(review: Review, by: str = AUDITOR, **changes: Any) -> Ordered:
    told: dict[str, Json] = {**review.told(), **changes}
    return Ordered(order=order_of(told, by), people=PEOPLE)


def do(journal: Journal, review: Review, given: Ordered | None = None) -> int:
    return review_ledger(journal, ACTOR, review, given or ordered(review), AT).leaf_index


def refusals(journal: Journal) -> list[str]:
    size = journal.head(AT).tree_size
    stored = [each for each in audit.read_records(journal.ledger, 0, size) if each.kind == "refusal"]
    return [json.loads(each.octets)["body"]["act"] for each in stored]


@pytest.mark.parametrize(
    "review",
    [
        a_review(10_000),
        a_review(-1),
        a_review(3, 4),
        a_review(3, because=" "),
    ],
    ids=["beyond the last record", "before the first", "marked behind it", "without words"],
)
def test_refuses_and_records_a_review_that_may_not_be(book: Journal, review: Review) -> None:
    with pytest.raises(NotPermitted, match=r"G2\.26"):
        do(book, review)
    assert refusals(book) == ["ReviewLedger"]
    audit.verify(book.ledger, AT)


def test_refuses_to_go_backwards(book: Journal) -> None:
    do(book, a_review(3))
    with pytest.raises(NotPermitted, match="between 3 and"):
        do(book, a_review(2))


def test_refuses_a_review_that_nobody_ordered(book: Journal) -> None:
    with pytest.raises(PersonMayNotAct, match="person-orders-act"):
        review_ledger(book, ACTOR, a_review(), None, AT)


def test_refuses_the_order_of_somebody_who_is_no_auditor(book: Journal) -> None:
    """Whoever runs a deployment does not review what he did."""
    review = a_review()
    with pytest.raises(PersonMayNotAct, match="role"):
        do(book, review, ordered(review, FIRST))


def test_refuses_an_order_for_another_review(book: Journal) -> None:
    review = a_review(3, 2)
    with pytest.raises(StatementRefused, match="ORDER_FOR_ANOTHER_ACT"):
        do(book, review, ordered(review, marked=[]))


def test_refuses_an_order_that_was_used(book: Journal) -> None:
    review = a_review()
    given = ordered(review)
    do(book, review, given)
    with pytest.raises(StatementRefused, match="USED_BEFORE"):
        do(book, review, given)


def test_records_who_reviewed_up_to_where_and_what_was_marked(book: Journal) -> None:
    before = last_review(book.ledger)
    assert (before.up_to, before.unreviewed) == (None, book.head(AT).tree_size)
    index = do(book, a_review(5, 2, 4))
    stored = book.find(index)
    assert stored is not None
    body = json.loads(stored.octets)["body"]
    assert (body["act"], body["up_to"], body["marked"], body["order"]["attester"]) == (
        "ReviewLedger",
        5,
        [2, 4],
        AUDITOR,
    )
    found = last_review(book.ledger)
    assert (found.up_to, found.person, found.unreviewed) == (5, AUDITOR, index - 5)
    audit.verify(book.ledger, AT)


def test_a_review_makes_nobody_one_of_those_who_run_it(book: Journal) -> None:
    do(book, a_review())
    with book.ledger.read() as connection:
        assert AUDITOR not in {act.person for act in read_standing(connection).acts}


@pytest.mark.parametrize(("days", "overdue"), [(0, False), (31, False), (32, True)])
def test_a_review_is_overdue_after_so_many_days(book: Journal, days: int, overdue: bool) -> None:
    do(book, a_review())
    assert last_review(book.ledger).is_overdue(31, AT + timedelta(days=days)) is overdue


def test_a_ledger_that_nobody_ever_reviewed_is_overdue_since_it_began(tmp_path: Path) -> None:
    with a_book(tmp_path) as journal:
        found = last_review(journal.ledger)
    assert (found.since, found.is_overdue(31, AT + timedelta(days=32))) == (AT, True)
