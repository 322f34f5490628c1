"""What did anybody but the person say last of him, and does it count now?

The last word counts, and lapses with itself: an earlier statement that is valid for longer does not come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from keybroker.gates.people.asked import Asked
from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

P = TypeVar("P", bound=Said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Generic[P]):
    """A statement by another attester, and what it says."""

    statement: Statement
    payload: P


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWord:
    """Why there is none that counts. ``reason`` is a ``Flaw`` where a statement is held that does not count."""

    reason: str
    found: str


def is_doubted(standing: Standing, statement: Statement) -> bool:
    """Its attester was withdrawn, or the ledger was put back since: it is not relied on, whatever the time."""
    # At the moment of its issue it had not lapsed, so only the other flaws are seen.
    return standing.why_void(statement, statement.payload.issued) is not None


def last_word(asked: Asked, model: type[P], is_about: Callable[[P], bool]) -> Word[P] | None:
    """The one issued last, lapsed or not; of two of one second that which came later. Not the person's own."""
    words = (
        Word(statement=statement, payload=payload)
        for statement, payload in asked.standing.ever(model)
        if is_about(payload) and statement.attester != asked.name and not is_doubted(asked.standing, statement)
    )
    return max(words, key=lambda word: word.payload.iat, default=None)


def word_in_force(asked: Asked, model: type[P], is_about: Callable[[P], bool]) -> Word[P] | NoWord:
    """The last word where it counts at the moment, else why none does."""
    word = last_word(asked, model, is_about)
    if word is None:
        return _why_none(asked, model, is_about)
    void = asked.standing.why_void(word.statement, asked.at)
    return word if void is None else NoWord(reason=void.flaw.value, found=f"{word.statement.told()}: {void.found}")


def _why_none(asked: Asked, model: type[P], is_about: Callable[[P], bool]) -> NoWord:
    held = [statement for statement, payload in asked.standing.ever(model) if is_about(payload)]
    for statement in held:
        void = asked.standing.why_void(statement, asked.at)
        if statement.attester != asked.name and void is not None:
            return NoWord(reason=void.flaw.value, found=f"{statement.told()}: {void.found}")
    if held:
        return NoWord(reason="PERSON_VOUCHES_FOR_HIMSELF", found=f"only what {asked.name} said of himself")
    return NoWord(reason="PERSON_NOT_VOUCHED_FOR", found="none")
