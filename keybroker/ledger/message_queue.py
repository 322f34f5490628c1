"""Which messages on Anomalous Events are on their way? A durable queue: none is given up, and none is lost by a crash.

One that was taken may be sent once more where the process died before it wrote that down: whoever takes messages knows
them by the record's leaf index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from keybroker.ledger import tables
from keybroker.ledger.following import body_at
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import Ledger, from_seconds

_table = tables.webhook_delivery
_LONGEST_ERROR = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The message of the event in record ``event``. ``error``: what the last try came to, empty where none was made."""

    event: int
    tries: int
    next_at: datetime
    delivered_at: datetime | None
    error: str


def enqueue(connection: Connection, events: Iterable[int], at: datetime) -> None:
    """In the transaction that writes the events."""
    rows = [{"leaf_index": event, "tries": 0, "next_at": int(at.timestamp()), "error": ""} for event in events]
    if rows:
        connection.execute(insert(_table), rows)


def first_due(ledger: Reader, at: datetime) -> Message | None:
    """The earliest event whose next try is due. Raises: LedgerFault."""
    due = _table.c.delivered_at.is_(None) & (_table.c.next_at <= int(at.timestamp()))
    with ledger.read() as connection:
        row = connection.execute(select(_table).where(due).order_by(_table.c.leaf_index).limit(1)).one_or_none()
    return None if row is None else _message(row)


def undelivered(ledger: Reader) -> int:
    """How many nobody took yet. Raises: LedgerFault."""
    waiting = select(func.count()).select_from(_table).where(_table.c.delivered_at.is_(None))
    with ledger.read() as connection:
        count: int = connection.execute(waiting).scalar_one()
    return count


def first_undelivered(ledger: Reader) -> datetime | None:
    """When the earliest event was written whose message nobody took yet. Raises: LedgerFault."""
    waiting = select(func.min(_table.c.leaf_index)).where(_table.c.delivered_at.is_(None))
    with ledger.read() as connection:
        event: int | None = connection.execute(waiting).scalar()
    return None if event is None else datetime.fromisoformat(str(body_at(ledger, event)["at"]))


def messages(ledger: Reader) -> dict[int, Message]:
    """Every one there ever was, by event. Raises: LedgerFault."""
    with ledger.read() as connection:
        return {row.leaf_index: _message(row) for row in connection.execute(select(_table))}


def taken(ledger: Ledger, event: int, at: datetime) -> None:
    """Somebody took it. Raises: LedgerFault."""
    _settle(ledger, event, {"delivered_at": int(at.timestamp()), "error": ""})


def failed(ledger: Ledger, event: int, error: str, next_at: datetime) -> None:
    """Nobody took it this time. Raises: LedgerFault."""
    _settle(ledger, event, {"next_at": int(next_at.timestamp()), "error": error[:_LONGEST_ERROR]})


def _settle(ledger: Ledger, event: int, values: dict[str, Any]) -> None:
    row = update(_table).where(_table.c.leaf_index == event).values(tries=_table.c.tries + 1, **values)
    ledger.transact(lambda turn: turn.connection.execute(row))


def _message(row: Any) -> Message:
    delivered_at = None if row.delivered_at is None else from_seconds(row.delivered_at)
    return Message(
        event=row.leaf_index,
        tries=row.tries,
        next_at=from_seconds(row.next_at),
        delivered_at=delivered_at,
        error=row.error,
    )
