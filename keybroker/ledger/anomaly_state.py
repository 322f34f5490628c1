"""What does a detector remember between records? How often something was lately, and which intents are open. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_BUCKETS = 60
_MOST_NAMES = 4096
"""Names of which rates are kept; beyond it those that were quiet for a whole period are forgotten."""


@dataclass(slots=True, kw_only=True)
class Rate:
    """How often something happened within ``seconds`` up to the last time, to a sixtieth of it.

    Moments of several workers are not in order: what is older than the newest counts in the newest bucket.
    """

    seconds: int
    told: bool = False
    """It is above its limit, and that was told."""
    _buckets: deque[tuple[int, int]] = field(default_factory=deque)
    _total: int = 0

    def add(self, second: int) -> int:
        """Once more; how often that makes."""
        width = -(-self.seconds // _BUCKETS)
        bucket = second // width
        self._total += 1
        if self._buckets and bucket <= self._buckets[-1][0]:
            newest, count = self._buckets[-1]
            self._buckets[-1] = newest, count + 1
        else:
            self._buckets.append((bucket, 1))
        while self._buckets[0][0] * width <= self._buckets[-1][0] * width - self.seconds:
            self._total -= self._buckets.popleft()[1]
        return self._total

    def is_quiet(self, second: int) -> bool:
        """Nothing within the period up to this second."""
        width = -(-self.seconds // _BUCKETS)
        return not self._buckets or (self._buckets[-1][0] + 1) * width <= second - self.seconds


@dataclass(slots=True, kw_only=True)
class Rates:
    """Rates by name, each told once while it is above ``most``."""

    seconds: int
    most: int
    _rates: dict[str, Rate] = field(default_factory=dict)

    def add(self, name: str, second: int) -> int | None:
        """How often it was, where it has just risen above ``most``; else None."""
        rate = self._rates.get(name)
        if rate is None:
            if len(self._rates) >= _MOST_NAMES:
                self._forget(second)
            rate = self._rates[name] = Rate(seconds=self.seconds)
        count = rate.add(second)
        rises = count > self.most and not rate.told
        rate.told = count > self.most
        return count if rises else None

    def _forget(self, second: int) -> None:
        self._rates = {name: rate for name, rate in self._rates.items() if not rate.is_quiet(second)}


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A use that was begun: by which worker, of which key, in which second."""

    worker: str
    key: str
    second: int


@dataclass(slots=True, kw_only=True)
class OpenIntents:
    """By leaf index, the earliest first; and which of them was told to be open too long, by worker."""

    _open: dict[int, OpenIntent] = field(default_factory=dict)
    _told: dict[str, int] = field(default_factory=dict)

    def begin(self, index: int, intent: OpenIntent) -> None:
        self._open[index] = intent

    def end(self, index: int) -> OpenIntent | None:
        """It ended; None where it is not known to be open."""
        intent = self._open.pop(index, None)
        if intent is not None and self._told.get(intent.worker) == index:
            del self._told[intent.worker]
        return intent

    def tell(self, worker: str, index: int) -> None:
        """A record says that this worker's intent is open too long: not again before it ended."""
        if index in self._open:
            self._told[worker] = index

    def overdue(self, before: int) -> list[tuple[int, OpenIntent]]:
        """Of each worker of which nothing was told the first that began before this second."""
        found: dict[str, tuple[int, OpenIntent]] = {}
        for index, intent in self._open.items():
            if intent.second < before and intent.worker not in self._told:
                found.setdefault(intent.worker, (index, intent))
        return list(found.values())
