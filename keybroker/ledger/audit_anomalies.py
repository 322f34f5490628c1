"""What do the tables of Anomalous Events and of reviews hold? For an auditor: every row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.verify_anomalies import ReviewedRow, WatchRows

_PAGE = {"yield_per": 500}


def watch_rows(connection: Connection) -> WatchRows:
    """Each table is read when its rows are asked for, but for how far it was looked. Raises: LedgerBroken."""
    marks: dict[int, int] = {row.id: row.looked_to for row in connection.execute(select(tables.anomaly_watch))}
    if marks.keys() - {1}:
        raise LedgerBroken(f"the table anomaly_watch holds the rows {sorted(marks)}, expected 1 alone")
    messages = connection.execute(select(tables.webhook_delivery.c.leaf_index), execution_options=_PAGE)
    return WatchRows(looked_to=marks.get(1), messages=messages.scalars(), reviews=_reviews(connection))


def _reviews(connection: Connection) -> Iterator[ReviewedRow]:
    for row in connection.execute(select(tables.ledger_review), execution_options=_PAGE):
        yield ReviewedRow(leaf_index=row.leaf_index, up_to=row.up_to, person=row.person, at=row.at)
