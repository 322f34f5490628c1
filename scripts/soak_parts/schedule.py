"""What breaks when? A sequence without end that a seed decides: every fault in turn, in a new order each time round.

Pure.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOGETHER = 0.25
"""How often a second fault comes while the first one lasts."""
SHORTEST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """Faults that begin one after the other, and all end after ``seconds``; then everything has to recover."""

    faults: tuple[str, ...]
    seconds: float


def steps(names: Sequence[str], *, alone: frozenset[str], longest: float, seed: int) -> Iterator[Step]:
    """``alone`` are the names of faults beside which no other may be; none lasts longer than ``longest`` (seconds)."""
    # What comes next is no secret.
    chance = random.Random(seed)  # noqa: S311
    while True:
        waiting = chance.sample(names, len(names))
        while waiting:
            faults = [waiting.pop()]
            if faults[0] not in alone and waiting and waiting[-1] not in alone and chance.random() < TOGETHER:
                faults.append(waiting.pop())
            yield Step(tuple(faults), chance.uniform(SHORTEST_SECONDS, longest))
