"""A room at a terminal, without a ceremony: ``python -m tests.ceremony.room_program DIRECTORY SCENE...``.

Prints ``RESULT`` and what came of each scene (of what is hidden, SHA-256), or ``PAUSED`` and why; exit status 75 where
the last one rests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from keybroker.ceremony.part import read_words, words
from keybroker.ceremony.plan import Participant, Role
from keybroker.ceremony.room import Answered, Paused, Room
from keybroker.ceremony.steps import Progress, Step, StepName
from keybroker.cli.ceremony_room import TerminalRoom
from keybroker.cli.ceremony_terminal import resting_when_interrupted
from tests.ceremony.splitting import some_parts

PAUSED = 75
DIGEST = sha256(b"a plan").digest()
TOLD = "What this is for."
STEPS = (Step(name=StepName.GATHER), Step(name=StepName.DESTROY_COPIES, word="DESTROY"), Step(name=StepName.CLOSE))
LONG = "Nothing that is said here is longer than a line of this terminal, however much it is. " * 60
HOSTILE = "a label \x1b[2J\x1b]0;owned\x07 that \r steers \u202e the 全 terminal"


def _ask(room: Room) -> object:
    return room.ask("How many?", TOLD, _number)


def _number(typed: str) -> int:
    if not typed.isdecimal():
        raise Answered(f"Expected a number, found {typed}.")
    return int(typed)


def _ask_file(room: Room) -> object:
    return room.ask_file("The certificate?", TOLD, lambda octets: len(octets))


def _ask_hidden(room: Room) -> object:
    return room.ask_hidden("PIN of your token", TOLD, _hidden)


def _hidden(typed: str) -> str:
    if typed.startswith("wrong"):
        raise Answered("The token does not take it.")
    return sha256(typed.encode()).hexdigest()


def _ask_words(room: Room) -> object:
    count = len(words(some_parts()[0]))
    return room.ask_words(
        "The words of your share", TOLD, count, lambda text: sha256(read_words(text).value).hexdigest()
    )


def _consent(room: Room) -> object:
    room.consent("DESTROY", "destroy-copies cannot be undone")
    return "consent"


def _digest(room: Room) -> object:
    room.digest("plan", DIGEST)
    return "compared"


def _steps(room: Room) -> object:
    progress = Progress(steps=STEPS)
    for step in STEPS:
        room.step(progress, step)
        progress = progress.begin(step).conclude(step)
        room.signing(Participant(name="ann", role=Role.WITNESS, signing_sha256="0" * 64), DIGEST)
        room.progress("signed", 1, 1)
        room.concluded(step, progress.concluded)
    return "over"


def _tell(room: Room) -> object:
    room.tell(LONG)
    room.tell(HOSTILE)
    room.facts({"public_key": bytes(65), "serial": "1234", "a name that has a line of its own.pem": "f" * 64})
    for done in range(1, 101):
        room.progress("copies read", done, 100)
    return "told"


def _at_work(room: Room) -> object:
    """Somebody presses Ctrl-C while nothing is asked."""
    room.tell("working")
    while True:
        pass


SCENES: Mapping[str, Callable[[Room], object]] = {
    "ask": _ask,
    "file": _ask_file,
    "hidden": _ask_hidden,
    "words": _ask_words,
    "consent": _consent,
    "digest": _digest,
    "steps": _steps,
    "tell": _tell,
    "at-work": _at_work,
}


def main() -> None:
    directory, *scenes = sys.argv[1:]
    status = 0
    for scene in scenes:
        room: Room = TerminalRoom(directory=Path(directory))
        try:
            with resting_when_interrupted():
                status, said = 0, f"RESULT {SCENES[scene](room)}"
        except Paused as paused:
            status, said = PAUSED, f"PAUSED {paused}"
        room.tell(said)
    sys.exit(status)


if __name__ == "__main__":
    main()
