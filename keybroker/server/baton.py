"""How do two threads share one interpreter without fighting over it? By turns of their own, longer than its.

A token in this process computes on our own processor, so the signer and the event loop cannot gain by running at once;
they only lose: each of some fifty statements and verifications of a batch gives the interpreter up, and getting it back
from a busy event loop costs a wake-up of another processor. A baton goes between them instead, twice a batch: the loop
keeps it while it has something to do, the signer for one step. docs/performance.md has what it brought.
The loop also keeps it for a moment while those who were just answered come back one by one: a batch of twelve costs
little more than one of four. No timer holds a lone request; it is everybody who was answered.

A module across a wire is waited for, not computed with: there, no baton.
"""

from __future__ import annotations

import select
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import final

_MOST_TURNS = 256
"""Turns of the event loop before a waiting signer has its own, however busy the loop is."""

_PATIENCE = 0.25
"""Seconds that the event loop waits for the signer's step to end: longer than 1,024 signatures take."""

_A_MOMENT = 0.0005
"""Seconds in which somebody who was just answered asks again, if he is near and has more to ask."""


@final
class Baton:
    """Held by one of two threads. Whoever waits at the second lock holds the first, so it is next: nobody starves."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._baton = threading.Lock()
        self._loop_holds = False
        self._answered = 0
        self._waiting = False

    def answered(self, calls: int) -> None:
        """On the event loop: so many were just answered. Whoever asks all the time is about to ask again."""
        self._answered = calls
        self._waiting = False

    def asked(self) -> None:
        """On the event loop: somebody asks, and now waits for the signer."""
        self._answered -= 1
        self._waiting = True

    def more_to_come(self) -> bool:
        """Does somebody wait, and has not everybody come back who was answered last? A lone caller has."""
        return self._waiting and self._answered > 0

    def nobody_came(self) -> None:
        """Nothing happened for a moment: whoever asks next waits for nobody."""
        self._answered = 0

    def __enter__(self) -> None:
        """The signer's step begins."""
        with self._next:
            self._baton.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._baton.release()

    def take(self) -> None:
        """The event loop has something to do. It waits for a step of ordinary length; while the signer waits for a
        disk that hangs, the loop goes on without the baton, to say that nothing is served."""
        if self._next.acquire(timeout=_PATIENCE):
            self._loop_holds = self._baton.acquire(timeout=_PATIENCE)
            self._next.release()

    def give(self) -> None:
        """The event loop has nothing to do."""
        if self._loop_holds:
            self._loop_holds = False
            self._baton.release()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The event loop without it for a while, because it waits for the other thread."""
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
            if self._baton.more_to_come():
                if select.select([self], [], [], _A_MOMENT)[0]:
                    return super().select(0)
                self._baton.nobody_came()
        self._turns = 0
        with self._baton.lent():
            return super().select(timeout)
