"""Which witnesses cosigned which checkpoint of this ledger, and when? The table beside the checkpoints: kept and read.

It is no evidence by itself: a line is worth what the witness's key verifies (``note_keys``), and whoever may write the
database may put lines of an earlier checkpoint back. So the broker counts only those that came while it ran.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from keybroker.ledger import tables
from keybroker.ledger.note import NoteSignature
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import Ledger
from keybroker.ledger.turn import Turn

_LOOKED_AT = 64
"""Rows for each witness: one that is so many checkpoints behind is far behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """The largest tree that one witness cosigned, and when that cosignature came, in seconds."""

    witness: str
    tree_size: int
    at: int


def keep_cosignature(ledger: Ledger, *, tree_size: int, line: NoteSignature, at: int) -> None:
    """Under the checkpoint of that size; one that the same witness gave before goes. ``at`` in seconds.

    Raises: LedgerUnavailable, OutcomeUnknown, LedgerBroken.
    """
    table = tables.cosignature

    def work(turn: Turn) -> None:
        own = (table.c.tree_size == tree_size) & (table.c.witness == line.name)
        turn.connection.execute(delete(table).where(own))
        turn.connection.execute(insert(table).values(tree_size=tree_size, witness=line.name, line=line.line, at=at))

    ledger.transact(work)


def newest_cosigned(ledger: Reader, witnesses: Collection[str], *, since: int) -> list[Cosigned]:
    """Of each of these witnesses that cosigned at or after ``since`` (seconds), its newest; the largest tree first.

    Raises: LedgerUnavailable, LedgerBroken.
    """
    table = tables.cosignature.c
    wanted = select(table.witness, table.tree_size, table.at).order_by(table.tree_size.desc())
    newest: dict[str, Cosigned] = {}
    with ledger.read() as connection:
        for row in connection.execute(wanted.limit(_LOOKED_AT * len(witnesses))):
            if row.at >= since and row.witness in witnesses and row.witness not in newest:
                newest[row.witness] = Cosigned(witness=row.witness, tree_size=row.tree_size, at=row.at)
    return list(newest.values())
