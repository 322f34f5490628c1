"""How is a side of a ceremony opened at a terminal? Configuration, line, people's keys and the officer, for one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keybroker.ceremony.book import Book
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.plan import Side
from keybroker.ceremony.room import Room
from keybroker.ceremony.scene import Scene
from keybroker.ceremony.scene_reading import read_scene
from keybroker.cli.acting import operator
from keybroker.cli.ceremony_people import read_people
from keybroker.cli.token import opened_line
from keybroker.config import Configuration, build_officer, reading


def scene_of(configuration: Configuration, side: Side) -> Scene:
    """What a plan is judged by, where nobody has entered the room and no PIN is at hand. Raises: LedgerFault."""
    with reading(configuration) as ledger:
        return read_scene(
            ledger,
            side=side,
            serial=configuration.file.module.token_serial,
            quorum=configuration.profile.quorum.adapter,
            policies=configuration.policies,
            people=configuration.people,
            at=configuration.clock.now(),
        )


@contextmanager
def opened_hall(
    configuration: Configuration, room: Room, *, side: Side, people: Path, directory: Path
) -> Iterator[Hall]:
    """The PIN of the module is asked for now, the security officer's when it is needed. Raises: as ``opened_line``."""

    def officers_pin() -> str:
        told = "The PIN of the module's security officer, who makes the wrapping keys. It is not shown."
        return room.ask_hidden("Security officer's PIN", told, str)

    # Whose keys are not where they should be is said before anybody types the module's PIN.
    keys = read_people(people, room, configuration.clock.now)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with opened_line(configuration) as works:
        yield Hall(
            line=works.line,
            token=works.token,
            book=Book(journal=works.journal, actor=operator(configuration, "operator")),
            people=configuration.people,
            keys=keys,
            officer=build_officer(configuration, officers_pin),
            directory=directory,
            side=side,
            site=configuration.file.module.site,
            now=configuration.clock.now,
        )
