"""What was done to a key, when, and by whom? Each act on the register, written beside its record. SEC G5.13, G5.24."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from keybroker.clause import clause
from keybroker.keys.acts import Act, Actor
from keybroker.keys.life_acts import CeremonyWord
from keybroker.ledger import tables
from keybroker.ledger.life_form import RENEW
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.record import moment
from keybroker.ledger.turn import Turn
from keybroker.statement.statement import Statement
from keybroker.terms import KeyLabel, KeyState

_table = tables.key_transition

Moves = Mapping[KeyLabel, tuple[KeyState | None, KeyState]]
"""Which keys an act leads from which state to which."""

WORDS: Mapping[str, str] = {
    "OrderKey": "registered, ordered",
    "BeginSession": "registered, ordered",
    "KeyGenerated": "generated",
    "LabelKey": "labelled",
    "DistributeKey": "distributed",
    "InstallKey": "installed",
    "KeyImported": "installed",
    "SupersedeKey": "superseded",
    "DestroyKey": "destroyed",
}
"""The words of SEC G5.13(b) and (c) for the acts that are them; ``RenewKey`` is one word for each of its two keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who did an act: the actor, the people who ordered it, or the ceremony that did it."""

    actor: Actor
    orders: tuple[Statement, ...]
    ceremony: CeremonyWord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of a key's history; ``record`` is the leaf index. ``before`` is None where the register did not know it.

    ``word`` is the clause's word for it, empty where it has none.
    """

    record: int
    at: datetime
    act: str
    word: str
    before: KeyState | None
    after: KeyState
    actor: str
    people: tuple[str, ...]
    ceremony: str | None


@clause("G5.13(b)", "G5.24(b)")
def history_of(ledger: Reader, label: KeyLabel) -> tuple[Transition, ...]:
    """Everything that was ever done to it, the first act first. Raises: LedgerFault."""
    wanted = select(_table).where(_table.c.label == label).order_by(_table.c.leaf_index)
    with ledger.read() as connection:
        return tuple(_transition(row) for row in connection.execute(wanted))


@clause("G5.13(b)", "G5.24(b)")
def write_history(
    turn: Turn,
    act: Act,
    moves: Moves,
    by: By,
    receipt: Receipt,
    at: datetime,
) -> None:
    """One row for each key that the act moved, beside its record."""
    told = {
        "leaf_index": receipt.leaf_index,
        "act": type(act).__name__,
        "at": moment(at),
        "actor": by.actor.identity,
        "people": " ".join(statement.attester for statement in by.orders),
        "ceremony": None if by.ceremony is None else by.ceremony.ceremony,
    }
    rows = [
        {**told, "label": label, "before": before and before.value, "after": after.value}
        for label, (before, after) in moves.items()
    ]
    turn.connection.execute(insert(_table), rows)


def _transition(row: Any) -> Transition:
    return Transition(
        record=row.leaf_index,
        at=datetime.fromisoformat(row.at),
        act=row.act,
        word=_word(row.act, row.after),
        before=None if row.before is None else KeyState(row.before),
        after=KeyState(row.after),
        actor=row.actor,
        people=tuple(row.people.split()),
        ceremony=row.ceremony,
    )


def _word(act: str, after: str) -> str:
    if act == RENEW:
        return "superseded" if after == KeyState.SUPERSEDED else "renewed"
    return WORDS.get(act, "")
