"""``python -m tests.ceremony.conducting DIRECTORY PLAN SIDE DIES_AT``: one life of one side of a rehearsal.

Begins the ceremony, or resumes it, with people who do what they should; the process is killed at that instant
(``ScriptedRoom.dies_at``), or never (-). Prints what was said.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keybroker.ceremony.conducting import begin, conduct
from keybroker.ceremony.plan import PlanFile, Side, read_plan
from keybroker.ceremony.room import Paused
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.dev.deployment import open_deployment
from keybroker.config import read_configuration
from tests.ceremony.answers import answers_of
from tests.ceremony.scripted import ScriptedRoom

PAUSED = 75


def outputs(directory: Path, plan_file: PlanFile, side: Side) -> Path:
    """What this side takes and gives."""
    return directory / f"{plan_file.plan.name}.{side}"


def main(directory: Path, plan: Path, side: Side, dies_at: str) -> int:
    plan_file, deployment = read_plan(plan.read_bytes()), open_deployment(directory / side.value)
    os.environ.update(deployment.broker_environment)
    given = outputs(directory, plan_file, side)
    answers = answers_of(directory, plan_file, side, deployment)
    room = ScriptedRoom(directory=given, answers=answers, dies_at=dies_at)
    configuration = read_configuration(deployment.config_path)
    try:
        with opened_hall(configuration, room, side=side, people=directory / "people.toml", directory=given) as hall:
            if hall.book.find(plan_file.plan.name) is None:
                begin(hall, room, plan_file)
            else:
                conduct(hall, room, plan_file.plan.name)
    except Paused as paused:
        print(f"paused: {paused}")
        return PAUSED
    finally:
        print("\n".join(room.told))
    return 0


def run(arguments: list[str]) -> int:
    directory, plan, side, dies_at = arguments
    return main(Path(directory), Path(plan), Side(side), dies_at.strip("-"))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
