"""A key that a ceremony makes, step by step, with nobody judged: for tests of who acted on it."""

from __future__ import annotations

from functools import partial

from keybroker.ceremony.book import Book
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side
from keybroker.keys.acts import Act, Actor, KeyGenerated, OrderKey
from keybroker.keys.administration import administer_in
from keybroker.keys.life_acts import CeremonyWord
from keybroker.ledger.journal import Journal
from keybroker.ledger.turn import Turn
from keybroker.terms import CallerKind, KeyLabel, KeyPurpose, PartyName, Provenance
from tests.ceremony.plans import a_key, a_plan
from tests.situations import AT, a_point

ACTOR = Actor(identity="local:tests", kind=CallerKind.OPERATOR, party=PartyName("supplier-a"))
PURPOSE = KeyPurpose.SUPPLIER_PRE_COMMAND


def make_in_ceremony(
    journal: Journal, label: KeyLabel, *, performers: tuple[str, ...], others: tuple[str, ...]
) -> None:
    """``performers`` sign for the step that makes the key, ``others`` for the steps before and after it."""
    book = Book(journal=journal, actor=ACTOR)
    plan_file = a_plan(CeremonyKind.GENERATE, a_key(PURPOSE, label))
    order = OrderKey(label=label, purpose=PURPOSE, party=ACTOR.party)
    made = KeyGenerated(label=label, public_key=a_point(7), provenance=Provenance.GENERATED)
    book.open(plan_file, Side.HERE, AT)
    for people, acts in ((others, ()), (others, ()), (performers, (order, made)), (others, ())):
        _conclude_next(book, plan_file, people, acts)


def _conclude_next(book: Book, plan_file: PlanFile, people: tuple[str, ...], acts: tuple[Act, ...]) -> None:
    name, held = plan_file.plan.name, book.get(plan_file.plan.name)
    step = held.progress.next
    assert step is not None
    book.begin(name, step, {}, AT)
    entry = Entry(
        ceremony=name,
        plan_sha256=plan_file.sha256.hex(),
        ledger=book.journal.ledger.origin,
        side=Side.HERE.value,
        number=len(held.steps) + 1,
        step=step.name.value,
        at=AT,
        people=people,
        facts={},
        previous=held.previous,
    )
    word = CeremonyWord(ceremony=name, entry=bytes.fromhex(entry.sha256))
    book.conclude(step, entry, dict.fromkeys(people, b"signed"), AT, partial(_change, book.journal, word, acts))


def _change(journal: Journal, word: CeremonyWord, acts: tuple[Act, ...], turn: Turn) -> None:
    for act in acts:
        administer_in(turn, journal, ACTOR, act, AT, ceremony=word)
