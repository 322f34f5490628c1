"""Have as many witnesses as are demanded cosigned the ledger lately? Asked once a batch (invariant 5).

What counts is a cosignature that this broker asked for while it ran (``since``): what an earlier database says of
witnesses is what is to be found out. A witness vouches for every smaller tree: so the N-th of the largest trees is the
one that N vouch for. The table is looked at four times a second at most; records that came since count at the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import final

from keybroker.config.checkpoints_table import WitnessesTable
from keybroker.errors import LedgerFault
from keybroker.ledger.cosignatures import newest_cosigned
from keybroker.ledger.reading import Reader

LOOK_SECONDS = 0.25


@final
class Witnessed:
    """``since`` in POSIX seconds, by the broker's clock. Asked by one thread."""

    def __init__(
        self,
        table: WitnessesTable,
        ledger: Reader,
        *,
        since: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._ledger = ledger
        self._since = since
        self._now = now
        self._names = frozenset(each.key.name for each in table.witness)
        self._looked: tuple[float, datetime, str] | None = None

    def __call__(self, at: datetime) -> str:
        """Why the ledger is not known to be witnessed; empty where it is, or where nobody demands it."""
        if not self._table.demanded:
            return ""
        if self._looked is not None:
            looked, moment, why = self._looked
            # A clock that leapt makes what was found old, or new.
            if self._now() - looked < LOOK_SECONDS and abs((at - moment).total_seconds()) < 2 * LOOK_SECONDS:
                return why
        try:
            why = self._why_not(at)
        except LedgerFault as fault:
            why = f"no comparison: {fault.sentence}"
        self._looked = self._now(), at, why
        return why

    def _why_not(self, at: datetime) -> str:
        """Raises: LedgerFault."""
        table = self._table
        oldest = int(at.timestamp() - table.at_most_behind_seconds)
        found = newest_cosigned(self._ledger, self._names, since=max(oldest, self._since))
        if len(found) < table.demanded:
            return (
                f"{len(found)} of {len(self._names)} cosigned within {table.at_most_behind_seconds:g} s and since this"
                f" broker began: {table.demanded} demanded"
            )
        behind = self._ledger.size() - found[table.demanded - 1].tree_size
        if behind > table.at_most_behind_records:
            return f"{behind} records that {table.demanded} have not cosigned: {table.at_most_behind_records} at most"
        return ""
