"""Section G: no clause is missing, each says why it is where it is, and what is in scope is claimed."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

from scripts.assurance_parts.case import read_case
from scripts.assurance_parts.numbers import placed
from scripts.assurance_parts.section_g import Clause, Leaf, Scope, SectionG, leaves, read_numbers, read_section_g
from tests.architecture.sources import ROOT


@cache
def the_section() -> SectionG:
    return read_section_g(ROOT)


@cache
def the_leaves() -> tuple[Leaf, ...]:
    return tuple(leaves(the_section(), read_numbers(ROOT), read_case(ROOT)))


def test_the_list_has_every_section_and_counts_on_in_each() -> None:
    """What the text numbers: without a gap, but for letters such as G2.22A that follow their number."""
    found = [placed(number) for number in read_numbers(ROOT)]
    assert found == sorted(found)
    last = {section: max(number for s, number, _, _ in found if s == section) for section in range(1, 12)}
    assert last == {1: 15, 2: 62, 3: 29, 4: 8, 5: 28, 6: 10, 7: 25, 8: 64, 9: 42, 10: 9, 11: 12}
    for section, until in last.items():
        assert {number for s, number, _, _ in found if s == section} == set(range(1, until + 1))


def test_every_clause_of_section_g_is_accounted_for_in_its_section_and_its_order() -> None:
    told = [number for section in the_section().section.values() for number in section.clauses]
    assert told == list(read_numbers(ROOT))
    strayed = [n for name, section in the_section().section.items() for n in section.clauses if n.split(".")[0] != name]
    assert strayed == []


def test_a_part_that_is_another_than_its_clause_is_a_part_of_it() -> None:
    numbers = read_numbers(ROOT)
    parts = [(number, letter) for number, clause in the_section().clauses.items() for letter in clause.parts]
    assert [(number, letter) for number, letter in parts if letter not in numbers[number]] == []


def test_what_is_in_scope_is_claimed() -> None:
    assert [leaf.number for leaf in the_leaves() if leaf.part.scope is Scope.IN and not leaf.claims] == []


def test_what_is_claimed_is_in_scope() -> None:
    exactly = {number for leaf in the_leaves() for claim in leaf.claims for number in claim.clauses}
    assert [leaf.number for leaf in the_leaves() if leaf.part.scope is not Scope.IN and leaf.number in exactly] == []


def test_no_reason_stands_there_for_nothing() -> None:
    used = {leaf.part.why or leaf.part.gives for leaf in the_leaves()}
    assert (set(the_section().because) | set(the_section().gives)) - used == set()


def test_a_reason_is_a_sentence_or_a_word_of_the_tables() -> None:
    told = {the_section().why(leaf.part) or the_section().given(leaf.part) for leaf in the_leaves()} - {""}
    assert [reason for reason in told if not reason.endswith(".")] == []


CLAUSE: dict[str, Any] = {"says": "something", "scope": "in scope"}


@pytest.mark.parametrize(
    "changed",
    [
        {"says": ""},
        {"scope": "perhaps"},
        {"scope": "out of scope"},
        {"scope": "out of scope", "gives": "Something."},
        {"scope": "deployer's duty"},
        {"scope": "deployer's duty", "why": "So."},
        {"why": "So."},
        {"parts": {"a": {"scope": "out of scope"}}},
        {"parts": {"(a)": {"scope": "out of scope", "why": "So."}}},
        {"part": {}},
    ],
    ids=str,
)
def test_refuses_a_clause_that_does_not_say_what_its_scope_needs(changed: dict[str, object]) -> None:
    Clause.model_validate(CLAUSE)
    with pytest.raises(ValidationError):
        Clause.model_validate({**CLAUSE, **changed})
