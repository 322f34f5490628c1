"""What stands in the ledger of a ceremony: each record once, in turn; and nothing of it that can be changed unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from keybroker.ceremony.book import Book
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side
from keybroker.ceremony.steps import Step, WrongOrder, own_steps
from keybroker.errors import LedgerBroken, NotPermitted
from keybroker.keys.acts import Actor
from keybroker.ledger import tables
from keybroker.ledger.audit import read_records, verify
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.model import RecordKind
from keybroker.terms import CallerKind, KeyPurpose, PartyName
from tests.ceremony.plans import a_key, a_plan
from tests.ledger import books
from tests.situations import AT

ACTOR = Actor(identity="local:tests", kind=CallerKind.OPERATOR, party=PartyName("operator"))


def a_plan_of(name: str, label: str = "recovery") -> PlanFile:
    return a_plan(CeremonyKind.SPLIT, a_key(KeyPurpose.RECOVERY_COMMAND, label), name=name)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with books.a_book(tmp_path) as journal:
        yield Book(journal=journal, actor=ACTOR)


def an_entry(book: Book, plan_file: PlanFile, step: Step) -> Entry:
    held = book.get(plan_file.plan.name)
    return Entry(
        ceremony=plan_file.plan.name,
        plan_sha256=plan_file.sha256.hex(),
        ledger=book.journal.ledger.origin,
        side=Side.HERE.value,
        number=len(held.steps) + 1,
        step=step.name.value,
        at=AT,
        people=("somebody",),
        facts={},
        previous=held.previous,
    )


def conclude_next(book: Book, plan_file: PlanFile) -> Entry:
    step = book.get(plan_file.plan.name).progress.next
    assert step is not None
    book.begin(plan_file.plan.name, step, {}, AT)
    entry = an_entry(book, plan_file, step)
    book.conclude(step, entry, {"somebody": b"signed"}, AT)
    return entry


def refusals(book: Book) -> list[str]:
    records = map(decode, (each.octets for each in read_records(book.journal.ledger, 0, 100)))
    return [str(each["body"]["reason"]) for each in records if each["kind"] == RecordKind.REFUSAL]  # type: ignore[index,call-overload]


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
def test_refuses_a_second_ceremony_on_the_same_key_and_a_name_that_was_used(book: Book) -> None:
    book.open(a_plan_of("one"), Side.HERE, AT)
    for other in (a_plan_of("two"), a_plan_of("one", "contingency")):
        with pytest.raises(NotPermitted):
            book.open(other, Side.HERE, AT)
    assert len(refusals(book)) == 2
    book.abort("one", "as the test wants it", AT)
    book.open(a_plan_of("two"), Side.HERE, AT)
    with pytest.raises(NotPermitted, match="used once"):
        book.open(a_plan_of("one"), Side.HERE, AT)


def test_refuses_a_step_that_is_not_the_next_one_and_one_that_was_not_begun(book: Book) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    first, second, *_ = own_steps(plan_file.plan, Side.HERE)
    with pytest.raises(WrongOrder):
        book.begin("one", second, {}, AT)
    with pytest.raises(WrongOrder):
        book.conclude(first, an_entry(book, plan_file, first), {}, AT)
    book.begin("one", first, {}, AT)
    with pytest.raises(WrongOrder):
        book.conclude(second, an_entry(book, plan_file, second), {}, AT)


OTHERS: dict[str, Callable[[Entry], Entry]] = {
    "of another number": lambda entry: replace(entry, number=7),
    "after another": lambda entry: replace(entry, previous="ab" * 32),
    "of another plan": lambda entry: replace(entry, plan_sha256="ab" * 32),
    "of another side": lambda entry: replace(entry, side="source"),
    "earlier than the one before": lambda entry: replace(entry, at=entry.at - timedelta(seconds=1)),
}


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_refuses_an_entry(book: Book, change: Callable[[Entry], Entry]) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    conclude_next(book, plan_file)
    step = book.get("one").progress.next
    assert step is not None
    book.begin("one", step, {}, AT)
    with pytest.raises(NotPermitted):
        book.conclude(step, change(an_entry(book, plan_file, step)), {}, AT)
    assert len(book.get("one").steps) == 1
    assert len(refusals(book)) == 1


def test_refuses_to_abort_what_another_process_conducts(book: Book) -> None:
    book.open(a_plan_of("one"), Side.HERE, AT)
    with closing(book.journal.ledger.hold_ceremony("one")):
        with pytest.raises(NotPermitted, match="another process"):
            book.abort("one", "as the test wants it", AT)
        with pytest.raises(NotPermitted, match="another process"):
            book.journal.ledger.hold_ceremony("one")
    book.abort("one", "as the test wants it", AT)
    assert book.get("one").state == "aborted"


def test_what_a_step_changes_and_its_conclusion_are_one(book: Book) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    step = own_steps(plan_file.plan, Side.HERE)[0]
    book.begin("one", step, {}, AT)

    def refuse(_turn: object) -> None:
        raise NotPermitted("the register says no")

    with pytest.raises(NotPermitted, match="says no"):
        book.conclude(step, an_entry(book, plan_file, step), {}, AT, refuse)
    held = book.get("one")
    assert held.begun
    assert not held.steps


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
def test_a_ceremony_to_its_end_verifies_and_frees_its_keys(book: Book) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    entries = [conclude_next(book, plan_file) for _ in own_steps(plan_file.plan, Side.HERE)]
    assert book.get("one").state == "done"
    assert [entry.previous for entry in entries[1:]] == [entry.sha256 for entry in entries[:-1]]
    with pytest.raises(NotPermitted):
        book.abort("one", "too late", AT)
    book.open(a_plan_of("two"), Side.HERE, AT)
    verify(book.journal.ledger, AT)


@pytest.mark.parametrize(
    ("people", "signed"),
    [(("admin-1",), ()), (("admin-1", "witness-1"), ("admin-1",)), (("admin-1",), ("admin-1", "thief")), ((), ())],
)
def test_verifying_finds_a_step_that_not_exactly_those_signed_whom_it_names(
    book: Book, people: tuple[str, ...], signed: tuple[str, ...]
) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    step = own_steps(plan_file.plan, Side.HERE)[0]
    book.begin("one", step, {}, AT)
    entry = replace(an_entry(book, plan_file, step), people=people)
    book.conclude(step, entry, dict.fromkeys(signed, b"signed"), AT)
    with pytest.raises(LedgerBroken, match="signatures of the entry's people"):
        verify(book.journal.ledger, AT)


TABLES = {
    "another plan": update(tables.ceremony).values(plan="kind"),
    "another state": update(tables.ceremony).values(state="done"),
    "another entry": update(tables.ceremony_step).values(entry="{}"),
    "another step": update(tables.ceremony_step).values(step="close"),
    "another beginning": update(tables.ceremony_step).values(given='{"nonce":"00"}'),
    "a beginning that is nothing": update(tables.ceremony_step).values(given="{"),
    "another signature": update(tables.ceremony_step).values(signatures="{}"),
    "a key that it does not hold": insert(tables.ceremony_key).values(label="another", name="one"),
    "a key that it holds left out": text("DELETE FROM ceremony_key"),
    "a step the less": text("DELETE FROM ceremony_step"),
    "no ceremony": text("DELETE FROM ceremony"),
}


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_verifying_finds_in_the_tables(book: Book, change: object) -> None:
    plan_file = a_plan_of("one")
    book.open(plan_file, Side.HERE, AT)
    conclude_next(book, plan_file)
    verify(book.journal.ledger, AT)
    book.journal.ledger.transact(lambda turn: turn.connection.execute(change))  # type: ignore[call-overload]
    with pytest.raises(LedgerBroken, match="ceremony"):
        verify(book.journal.ledger, AT)
