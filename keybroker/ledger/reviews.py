"""How far was the audit log reviewed, and when last? SEC G2.26. From the ledger as it is committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from keybroker.ledger import tables
from keybroker.ledger.following import body_at
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.review_form import Review
from keybroker.ledger.store import from_seconds

_table = tables.ledger_review


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """``up_to``: the last record that was reviewed, None where none was. ``since``: when that was, or when the ledger
    began. ``unreviewed``: how many records stand behind it.
    """

    up_to: int | None
    person: str
    since: datetime
    unreviewed: int

    def is_overdue(self, days: int, at: datetime) -> bool:
        """Was it longer ago than it may be?"""
        return at - self.since > timedelta(days=days)


def last_review(ledger: Reader) -> Reviewed:
    """Raises: LedgerFault."""
    with ledger.read() as connection:
        row = connection.execute(select(_table).order_by(_table.c.leaf_index.desc()).limit(1)).one_or_none()
        size: int = connection.execute(select(tables.head.c.tree_size)).scalar_one()
    if row is None:
        began = datetime.fromisoformat(str(body_at(ledger, 0)["at"]))
        return Reviewed(up_to=None, person="", since=began, unreviewed=size)
    return Reviewed(up_to=row.up_to, person=row.person, since=from_seconds(row.at), unreviewed=size - row.up_to - 1)


def reviewed_up_to(connection: Connection) -> int | None:
    """Of the last review."""
    last = select(_table.c.up_to).order_by(_table.c.leaf_index.desc()).limit(1)
    found: int | None = connection.execute(last).scalar()
    return found


def remember_review(connection: Connection, review: Review, person: str, receipt: Receipt, at: datetime) -> None:
    """Beside its record, in its transaction."""
    row = {"leaf_index": receipt.leaf_index, "up_to": review.up_to, "person": person, "at": int(at.timestamp())}
    connection.execute(insert(_table).values(row))
