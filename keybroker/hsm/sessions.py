"""Which session may I use now? A pool with blocking borrow and a bound: one operation per session (PKCS#11 v3.0
§5.6)."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from keybroker.errors import ModuleBusy

S = TypeVar("S")


class SessionPool(Generic[S]):
    """The sessions of one generation, lent in turn, so that none lies idle long enough to be dropped by a device."""

    def __init__(self, sessions: Sequence[S], *, wait_seconds: float) -> None:
        self._free: queue.SimpleQueue[S] = queue.SimpleQueue()
        self._size = len(sessions)
        self._wait_seconds = wait_seconds
        for session in sessions:
            self._free.put(session)

    @property
    def size(self) -> int:
        return self._size

    @contextmanager
    def borrow(self, count: int = 1) -> Iterator[Sequence[S]]:
        """Lend up to ``count`` sessions and at least one: wait for the first, take of the others what is free.

        Raises: ModuleBusy when none comes back within the bound.
        """
        held = [self._take(self._wait_seconds)]
        try:
            while len(held) < count and not self._free.empty():
                with suppress(queue.Empty):
                    held.append(self._free.get_nowait())
            yield tuple(held)
        finally:
            for session in held:
                self._free.put(session)

    @contextmanager
    def all_at_rest(self) -> Iterator[Sequence[S]]:
        """Lend every session at once: nobody is inside the module. Raises: ModuleBusy when one does not come back in
        time."""
        until = time.monotonic() + self._wait_seconds
        held: list[S] = []
        try:
            for _ in range(self._size):
                held.append(self._take(until - time.monotonic()))
            yield tuple(held)
        finally:
            for session in held:
                self._free.put(session)

    def _take(self, seconds: float) -> S:
        try:
            return self._free.get(timeout=max(seconds, 0.001))
        except queue.Empty as error:
            raise ModuleBusy("no session of the module came free in time; ask again later") from error
