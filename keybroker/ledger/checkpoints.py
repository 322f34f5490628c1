"""Which checkpoints were signed, and what did witnesses cosign of them? Read from the ledger; written with outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.note import Note, read_note, read_signature_lines, write_note
from keybroker.ledger.reading import Reader

CHECKPOINT_RECORDS = 2
"""Its own: the intent to sign it, and how that ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """``note`` is the signed note, with the cosignatures that there are behind the ledger's own signature; ``at`` is in
    seconds."""

    tree_size: int
    note: bytes
    at: int


def newest_checkpoint(ledger: Reader) -> Checkpoint | None:
    """Of the largest tree. Raises: LedgerUnavailable, LedgerBroken."""
    with ledger.read() as connection:
        found = connection.execute(_newest().limit(1)).first()
        return None if found is None else _with_cosignatures(connection, found)


def checkpoints_after(ledger: Reader, tree_size: int, most: int) -> list[Checkpoint]:
    """Of larger trees, smallest first. Raises: LedgerUnavailable, LedgerBroken."""
    table = tables.checkpoint.c
    wanted = select(tables.checkpoint).where(table.tree_size > tree_size).order_by(table.tree_size, table.intent_index)
    with ledger.read() as connection:
        return [_with_cosignatures(connection, row) for row in connection.execute(wanted.limit(most)).all()]


def checkpoint_of(ledger: Reader, tree_size: int) -> Checkpoint | None:
    """Of the tree of that size, None where none was signed. Raises: LedgerUnavailable, LedgerBroken."""
    with ledger.read() as connection:
        wanted = _newest().where(tables.checkpoint.c.tree_size == tree_size).limit(1)
        found = connection.execute(wanted).first()
        return None if found is None else _with_cosignatures(connection, found)


def _newest() -> Any:
    table = tables.checkpoint.c
    return select(tables.checkpoint).order_by(table.tree_size.desc(), table.intent_index.desc())


def _with_cosignatures(connection: Connection, row: Any) -> Checkpoint:
    table = tables.cosignature.c
    wanted = select(table.line).where(table.tree_size == row.tree_size).order_by(table.witness)
    lines = b"".join(connection.execute(wanted).scalars())
    note = row.note
    if lines:
        own = read_note(note)
        note = write_note(Note(body=own.body, signatures=own.signatures + read_signature_lines(lines)))
    return Checkpoint(tree_size=row.tree_size, note=note, at=row.at)
