"""How do two threads share one interpreter without fighting over it? By turns of their own, longer than its.

A token in this process computes on our own processor, so the signer and the event loop cannot gain by running at once;
they only lose: each of some fifty statements and verifications of a batch gives the interpreter up, and getting it back
from a busy event loop costs a wake-up of another processor. A baton goes between them instead, twice a batch: the loop
keeps it while it has something to do, the signer for one step. docs/performance.md has what it brought.
A module across a wire is waited for, not computed with: there, no baton.
"""

from __future__ import annotations

import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import final

_MOST_TURNS = 64
"""Turns of the event loop before a waiting signer has its own, however busy the loop is."""


@final
class Baton:
    """Held by one of two threads. Whoever waits at the second lock holds the first, so it is next: nobody starves."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._baton = threading.Lock()

    def take(self) -> None:
        with self._next:
            self._baton.acquire()

    def give(self) -> None:
        self._baton.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Without it for a while, for whoever waits for the other thread."""
        self.give()
        try:
            yield
        finally:
            self.take()


@final
class BatonSelector(selectors.EpollSelector):
    """The event loop's selector: it gives the baton away while the loop has nothing to do. Made holding the baton, in
    the loop's own thread."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._baton = baton
        self._turns = 0
        baton.take()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns += 1
        if self._turns <= _MOST_TURNS:
            events = super().select(0)
            if events or timeout == 0:
                return events
        self._turns = 0
        with self._baton.lent():
            return super().select(timeout)
