"""Does the ledger extend what the module remembers of it, now? Asked once a batch (invariant 5).

Compared at the first batch, and before the first one after every pause: between two comparisons nothing is looked at.
Whether a ledger of *more* records than are remembered has the same history is settled at the start, by the whole tree
(``ledger/anchor.py``), and from then on by the last record that this process saw: here, and in each turn
(``Turn.check_follows``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import final

from keybroker.errors import LedgerFault, ModuleFault
from keybroker.hsm.module import CryptographicModule
from keybroker.ledger.anchor import check_never_served
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Head


def awake_or_not() -> float:
    """Seconds that no one can set, with those that the machine slept (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@final
class Remembered:
    """For a module that keeps heads. Asked by one thread.

    ``pause_seconds``: after so long without a comparison the next batch compares first. The moment of the batch counts
    too: a machine whose clock leaps, either way, may have been put back as a whole.
    """

    def __init__(
        self,
        module: CryptographicModule,
        journal: Journal,
        *,
        pause_seconds: float,
        now: Callable[[], float] = awake_or_not,
    ) -> None:
        self._module = module
        self._journal = journal
        self._pause = pause_seconds
        self._now = now
        self._compared: tuple[float, datetime] | None = None
        self._kept: Head | None = None
        self._leaf: tuple[int, bytes] | None = None

    def __call__(self, at: datetime) -> str:
        """Why the ledger is not known to extend what is remembered; empty where it is. As long as it is not, every
        batch compares again.
        """
        if self._is_fresh(at):
            return ""
        self._compared = None
        try:
            why = self._compare(at)
        except (ModuleFault, LedgerFault) as fault:
            return f"no comparison: {fault.sentence}"
        if not why:
            self._compared = self._now(), at
        return why

    def _is_fresh(self, at: datetime) -> bool:
        if self._compared is None:
            return False
        seconds, moment = self._compared
        return self._now() - seconds <= self._pause and abs((at - moment).total_seconds()) <= self._pause

    def _compare(self, at: datetime) -> str:
        """Raises: ModuleFault, LedgerFault."""
        # One at a time with whoever writes heads. A head is kept after its records are: so the module is read first,
        # and an honest ledger has at least as many, even where the lock did not come in time.
        with self._journal.keeping_head(at):
            kept = self._module.read_anchor()
            head = self._journal.head(at)
        why = self._why_not(kept, head) or self._why_not_followed()
        if not why:
            self._kept = kept
            self._see(head)
        return why

    def _why_not(self, kept: Head | None, head: Head) -> str:
        if kept is None:
            if self._kept is not None:
                return "the module remembers no head of this ledger any more"
            check_never_served(self._journal.ledger)
            return ""
        if kept.origin != head.origin:
            return f"the module remembers ledger {kept.origin}, this one is {head.origin}"
        if kept.tree_size > head.tree_size:
            return f"the ledger has {head.tree_size} records, the module remembers {kept.tree_size}"
        if kept.tree_size == head.tree_size and kept.root_hash != head.root_hash:
            return f"of {head.tree_size} records the module remembers root {kept.root_hash.hex()}, not the ledger's"
        if self._kept is not None and kept.tree_size < self._kept.tree_size:
            return f"the module remembered {self._kept.tree_size} records before, and now {kept.tree_size}"
        return ""

    def _why_not_followed(self) -> str:
        if self._leaf is None:
            return ""
        index, hashed = self._leaf
        found = self._journal.find(index)
        if found is not None and found.leaf_hash == hashed:
            return ""
        return f"record {index} of the ledger is not the one that it was when last compared"

    def _see(self, head: Head) -> None:
        last = self._journal.find(head.tree_size - 1)
        self._leaf = None if last is None else (last.leaf_index, last.leaf_hash)
