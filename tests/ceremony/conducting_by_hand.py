"""``python -m tests.ceremony.conducting_by_hand DIRECTORY PLAN SIDE``: as ``conducting``, by a maker's own tool.

The module says that its keys are cloned. What the maker's tool would do is done here when it is asked what the tool
showed: the source wraps to a pair that the destination made beforehand, and the destination unwraps; the ceremony
knows nothing of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from keybroker.ceremony.conducting import begin, conduct
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.plan import Side, read_plan
from keybroker.ceremony.room import Paused
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.dev.deployment import open_deployment
from keybroker.config import read_configuration
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrapped_key import encode_wrapped_key, read_wrapped_key
from keybroker.hsm.wrapping import wrap_key
from keybroker.hsm.wrapping_pair import make_wrapping_pair, wrapping_pair
from tests.ceremony.answers import answers_of
from tests.ceremony.conducting import PAUSED, outputs
from tests.ceremony.scripted import ScriptedRoom

PAIR = "by-hand"
COMMAND = "lunacm:> partition clone -objects {handles} -slot {destination_slot}"


class Cloning:
    """A token whose profile says ``luna-cloning``; in all else the token itself."""

    def __init__(self, token: Token) -> None:
        self._token = token

    @property
    def profile(self) -> Profile:
        own = self._token.profile
        changed = {"adapter": TransferAdapter.LUNA_CLONING, "commands": (COMMAND,), "tried": False}
        return replace(own, wrapping=own.wrapping.model_copy(update=changed))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


def tool(hall: Hall, token: Token, directory: Path, label: str) -> Path:
    """Moves one key, and gives what it showed."""
    key = next(each for each in read_plan((directory / "plan").read_bytes()).plan.keys if each.label == label)
    policy, file = hall.line.policies[key.purpose], directory / f"{label}.cloned"
    own = cast("Any", label)
    if hall.side is Side.SOURCE:
        assert hall.officer is not None
        spki = (directory / "pair").read_bytes()
        file.write_bytes(encode_wrapped_key(wrap_key(token, own, policy, recipient_spki=spki, officer=hall.officer)))
    elif label != "lost":
        unwrap_key(token, read_wrapped_key(file.read_bytes()), policy, pair=PAIR, label=own)
    return file


def main(directory: Path, plan: Path, side: Side) -> int:
    plan_file, deployment = read_plan(plan.read_bytes()), open_deployment(directory / side.value)
    os.environ.update(deployment.broker_environment)
    given, halls = outputs(directory, plan_file, side), list[Hall]()
    (directory / "plan").write_bytes(plan_file.octets)

    def shown(question: str) -> str:
        label = question.removeprefix("What did the tool show for ").removesuffix("?")
        return str(tool(halls[0], halls[0].token, directory, label))

    answers = {**answers_of(directory, plan_file, side, deployment), "What did the tool show": shown}
    room = ScriptedRoom(directory=given, answers=answers)
    configuration = read_configuration(deployment.config_path)
    try:
        with opened_hall(configuration, room, side=side, people=directory / "people.toml", directory=given) as hall:
            halls.append(hall)
            if side is Side.DESTINATION and wrapping_pair(hall.token, PAIR) is None:
                (directory / "pair").write_bytes(make_wrapping_pair(hall.token, PAIR))
            conducted = replace(hall, token=cast("Token", Cloning(hall.token)))
            if hall.book.find(plan_file.plan.name) is None:
                begin(conducted, room, plan_file)
            else:
                conduct(conducted, room, plan_file.plan.name)
    except Paused as paused:
        print(f"paused: {paused}")
        return PAUSED
    finally:
        print("\n".join(room.told))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Side(sys.argv[3])))
