"""Whoever signed for the step of a ceremony that changed a key acted on it, as whoever ordered an act did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybroker.keys.administration import administer
from keybroker.keys.standing import read_standing
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.terms import KeyLabel, KeyState
from tests.keys import living
from tests.keys.living import ACTOR, LABEL, NEXT, RENEW, RETIRE, TO, WORD, do, successor, two_orders
from tests.keys.made_in_ceremony import make_in_ceremony
from tests.keys.restoring import FIRST, SECOND, enrol
from tests.ledger import books
from tests.situations import AT


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        yield journal
        audit.verify(journal.ledger, AT)


def people_of(journal: Journal) -> set[tuple[str, str]]:
    with journal.ledger.read() as connection:
        acts = read_standing(connection).acts
    assert {act.at for act in acts} <= {AT}
    return {(act.person, act.subject) for act in acts}


@pytest.mark.clause("G3.23", "G3.24", shows="acceptance")
def test_the_people_of_the_very_step_that_made_a_key_are_remembered_and_no_others(journal: Journal) -> None:
    make_in_ceremony(journal, KeyLabel("made"), performers=("admin-1", "witness-1"), others=("auditor-1",))
    assert people_of(journal) == {("admin-1", "key:made"), ("witness-1", "key:made")}


def test_of_a_renewal_they_are_remembered_for_both_keys(journal: Journal) -> None:
    living.open_ceremony(journal, LABEL, NEXT)
    do(journal, *TO[KeyState.ACTIVE], *successor())
    assert people_of(journal) == set()
    administer(journal, ACTOR, RENEW, AT, ceremony=WORD)
    assert people_of(journal) == {("somebody", f"key:{LABEL}"), ("somebody", f"key:{NEXT}")}


def test_acts_by_order_on_a_key_that_a_ceremony_holds_are_those_of_whoever_ordered_them(journal: Journal) -> None:
    living.open_ceremony(journal, LABEL)
    do(journal, *TO[KeyState.ACTIVE])
    administer(journal, ACTOR, RETIRE, AT, two_orders(RETIRE))
    assert people_of(journal) == {(FIRST, f"key:{LABEL}"), (SECOND, f"key:{LABEL}:second")}
