"""What does a fault need to know? The scene, who keeps it up, who asks, chance, and what is noted on the way."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from keybroker.cli.dev.deployment import Deployment
from scripts.soak_parts.load import Load
from scripts.soak_parts.probing import Prober
from scripts.soak_parts.scene import Scene
from scripts.soak_parts.service import Service
from tests.faults.shim import Rule, set_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``rules`` are the token's, ``notes`` counts what is told at the end besides; ``idle_most`` is how many idle
    connections are tried."""

    scene: Scene
    service: Service
    load: Load
    prober: Prober
    chance: random.Random
    idle_most: int
    rules: list[Rule] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    begun: float = field(default_factory=time.monotonic)

    @property
    def deployment(self) -> Deployment:
        return self.scene.deployment

    @contextmanager
    def ruled(self, *rules: Rule) -> Iterator[None]:
        """The token's rules, besides those that stand, for as long as the block lasts."""
        self.rules.extend(rules)
        set_rules(self.scene.control, *self.rules)
        try:
            yield
        finally:
            for rule in rules:
                self.rules.remove(rule)
            set_rules(self.scene.control, *self.rules)

    def tell(self, sentence: str) -> None:
        """On standard error, with the seconds since the start."""
        print(f"soak: {time.monotonic() - self.begun:7.1f} s  {sentence}", file=sys.stderr, flush=True)
