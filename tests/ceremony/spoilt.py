"""A ceremony in which something goes wrong at a word that is spoken: what was told, what is recorded, how far it came.

``Spoilt.life`` is one life in this process, with a clock that can be moved; ``Spoilt.process`` one in a process of its
own, for faults of disk and module. ``Spoilt.finish`` comes to the verified end with people who do what they should.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from keybroker.ceremony.book import Held
from keybroker.ceremony.conducting import begin, conduct
from keybroker.ceremony.plan import PlanFile, Side
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.ceremony_people import read_people
from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.config import Configuration, read_configuration, reading
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import decode
from tests import faults
from tests.ceremony.answers import answers_of
from tests.ceremony.conducting import outputs
from tests.ceremony.killing import Story
from tests.ceremony.scripted import Answer, ScriptedRoom
from tests.deployments import prepare_rehearsal
from tests.lives import live

Event = Callable[[], None]


@dataclass
class EventfulRoom(ScriptedRoom):
    """``when``: what happens, once, as soon as something is said that begins so."""

    when: dict[str, Event] = field(default_factory=dict)

    def say(self, text: str, instant: str = "") -> None:
        super().say(text, instant)
        for begins in [each for each in self.when if text.startswith(each)]:
            self.when.pop(begins)()


@dataclass
class Spoilt:
    """``ahead``: how far the clock of this side is moved, for lives in this process."""

    story: Story
    side: Side = Side.HERE
    ahead: timedelta = timedelta()
    room: EventfulRoom = field(default_factory=lambda: EventfulRoom(directory=Path()))

    @property
    def name(self) -> str:
        return self.story.plan_file.plan.name

    @property
    def directory(self) -> Path:
        """What the ceremony takes and gives."""
        return outputs(self.story.directory, self.story.plan_file, self.side)

    @property
    def people(self) -> Path:
        return self.story.directory / "people.toml"

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.story.directory / self.side.value)

    @property
    def configuration(self) -> Configuration:
        return read_configuration(self.deployment.config_path)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, by: timedelta) -> Event:
        def moved() -> None:
            self.ahead = by

        return moved

    def life(
        self,
        when: Mapping[str, Event] | None = None,
        answers: Mapping[str, Answer | list[Answer]] | None = None,
        people: Path | None = None,
        plan_file: PlanFile | None = None,
    ) -> Held:
        """Begun, or gone on with. ``plan_file`` is begun although there is another. Raises: whatever ends it."""
        os.environ.update(self.deployment.broker_environment)
        usual = answers_of(self.story.directory, self.story.plan_file, self.side, self.deployment)
        own = answers or {}
        asked = {**own, **{word: each for word, each in usual.items() if word not in own}}
        self.room = EventfulRoom(directory=self.directory, answers=asked, when=dict(when or {}))
        file = people or self.people
        with opened_hall(
            self.configuration, self.room, side=self.side, people=file, directory=self.directory
        ) as opened:
            hall = replace(opened, now=self.now, keys=read_people(file, self.room, self.now))
            if plan_file is not None or hall.book.find(self.name) is None:
                begin(hall, self.room, plan_file or self.story.plan_file)
            else:
                conduct(hall, self.room, self.name)
            return hall.book.get(self.name)

    def process(self, environment: Mapping[str, str] | None = None, *, plan: Path | None = None) -> tuple[int, str]:
        """One life in a process of its own: exit status, and what was said, or why it ended."""
        arguments = [str(self.story.directory), str(plan or self.story.plan), self.side.value, "-"]
        own = os.environ | (environment or {})
        done = live("tests.ceremony.conducting", arguments, environment=own, seconds=240)
        self.story.check_one_place()
        return done.returncode, done.stdout + done.stderr

    def finish(self) -> None:
        """To the verified end, in this process."""
        assert self.life().state == "done"
        self.story.verified(self.side)

    def refusals(self) -> list[dict[str, str]]:
        """Bodies of the records of what was refused in this ceremony, in order."""
        record = tables.record.c
        with reading(self.configuration) as ledger, ledger.read() as connection:
            kind = select(record.octets).where(record.kind == "refusal").order_by(record.leaf_index)
            found = [decode(octets).get("body") for octets in connection.execute(kind).scalars()]
        told = [{name: str(value) for name, value in each.items()} for each in found if isinstance(each, dict)]
        return [each for each in told if each.get("ceremony") == self.name]

    def concluded(self) -> list[str]:
        """The steps that are done."""
        table = tables.ceremony_step.c
        done = select(table.step).where(table.name == self.name, table.entry.is_not(None)).order_by(table.number)
        with reading(self.configuration) as ledger, ledger.read() as connection:
            return list(connection.execute(done).scalars())

    def failing_module(self, control: Path) -> None:
        """From now on the module fails as the switch ``module`` in ``control`` says."""
        control.mkdir(exist_ok=True)
        config = self.deployment.config_path
        text, library = config.read_text(), self.configuration.file.module.library
        wrapper = faults.build(faults.FAILING)
        text = text.replace(f'library = "{library}"', f'library = "{wrapper}"')
        more = f'KEYBROKER_TEST_MODULE = "{library}"\nKEYBROKER_FAULTS = "{control}"\n'
        config.write_text(text.replace("[module.environment]\n", f"[module.environment]\n{more}"))


def prepared(plan_file: PlanFile, directory: Path) -> Spoilt:
    """A rehearsal of this plan in this directory, beside others that were there; ready to begin."""
    place = prepare_rehearsal(plan_file, directory)
    sides = tuple(place.configurations)
    return Spoilt(story=Story(directory=directory, plan=place.plan, sides=sides), side=sides[0])
