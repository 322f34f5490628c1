"""What do this machine's two clocks say, at one instant? The wall clock, which may be stepped, and one that may not.

Seconds since the machine started (CLOCK_BOOTTIME, which goes on while it sleeps) tell a step of the wall clock from the
passing of time. A machine put back from a snapshot finds both clocks as they were: only the next reading tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

_MOST_LOOKS = 3
_AT_ONCE_SECONDS = 0.001
_RUNNING: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """``wall`` is aware; ``running`` is in seconds since some moment that stays."""

    wall: datetime
    running: float

    def stepped_until(self, later: Instant) -> float:
        """How many seconds the wall clock gained on the other clock meanwhile: above 0 where it was put forward."""
        return (later.wall - self.wall).total_seconds() - (later.running - self.running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """``wall`` answers an aware datetime; ``running`` seconds that nobody can step."""

    wall: Callable[[], datetime]
    running: Callable[[], float]

    def now(self) -> Instant:
        """Both at one instant: whoever is made to wait between two looks has to look again."""
        looks = [self._look()]
        while looks[-1][0] > _AT_ONCE_SECONDS and len(looks) < _MOST_LOOKS:
            looks.append(self._look())
        return min(looks, key=lambda look: look[0])[1]

    def _look(self) -> tuple[float, Instant]:
        """How many seconds one look took, and what it saw."""
        before, wall, after = self.running(), self.wall(), self.running()
        return after - before, Instant(wall=wall, running=(before + after) / 2)


def running_seconds() -> float:
    """Seconds since the machine started, its sleep among them where the system counts it."""
    return time.clock_gettime(_RUNNING)
