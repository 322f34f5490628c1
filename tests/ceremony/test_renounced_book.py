"""What stands in the ledger of a transfer that was given back: no abort without a word for it, and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.book import Book
from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side
from keybroker.ceremony.steps import RENOUNCE, Step, StepName, WrongOrder
from keybroker.errors import LedgerBroken, NotPermitted
from keybroker.keys.evidence import record_act
from keybroker.ledger import ceremonies
from keybroker.ledger.audit import verify
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import ABORT, ABORTED, BEGIN_STEP
from keybroker.ledger.turn import Turn
from keybroker.terms import KeyState
from tests.ceremony.plans import a_key, a_plan
from tests.ceremony.test_book import ACTOR, an_entry
from tests.keys import living
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.situations import AT

NAME = "transfer-contingency"
OFFER = "0f" * 32
WITHHELD: Mapping[str, Json] = {"offer": OFFER}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        yield Book(journal=journal, actor=ACTOR)


def opened(book: Book, side: Side) -> PlanFile:
    plan_file = a_plan(CeremonyKind.TRANSFER, a_key(living.PURPOSE, living.LABEL, public_key_sha256="ab" * 32))
    book.open(plan_file, side, AT)
    return plan_file


def conclude(book: Book, plan_file: PlanFile, step: Step) -> None:
    side = book.get(NAME).side
    entry = replace(an_entry(book, plan_file, step), side=side.value, facts=WITHHELD)
    book.conclude(step, entry, {"somebody": b"signed"}, AT)


def until(book: Book, plan_file: PlanFile, name: StepName, *, concluded: bool = True) -> None:
    """That step is begun, or concluded."""
    while True:
        step = book.get(NAME).progress.next
        assert step is not None
        book.begin(NAME, step, {}, AT)
        if step.name is name and not concluded:
            return
        conclude(book, plan_file, step)
        if step.name is name:
            return


@pytest.mark.parametrize("concluded", [False, True], ids=["begun", "concluded"])
def test_refuses_to_abort_a_destination_that_offered_and_a_source_that_wrapped(book: Book, concluded: bool) -> None:
    plan_file = opened(book, Side.DESTINATION)
    until(book, plan_file, StepName.OFFER_WRAPPING_KEY, concluded=concluded)
    with pytest.raises(NotPermitted, match="destroyed and renounced"):
        book.abort(NAME, "too late", AT)
    with pytest.raises(NotPermitted, match="no wrapped key left"):
        book.abort(NAME, "not its own", AT, b"a renunciation")


@pytest.mark.parametrize("concluded", [False, True], ids=["begun", "concluded"])
def test_refuses_to_abort_a_source_that_wrapped_by_what_is_no_renunciation(book: Book, concluded: bool) -> None:
    plan_file = opened(book, Side.SOURCE)
    until(book, plan_file, StepName.WRAP_KEY, concluded=concluded)
    with pytest.raises(NotPermitted, match="the wrapped key may have left"):
        book.abort(NAME, "too late", AT)
    with pytest.raises(NotPermitted, match="not relied on: unreadable"):
        book.abort(NAME, "too late", AT, b"no renunciation")
    assert book.get(NAME).state == "open"


def test_a_destination_that_renounces_gives_up_what_it_had_begun_and_goes_on_with_nothing_else(book: Book) -> None:
    plan_file = opened(book, Side.DESTINATION)
    with pytest.raises(WrongOrder):
        book.renounce(NAME, "there is nothing", AT)
    until(book, plan_file, StepName.IMPORT_KEY, concluded=False)
    imports = book.get(NAME).progress.next
    assert imports is not None
    book.renounce(NAME, "the contract lasts", AT)
    held = book.get(NAME)
    assert (held.renounces, held.begun, held.progress.next, held.given) == (
        True,
        True,
        RENOUNCE,
        {"because": "the contract lasts"},
    )
    with pytest.raises(WrongOrder):
        conclude(book, plan_file, imports)
    with pytest.raises(WrongOrder):
        book.renounce(NAME, "again", AT)
    with pytest.raises(NotPermitted, match="go on, so that the source learns"):
        book.abort(NAME, "otherwise", AT)
    verify(book.journal.ledger, AT)
    conclude(book, plan_file, RENOUNCE)
    held = book.get(NAME)
    assert (held.state, held.renounced, held.progress.next) == ("aborted", True, None)
    verify(book.journal.ledger, AT)
    with pytest.raises(WrongOrder):
        book.begin(NAME, imports, {}, AT)


def test_a_source_whose_keys_are_compromised_is_aborted_by_that(book: Book) -> None:
    living.do(book.journal, *living.TO[KeyState.ACTIVE])
    plan_file = opened(book, Side.SOURCE)
    until(book, plan_file, StepName.SETTLE_SOURCE, concluded=False)
    with pytest.raises(NotPermitted, match="or give the destination's --renunciation"):
        book.abort(NAME, "the destination is gone", AT)
    living.do(book.journal, living.COMPROMISE)
    book.abort(NAME, "the destination is gone", AT)
    assert book.get(NAME).state == "aborted"
    verify(book.journal.ledger, AT)


ABORTS: dict[str, tuple[Side, StepName, dict[str, Json], str]] = {
    "a source, by nothing": (Side.SOURCE, StepName.WRAP_KEY, {}, "expected the renunciation"),
    "a source, by a word": (Side.SOURCE, StepName.WRAP_KEY, {"compromised": True}, "expected the renunciation"),
    "a source, by another entry": (
        Side.SOURCE,
        StepName.WRAP_KEY,
        {"renunciation": {"entry": '{"facts":{},"step":"close"}'}},
        "expected the renunciation",
    ),
    "a source, by no entry": (Side.SOURCE, StepName.WRAP_KEY, {"renunciation": {"entry": "{"}}, "the renunciation"),
    "a destination": (Side.DESTINATION, StepName.OFFER_WRAPPING_KEY, {}, "expected a renunciation that ends"),
}


@pytest.mark.parametrize(("side", "step", "more", "told"), ABORTS.values(), ids=ABORTS)
def test_verifying_finds_an_abort_that_nobody_gave_the_word_for(
    book: Book, side: Side, step: StepName, more: dict[str, Any], told: str
) -> None:
    plan_file = opened(book, side)
    until(book, plan_file, step)
    body: dict[str, Json] = {"act": ABORT, "because": "x", "ceremony": NAME, **more}

    def work(turn: Turn) -> None:
        record_act(turn, book.journal, ACTOR, AT, body)
        ceremonies.write_state(turn.connection, NAME, ABORTED)

    verify(book.journal.ledger, AT)
    book.journal.ledger.transact(work)
    with pytest.raises(LedgerBroken, match=told):
        verify(book.journal.ledger, AT)


def test_verifying_finds_a_step_behind_a_renunciation(book: Book) -> None:
    plan_file = opened(book, Side.DESTINATION)
    until(book, plan_file, StepName.OFFER_WRAPPING_KEY)
    book.renounce(NAME, "the contract lasts", AT)
    number = len(book.get(NAME).steps) + 2
    told: dict[str, Json] = {"act": BEGIN_STEP, "ceremony": NAME, "given": {}, "number": number, "step": "import-key"}

    def work(turn: Turn) -> None:
        receipt = record_act(turn, book.journal, ACTOR, AT, told)
        ceremonies.write_begun(turn.connection, NAME, number, "import-key", {}, receipt.leaf_index)

    book.journal.ledger.transact(work)
    with pytest.raises(LedgerBroken, match="concluded"):
        verify(book.journal.ledger, AT)
