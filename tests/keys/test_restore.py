"""A restore by two people: who may not order it, for which head, how often; and what it leaves void."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from keybroker.errors import KeybrokerError, LedgerBroken, PersonMayNotAct
from keybroker.keys.administration import OrderKey
from keybroker.keys.attesters import Enrolment, Withdrawal, enrol_attester, withdraw_attester
from keybroker.keys.restore import restore_ledger
from keybroker.keys.standing import read_standing
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger import audit, tables
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.restore_form import MARGIN
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, Person
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, PartyName
from tests import evidence
from tests.keys.ordering import act_on_key
from tests.keys.restoring import (
    ACTOR,
    FIRST,
    PEOPLE,
    SECOND,
    UNTIL,
    PutBack,
    an_order,
    back_up,
    behind,
    enrol,
    order_of,
    orders,
    put_back,
    start,
    vouch,
)
from tests.ledger import books
from tests.ledger.books import a_request, sign
from tests.situations import AT, packaged_policies

LATER = AT + timedelta(hours=2)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PutBack]:
    """Two signatures came after the back-up: an intent and an outcome each."""
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        start(journal)
        sign(journal, a_request("a"))
        older = back_up(journal, tmp_path / "older")
        sign(journal, a_request("b"), a_request("c"))
        remembered = journal.head(AT)
    with put_back(older, remembered) as stage:
        yield stage


def for_another_head(stage: PutBack) -> list[bytes]:
    """Remembered of another loss."""
    assert stage.remembered is not None
    return orders(behind(stage.journal, replace(stage.remembered, tree_size=stage.remembered.tree_size + 1)))


REFUSED: dict[str, tuple[Callable[[PutBack], list[bytes]], str]] = {
    "no order": (lambda _: [], "expected two orders, found 0"),
    "one order": (lambda it: orders(it.behind)[:1], "expected two orders, found 1"),
    "three orders": (lambda it: [*orders(it.behind), an_order(it.behind, FIRST)], "expected two orders, found 3"),
    "the same order twice": (lambda it: orders(it.behind)[:1] * 2, "two of them, found administrator-a twice"),
    "two orders of one person": (lambda it: [an_order(it.behind, FIRST) for _ in range(2)], "administrator-a twice"),
    "orders for another head": (for_another_head, "ORDER_FOR_ANOTHER_ACT"),
    "orders of another act": (
        lambda it: [an_order(it.behind, by, act="EnrolAttester") for by in (FIRST, SECOND)],
        "ORDER_FOR_ANOTHER_ACT",
    ),
    "lapsed orders": (lambda it: orders(it.behind, at=AT - timedelta(days=2)), "LAPSED"),
    "orders of tomorrow": (lambda it: orders(it.behind, at=AT + timedelta(days=1)), "FUTURE"),
    "no orders at all": (lambda _: [b"order", b"order"], "NOT_COMPACT"),
}


@pytest.mark.clause("G2.22B(b)", shows="refusal")
@pytest.mark.parametrize("case", REFUSED)
def test_refuses(stage: PutBack, case: str) -> None:
    given, why = REFUSED[case]
    size = stage.journal.head(AT).tree_size
    with pytest.raises(KeybrokerError, match=why):
        stage.restore(*given(stage))
    refusal = stage.journal.find(size)
    assert refusal is not None
    assert refusal.kind == "refusal"
    assert decode(refusal.octets)["body"]["act"] == "RestoreLedger"  # type: ignore[index, call-overload]
    with pytest.raises(LedgerBroken, match=r"rolled back|does not extend"):
        check_anchor(stage.journal.ledger, stage.remembered)


def test_refuses_somebody_who_is_no_administrator_here(stage: PutBack) -> None:
    """An attester of orders of whom nobody says that he may act."""
    certificate = evidence.attests("stranger").certificate
    kinds = frozenset({StatementKind.ORDER})
    asked = Enrolment(name="stranger", party="operator", certificate=certificate, kinds=kinds, until=UNTIL)
    enrol_attester(stage.journal, ACTOR, asked, PEOPLE, AT, order_of(asked.told(), FIRST))
    with pytest.raises(KeybrokerError, match="stranger may not act"):
        stage.restore(an_order(stage.behind, FIRST), an_order(stage.behind, "stranger"))


def test_refuses_somebody_who_was_withdrawn_in_the_ledger_that_was_put_back(stage: PutBack) -> None:
    asked = Withdrawal(kid=evidence.an_attester(SECOND).kid, because="left")
    withdraw_attester(stage.journal, ACTOR, asked, PEOPLE, AT, order_of(asked.told(), FIRST))
    with pytest.raises(KeybrokerError, match="withdrawn"):
        stage.restore(*orders(stage.behind))


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_where_keys_in_scope_are_held_whoever_restores_is_in_the_united_kingdom(stage: PutBack) -> None:
    """SEC G3.23: a restore decides what the module remembers."""
    wanted = OrderKey(
        label=KeyLabel("supplier-b"),
        purpose=KeyPurpose.SUPPLIER_PRE_COMMAND,
        party=PartyName("supplier-b"),
        eui=EntityIdentifier.from_text("02-7E-57-00-00-00-03-01"),
    )
    act_on_key(stage.journal, ACTOR, wanted, AT)
    with stage.journal.ledger.read() as connection:
        held = read_standing(connection).ever(Location)
        (said,) = (each.sha256 for each, where in held if where.subject == SECOND)
    gone = StatementWithdrawal(sha256=said, because="moved")
    withdraw_statement(stage.journal, ACTOR, gone, PEOPLE, AT, order_of(gone.told(), FIRST))
    with pytest.raises(PersonMayNotAct, match=f"{SECOND} may not act: person-in-united-kingdom"):
        stage.restore(*orders(stage.behind))


def test_refuses_where_nothing_is_behind(tmp_path: Path) -> None:
    with books.a_book(tmp_path, "operator") as journal:
        enrol(journal)
        for remembered in (None, journal.head(AT)):
            with pytest.raises(KeybrokerError, match="nothing to restore"):
                restore_ledger(journal, ACTOR, remembered, [], PEOPLE, packaged_policies(), AT)


@pytest.mark.clause("G2.22B(b)", shows="acceptance")
def test_two_people_restore_it_once_and_what_was_issued_before_is_void(stage: PutBack) -> None:
    told = stage.behind
    given = orders(told)
    assert told.lost >= 4
    restored = stage.restore(*given)
    assert restored.lost == told.lost
    record = stage.journal.find(restored.leaf_index)
    assert record is not None
    act = decode(record.octets)["body"]
    assert isinstance(act, dict)
    assert {name: act[name] for name in told.told()} == told.told()
    assert (act["lost"], act["by"]) == (told.lost, told.lost + MARGIN)
    assert [each["statement"] for each in act["orders"]] == [each.decode() for each in given]  # type: ignore[union-attr, index, call-overload]
    audit.verify(stage.journal.ledger, AT)
    with stage.journal.ledger.read() as connection:
        standing = read_standing(connection)
        acts = {(row.subject, row.person) for row in connection.execute(select(tables.person_act))}
    assert list(standing.of(Person, AT)) == []
    assert len(list(standing.ever(Person))) == 2
    assert acts == {("ledger", FIRST), ("ledger:second", SECOND)}


def test_nobody_may_act_afterwards_until_the_officer_vouches_anew(stage: PutBack) -> None:
    stage.restore(*orders(stage.behind))
    asked = Withdrawal(kid=evidence.an_attester(SECOND).kid, because="left")
    with pytest.raises(KeybrokerError, match="may not act"):
        withdraw_attester(stage.journal, ACTOR, asked, PEOPLE, LATER, order_of(asked.told(), FIRST, at=LATER))
    vouch(stage.journal, LATER)
    withdraw_attester(stage.journal, ACTOR, asked, PEOPLE, LATER, order_of(asked.told(), FIRST, at=LATER))
    audit.verify(stage.journal.ledger, AT)


def test_evidence_of_the_very_second_of_the_restore_is_void_too(stage: PutBack) -> None:
    at = AT + timedelta(microseconds=300_000)
    stage.restore(*orders(stage.behind), at=at)
    vouch(stage.journal, AT + timedelta(seconds=1))
    with stage.journal.ledger.read() as connection:
        standing = read_standing(connection)
    assert standing.restored_at == AT + timedelta(seconds=1)
    assert len(list(standing.of(Person, AT + timedelta(seconds=2)))) == 2


def test_refused_attempts_spoil_no_order_and_other_acts_do(stage: PutBack) -> None:
    given = orders(stage.behind)
    for _ in range(2):
        with pytest.raises(KeybrokerError, match="found 1"):
            stage.restore(given[0])
    told = stage.behind
    vouch(stage.journal, AT)
    assert stage.behind.tree_size > told.tree_size
    with pytest.raises(KeybrokerError, match="ORDER_FOR_ANOTHER_ACT"):
        stage.restore(*given)
    stage.restore(*orders(stage.behind))


def test_operators_acts_after_the_back_up_was_put_back_hide_no_loss(stage: PutBack) -> None:
    """They may make the ledger longer than what is remembered: it is another history all the same."""
    lost = stage.behind.lost
    for _ in range(3):
        vouch(stage.journal, AT)
    told = stage.behind
    assert told.tree_size > told.remembered_size
    assert told.lost == lost
    restored = stage.restore(*orders(told))
    assert restored.lost == lost
    audit.verify(stage.journal.ledger, AT)


def test_the_same_orders_finish_what_was_recorded_and_no_others_do(stage: PutBack) -> None:
    """Whoever died between record and module gives them again, lapsed or not."""
    told = stage.behind
    given = orders(told)
    restored = stage.restore(*given)
    size = stage.journal.head(AT).tree_size
    with pytest.raises(LedgerBroken, match="finish it, keybroker ledger restore"):
        check_anchor(stage.journal.ledger, stage.remembered)
    assert stage.restore(*reversed(given), at=AT + timedelta(days=30)) == restored
    assert stage.journal.head(AT).tree_size == size
    with pytest.raises(KeybrokerError, match="by other orders"):
        stage.restore(given[0], an_order(told, SECOND))
    audit.verify(stage.journal.ledger, AT)


def test_orders_that_restored_are_used_whatever_comes_after(stage: PutBack, tmp_path: Path) -> None:
    """The same back-up put back a second time, with what is remembered now."""
    again = back_up(stage.journal, tmp_path / "again")
    given = orders(stage.behind)
    stage.restore(*given)
    remembered = stage.journal.head(AT)
    with put_back(again, remembered) as second, pytest.raises(KeybrokerError, match="ORDER_FOR_ANOTHER_ACT"):
        second.restore(*given)
    start(stage.journal)
    lost = PutBack(stage.journal, None)
    with pytest.raises(KeybrokerError, match="STATEMENT_BEFORE_RESTORE"):
        lost.restore(*given)


def test_a_head_that_was_taken_away_is_restored_by_two_people_too(stage: PutBack) -> None:
    lost = PutBack(stage.journal, None)
    told = lost.behind
    assert (told.remembered_size, told.lost) == (0, 0)
    given = orders(told)
    restored = lost.restore(*given)
    assert lost.restore(*given) == restored
    start(stage.journal)
    # Served since: the next loss is another one.
    assert lost.behind.tree_size > told.tree_size


def test_a_ledger_that_the_broker_served_on_is_no_back_up(stage: PutBack) -> None:
    for number in range(5):
        sign(stage.journal, a_request(f"other-{number}"))
    with pytest.raises(LedgerBroken, match="no back-up of the ledger that is remembered"):
        stage.restore(b"", b"")
