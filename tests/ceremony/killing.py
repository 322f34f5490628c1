"""What if the power goes at any instant? A ceremony is killed at every boundary of its steps, or at random instants.

Whatever happened, it comes to the same verified end; and at no moment could two use a key.
``scripts/kill-ceremonies`` tells hundreds of such stories.
"""

from __future__ import annotations

import random
import signal
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from keybroker.ceremony.plan import PlanFile, Side, read_plan
from keybroker.ceremony.steps import own_steps
from keybroker.ceremony.transcript_verifying import Verified, verify_transcript
from keybroker.config import read_configuration, reading
from keybroker.ledger.audit import verify
from keybroker.terms import KeyState
from tests.ceremony.conducting import PAUSED, outputs
from tests.lives import live

LIVES = 40
"""After so many lives of undisturbed people a ceremony must have come to its end."""
BOUNDARIES = ("done", "concluded")
"""Done and signed by nobody; and concluded, before the next is announced: of the steps of a side in turn."""


@dataclass
class Story:
    """A rehearsal in a directory, with the plan in its place. ``sides`` take turns until all are done."""

    directory: Path
    plan: Path
    sides: Sequence[Side] = (Side.HERE,)
    deaths: int = 0
    emptied: int = 0
    """Files that SoftHSM was killed over while it wrote them (``put_back_emptied``)."""
    said: list[str] = field(default_factory=list)

    @property
    def plan_file(self) -> PlanFile:
        return read_plan(self.plan.read_bytes())

    def life(self, side: Side, *, dies_at: str = "-", seconds: float = 240) -> int:
        """One life of one side: its exit status, -9 where it was killed at that instant or after so many seconds."""
        arguments = [str(self.directory), str(self.plan), side.value, dies_at]
        status = self.lived("tests.ceremony.conducting", arguments, seconds)
        assert status in (0, PAUSED, -signal.SIGKILL), "\n".join(self.said[-40:])
        return status

    def lived(self, module: str, arguments: list[str], seconds: float) -> int:
        """The exit status of any process that does something to the rehearsal, or is killed while it does."""
        tokens = {file: file.read_bytes() for file in self.directory.glob("*/tokens/*/*.object")}
        ended = live(module, arguments, seconds=seconds)
        self.said += [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
        if ended.returncode == -signal.SIGKILL:
            self.deaths += 1
            self.put_back_emptied(tokens)
        self.check_one_place()
        return ended.returncode

    def put_back_emptied(self, tokens: Mapping[Path, bytes]) -> None:
        """SoftHSM 2.6.1 empties a file before it writes it anew, at each login the token's own: killed between the two,
        it has lost what a module keeps. Such a file, and no other, is as it was before that life."""
        for file, octets in tokens.items():
            if file.exists() and not file.stat().st_size:
                file.write_bytes(octets)
                self.emptied += 1

    def check_one_place(self) -> None:
        """Whatever just happened: no key is active on two sides, nor beside the successor that renews it."""
        for key in self.plan_file.plan.keys:
            labels = {key.label, key.successor or key.label}
            active = [
                (side, label)
                for side in self.sides
                for label in labels
                if self.state(side, label) in (KeyState.ACTIVE, KeyState.COMBINED)
            ]
            assert len(active) <= 1, active

    def state(self, side: Side, label: str) -> KeyState | None:
        """Of a key in one side's register, None where it has none."""
        file = self.directory / side.value / "data" / "ledger.sqlite"
        with closing(sqlite3.connect(file)) as connection:
            found = connection.execute("SELECT state FROM key WHERE label = ?", (label,)).fetchone()
        return None if found is None else KeyState(found[0])

    def instants(self) -> Iterable[tuple[Side, str]]:
        """One of every step, side by side in the order of the plan."""
        for side in self.sides:
            for step, boundary in zip(own_steps(self.plan_file.plan, side), cycle(BOUNDARIES), strict=False):
                yield side, f"{step.told}:{boundary}"

    def killed_at_every_boundary(self) -> None:
        """Each step kills once."""
        left = {side: [instant for each, instant in self.instants() if each is side] for side in self.sides}
        for _ in range(LIVES * len(self.sides)):
            for side in self.sides:
                instant = left[side][0] if left[side] else "-"
                if self.life(side, dies_at=instant) == -signal.SIGKILL:
                    left[side].pop(0)
            if not any(left.values()):
                return
        raise AssertionError(f"these were never reached: {left}")

    def killed_at_random(self, deaths: int, chance: random.Random, seconds: float) -> None:
        """So often, or until all is done; ``seconds`` is about how long it takes when nobody is killed."""
        left = set(self.sides)
        while left and self.deaths < deaths:
            side = chance.choice(self.sides)
            if self.life(side, seconds=chance.uniform(0, 2 * seconds / (deaths + 1))) == 0:
                left.discard(side)

    def finish(self) -> dict[Side, Verified]:
        """Undisturbed to the end, on every side; what is left is whole."""
        for _ in range(LIVES):
            if {self.life(side) for side in self.sides} == {0}:
                return {side: self.verified(side) for side in self.sides}
        raise AssertionError("\n".join(self.said[-60:]))

    def verified(self, side: Side) -> Verified:
        """Ledger and transcript of one side."""
        configuration = read_configuration(self.directory / side.value / "keybroker.toml")
        with reading(configuration) as ledger:
            verify(ledger, configuration.clock.now())
        name = f"{self.plan_file.plan.name}.transcript.json"
        found = verify_transcript((outputs(self.directory, self.plan_file, side) / name).read_bytes())
        assert found.complete
        assert found.state == "done"
        return found
