"""Which witnesses cosigned which checkpoint of this ledger, and when? The table beside the checkpoints: kept and read.

It is no evidence by itself: a line is worth what the witness's key verifies (``note_keys``), and whoever may write the
database may put lines of an earlier checkpoint back. So the broker counts only those that came while it ran.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from keybroker.errors import ContentMalformed, LedgerBroken, NoteUnfit
from keybroker.ledger import tables
from keybroker.ledger.note import Note, NoteSignature, read_note, read_signature_lines
from keybroker.ledger.note_keys import CosignatureKey, check_signed
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


def check_cosignatures(ledger: Reader, keys: Sequence[CosignatureKey]) -> int:
    """Does each cosignature that is kept verify, over a checkpoint of its size? How many were of these witnesses; those
    of others, or of another key of the same name, nobody here can judge.

    Raises: LedgerBroken, which names the first that does not; LedgerUnavailable.
    """
    known = {key.name: key for key in keys}
    cosigned, signed = tables.cosignature, tables.checkpoint
    wanted = (
        select(cosigned.c.tree_size, cosigned.c.witness, cosigned.c.line, signed.c.note)
        .join(signed, signed.c.tree_size == cosigned.c.tree_size)
        .where(cosigned.c.witness.in_(known))
    )
    checked = 0
    with ledger.read() as connection:
        for row in connection.execute(wanted, execution_options={"yield_per": 500}):
            try:
                note = Note(body=read_note(row.note).body, signatures=read_signature_lines(row.line))
                if note.signatures[0].key_id != known[row.witness].key_id:
                    continue
                check_signed(note, known[row.witness])
            except (ContentMalformed, NoteUnfit) as error:
                raise LedgerBroken(
                    f"the cosignature of {row.witness} at {row.tree_size} records does not verify: {error.sentence}"
                ) from error
            checked += 1
    return checked
