"""Which restores does the ledger know, and what follows for a name that it does not know? Inside a turn.

A name that is not in the ledger may have been taken first in a part that was lost. So a number that the ledger gives
begins beyond all that was lost, and a count begins with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.window import Window, no_window

MARGIN = 65_536
"""By how much numbers grow beyond the records that are lost: for what nobody thought of."""

_MOST_COUNTED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Loss:
    """One restore: when, in whole seconds, and how many records were lost at most."""

    at: int
    lost: int


def read_losses(connection: Connection) -> tuple[Loss, ...]:
    """In their order."""
    table = tables.restore.c
    rows = connection.execute(select(table.at, table.lost).order_by(table.leaf_index))
    return tuple(Loss(row.at, row.lost) for row in rows)


def whole_second_after(at: datetime) -> int:
    """The moment of a restore: statements have whole seconds, and none of this one counts."""
    return int((at + timedelta(seconds=1)).timestamp())


def growth(losses: Iterable[Loss]) -> int:
    """By how much a number that was never taken has grown all the same."""
    return sum(each.lost + MARGIN for each in losses)


def first_window(period: int, losses: Iterable[Loss]) -> Window:
    """Of a name that was never counted: whatever was lost may have been of it."""
    window = no_window(period)
    for each in losses:
        window = with_lost(window, each)
    return window


def with_lost(window: Window, loss: Loss) -> Window:
    """The same, and every record that was lost, at the moment of the restore."""
    return window.with_more(loss.at, min(loss.lost, _MOST_COUNTED)) if loss.lost else window
