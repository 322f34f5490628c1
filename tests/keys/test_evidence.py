"""Statements come in once, are held until they lapse or are withdrawn, and every refusal is on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keybroker.errors import NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.keys.withdrawal import StatementWithdrawal
from keybroker.ledger.record import order_target
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, Person
from tests.keys.standing_book import ALICE, BOB, OFFICER, StandingBook, a_standing_book
from tests.ledger import books
from tests.statement.attested import AT, DAY, a_location, a_person, an_order, encoded, parts, resigned

ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def book(tmp_path: Path) -> Iterator[StandingBook]:
    with a_standing_book(tmp_path) as book:
        yield book
        book.check()


def turned_about(compact: bytes) -> bytes:
    """The same statement with n - s for s."""
    _, _, signature = parts(compact)
    s = ORDER_OF_P256 - int.from_bytes(signature[32:], "big")
    return compact.rpartition(b".")[0] + b"." + encoded(signature[:32] + s.to_bytes(32, "big"))


def refused(book: StandingBook, octets: bytes, kind: StatementKind) -> str:
    """Its flaw; it is on record, and nothing else has changed."""
    before, version = book.standing(), book.version()
    with pytest.raises(StatementRefused) as refusal:
        book.add(octets, kind)
    last = book.last()
    assert (last["kind"], last["act"], last["reason"]) == ("refusal", "AddStatement", "STATEMENT_REFUSED")
    assert last["flaw"] == refusal.value.flaw
    assert (book.standing(), book.version()) == (before, version)
    return refusal.value.flaw


@pytest.mark.parametrize("offered_as", sorted(set(StatementKind) - {StatementKind.LOCATION}))
def test_refuses_a_statement_of_one_kind_as_another(book: StandingBook, offered_as: StatementKind) -> None:
    octets = OFFICER.state(a_location("bob"))
    if offered_as in (
        StatementKind.SUPPLY_SENSITIVE_CHECK,
        StatementKind.THRESHOLD_NOTIFICATION,
        StatementKind.QUARANTINE_ACTION,
        StatementKind.QUARANTINE_REPORT,
    ):
        with pytest.raises(NotPermitted, match="is not added"):
            book.add(octets, offered_as)
    else:
        assert refused(book, octets, offered_as) == Flaw.KIND


def test_refuses_what_its_attester_may_not_state(book: StandingBook) -> None:
    octets = ALICE.state(a_location("alice"))
    assert refused(book, octets, StatementKind.LOCATION) == Flaw.ATTESTER_NOT_FOR_KIND


def test_refuses_a_statement_by_nobody_enrolled(book: StandingBook) -> None:
    assert refused(book, BOB.state(a_location("bob")), StatementKind.LOCATION) == Flaw.ATTESTER_UNKNOWN


@pytest.mark.parametrize("octets", [b"", b"{}", b"a.b.c", b"\xff" * 100, b"." * 40_000])
def test_refuses_and_records_what_is_no_statement(book: StandingBook, octets: bytes) -> None:
    assert refused(book, octets, StatementKind.LOCATION).startswith("STATEMENT_")


def test_refuses_the_same_statement_twice(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob"))
    book.add(octets, StatementKind.LOCATION)
    assert refused(book, octets, StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_it_again_with_other_signature_octets(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob"))
    book.add(octets, StatementKind.LOCATION)
    for again in (turned_about(octets), resigned(OFFICER, octets)):
        assert again != octets
        assert refused(book, again, StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_it_again_with_the_same_nonce_and_other_words(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob"))
    book.add(octets, StatementKind.LOCATION)
    assert refused(book, resigned(OFFICER, octets, site="leeds"), StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_it_again_after_it_was_withdrawn(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob"))
    book.add(octets, StatementKind.LOCATION)
    book.withdraw(book.standing().statements[-1].sha256)
    assert refused(book, octets, StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_it_again_after_a_restart(tmp_path: Path) -> None:
    octets = OFFICER.state(a_location("bob"))
    with a_standing_book(tmp_path) as book:
        book.add(octets, StatementKind.LOCATION)
        before = book.standing()
    with books.a_book(tmp_path, "worker-1") as journal:
        after = StandingBook(journal=journal)
        assert after.standing() == before
        assert refused(after, turned_about(octets), StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_it_again_by_a_renewed_attester(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob"))
    book.add(octets, StatementKind.LOCATION)
    book.enrol(BOB, frozenset({StatementKind.LOCATION}), name="officer")
    again = resigned(BOB, octets, header={"kid": BOB.kid})
    assert refused(book, again, StatementKind.LOCATION) == "STATEMENT_USED_BEFORE"


def test_refuses_to_withdraw_what_is_not_held(book: StandingBook) -> None:
    with pytest.raises(NotPermitted, match="no statement"):
        book.withdraw(bytes(32))


def test_where_two_may_act_a_withdrawal_is_ordered_and_not_by_whom_it_is_about(book: StandingBook) -> None:
    book.enrol(BOB)
    book.vouch_for(BOB)
    statement = book.standing().statements[-1]
    told = StatementWithdrawal(sha256=statement.sha256, because="test").told()
    orders = {who.name: who.state(an_order(str(told["act"]), order_target(told))) for who in (ALICE, BOB)}
    with pytest.raises(PersonMayNotAct, match="WithdrawStatement"):
        book.withdraw(statement.sha256)
    with pytest.raises(NotPermitted, match="another person"):
        book.withdraw(statement.sha256, order=orders["bob"])
    assert statement in book.standing().statements
    book.withdraw(statement.sha256, order=orders["alice"])
    assert statement not in book.standing().statements


def test_a_refused_statement_spends_nothing(book: StandingBook) -> None:
    octets = OFFICER.state(a_location("bob", at=AT + DAY))
    assert refused(book, octets, StatementKind.LOCATION) == Flaw.FUTURE
    book.at = AT + DAY
    book.add(octets, StatementKind.LOCATION)


def test_what_is_taken_in_is_held_whole_and_moves_the_register(book: StandingBook) -> None:
    said, version = a_location("bob"), book.version()
    octets = OFFICER.state(said)
    receipt = book.add(octets, StatementKind.LOCATION)
    statement = book.standing().statements[-1]
    assert (statement.payload, statement.leaf_index) == (said, receipt.leaf_index)
    assert book.version() == version + 1
    last = book.record(receipt.leaf_index)
    assert (last["act"], last["statement_kind"], last["attester"]) == ("AddStatement", "location", "officer")
    assert last["statement"] == octets.decode()
    assert last["sha256"] == statement.sha256.hex()


def test_what_is_withdrawn_is_held_no_more_and_says_why(book: StandingBook) -> None:
    book.take_in(a_location("bob"))
    statement, version = book.standing().statements[-1], book.version()
    book.withdraw(statement.sha256, "moved away")
    assert statement not in book.standing().statements
    assert (book.last()["because"], book.version()) == ("moved away", version + 1)
    with pytest.raises(NotPermitted):
        book.withdraw(statement.sha256)


def test_what_is_held_counts_until_it_lapses(book: StandingBook) -> None:
    standing = book.standing()
    assert {each.person for _, each in standing.of(Person, AT)} == {"alice"}
    (statement,) = (each for each, _ in standing.of(Location, AT))
    assert list(standing.of(Location, statement.payload.expires - timedelta(seconds=1)))
    assert not list(standing.of(Location, statement.payload.expires))
    unfit = standing.why_void(statement, statement.payload.expires)
    assert unfit is not None
    assert unfit.flaw is Flaw.LAPSED


def test_an_order_is_held_until_something_is_done_by_it(book: StandingBook) -> None:
    octets = ALICE.state(an_order())
    book.add(octets, StatementKind.ORDER)
    assert book.standing().statements[-1].kind is StatementKind.ORDER
    assert refused(book, octets, StatementKind.ORDER) == "STATEMENT_USED_BEFORE"


def test_two_people_with_one_nonce_are_two_statements(book: StandingBook) -> None:
    nonce = "A" * 24
    book.take_in(a_person("bob", nonce=nonce))
    book.enrol(BOB, frozenset({StatementKind.PERSON}))
    book.add(BOB.state(a_person("alice", nonce=nonce)), StatementKind.PERSON)
