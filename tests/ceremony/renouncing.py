"""``python -m tests.ceremony.renouncing DIRECTORY PLAN DIES_AT``: the destination of a rehearsed transfer aborts.

As ``conducting`` in all else. DIES_AT may be ``consented``, ``destroyed`` (the pair, or keys, are) or ``written`` too.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from keybroker.ceremony.conducting import renounce
from keybroker.ceremony.plan import Side, read_plan
from keybroker.ceremony.room import Paused
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.dev.deployment import open_deployment
from keybroker.config import read_configuration
from tests.ceremony.answers import answers_of
from tests.ceremony.conducting import PAUSED, outputs
from tests.ceremony.scripted import ScriptedRoom

BECAUSE = "the contract lasts after all"


@dataclass
class _Room(ScriptedRoom):
    def consent(self, word: str, why: str) -> None:
        super().consent(word, why)
        self._die("consented")

    def progress(self, what: str, done: int, of: int) -> None:
        super().progress(what, done, of)
        self._die("destroyed" if what == "keys renounced" else "")

    def tell(self, text: str) -> None:
        super().tell(text)
        self._die("written" if text.startswith("Carry ") else "")

    def _die(self, instant: str) -> None:
        if instant and instant == self.dies_at:
            print("\n".join(self.told), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def main(directory: Path, plan: Path, dies_at: str) -> int:
    side = Side.DESTINATION
    plan_file, deployment = read_plan(plan.read_bytes()), open_deployment(directory / side.value)
    os.environ.update(deployment.broker_environment)
    given = outputs(directory, plan_file, side)
    room = _Room(directory=given, answers=answers_of(directory, plan_file, side, deployment), dies_at=dies_at)
    configuration = read_configuration(deployment.config_path)
    try:
        with opened_hall(configuration, room, side=side, people=directory / "people.toml", directory=given) as hall:
            renounce(hall, room, plan_file.plan.name, BECAUSE)
    except Paused as paused:
        print(f"paused: {paused}")
        return PAUSED
    finally:
        print("\n".join(room.told))
    return 0


def run(arguments: list[str]) -> int:
    directory, plan, dies_at = arguments
    return main(Path(directory), Path(plan), dies_at.strip("-"))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
