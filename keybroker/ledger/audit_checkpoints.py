"""What do the tables of checkpoints and cosignatures hold? For an auditor: every row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.verify_checkpoints import CheckpointRow, CosignatureRow, TransparencyRows

_PAGE = {"yield_per": 500}


def transparency_rows(connection: Connection) -> TransparencyRows:
    """Each table is read when its rows are asked for."""
    return TransparencyRows(checkpoints=_checkpoints(connection), cosignatures=_cosignatures(connection))


def _checkpoints(connection: Connection) -> Iterator[CheckpointRow]:
    for row in connection.execute(select(tables.checkpoint), execution_options=_PAGE):
        yield CheckpointRow(intent_index=row.intent_index, tree_size=row.tree_size, note=row.note, at=row.at)


def _cosignatures(connection: Connection) -> Iterator[CosignatureRow]:
    for row in connection.execute(select(tables.cosignature), execution_options=_PAGE):
        yield CosignatureRow(tree_size=row.tree_size, witness=row.witness, line=row.line)
