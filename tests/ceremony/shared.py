"""A key that is split, used, shared anew and proven: rehearsals on a real SoftHSM token, one ceremony after another.

Every ceremony of one ``Rehearsed`` is in the same throw-away deployment; people do what they should, unless a test says
otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from keybroker.ceremony.book import Held
from keybroker.ceremony.conducting import begin, conduct
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile, Side, SplitTerms, read_plan
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.config import read_configuration
from keybroker.statement.approval import ApprovedMessage
from keybroker.terms import KeyPurpose
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.scripted import Answer, ScriptedRoom
from tests.ceremony.share_answers import share_answers
from tests.deployments import prepare_rehearsal
from tests.messages import ANY_BY_RECOVERY, compose_command

RECOVERY = (KeyPurpose.RECOVERY_COMMAND, "recovery")
Answers = Mapping[str, Answer | list[Answer]]


@dataclass
class Rehearsed:
    """``directory`` holds the deployment (``here``), the people, and what each ceremony gives."""

    directory: Path
    threshold: int = 2
    count: int = 3
    room: ScriptedRoom = field(default_factory=lambda: ScriptedRoom(directory=Path()))

    def plan(self, kind: CeremonyKind, name: str, change: Callable[[Plan], Plan] = lambda plan: plan) -> PlanFile:
        file = a_plan(kind, a_key(*RECOVERY), name=name, threshold=self.threshold, count=self.count)
        return written(change(file.plan))

    def run(self, plan_file: PlanFile, answers: Answers, **more: Any) -> Held:
        """Begun, or gone on with; ``more`` is the room's, or the approval's ``messages`` and ``uses``."""
        approved = {each: more.pop(each) for each in ("messages", "uses") if each in more}
        rehearsal = prepare_rehearsal(plan_file, self.directory, **approved)
        in_place = read_plan(rehearsal.plan.read_bytes())
        given = self.given(plan_file.plan.name)
        self.room = ScriptedRoom(directory=given, answers=self._answers(answers, given), **more)
        with self.hall(given) as hall:
            name = plan_file.plan.name
            if hall.book.find(name) is None:
                begin(hall, self.room, in_place)
            else:
                conduct(hall, self.room, name)
            return hall.book.get(name)

    @property
    def deployment(self) -> Deployment:
        return open_deployment(self.directory / "here")

    def given(self, name: str) -> Path:
        return self.directory / f"{name}.here"

    @contextmanager
    def hall(self, given: Path) -> Iterator[Hall]:
        os.environ.update(self.deployment.broker_environment)
        configuration = read_configuration(self.deployment.config_path)
        people = self.directory / "people.toml"
        with opened_hall(configuration, self.room, side=Side.HERE, people=people, directory=given) as hall:
            yield hall

    def _answers(self, answers: Answers, given: Path) -> dict[str, Answer | list[Answer]]:
        """The test's own come first, also where a question holds words of both."""
        usual = {word: answer for word, answer in self.usual(given).items() if word not in answers}
        return {**answers, **usual}

    def usual(self, given: Path) -> dict[str, Answer | list[Answer]]:
        """What everybody types who has nothing else to say."""
        pin: dict[str, Answer | list[Answer]] = {"Security officer's PIN": self.deployment.so_pin}
        return {**pin, **share_answers(self.directory, given)}

    def split(self, **more: Any) -> Held:
        return self.run(self.plan(CeremonyKind.SPLIT, "split-recovery"), {}, **more)

    def combine(self, messages: Sequence[bytes], *, uses: int = 0, name: str = "combine-recovery", **more: Any) -> Held:
        """The quorum comes, and has these messages signed; all of them are approved, ``uses`` times in all."""
        approved = self._approved(name, messages)
        plan_file = self.plan(CeremonyKind.COMBINE, name)
        return self.run(plan_file, more.pop("answers", {}), messages=approved, uses=uses or len(messages), **more)

    def _approved(self, name: str, messages: Sequence[bytes]) -> tuple[ApprovedMessage, ...]:
        """Beside their files in the ceremony's directory."""
        given = self.given(name)
        given.mkdir(exist_ok=True)
        for number, octets in enumerate(messages, start=1):
            (given / f"asked-{number}").write_bytes(octets)
        return tuple(ApprovedMessage(octets_sha256=sha256(each).hexdigest()) for each in messages)

    def reshare(self, generation: int = 2, *, answers: Answers | None = None, **more: Any) -> Held:
        name = f"reshare-{generation}"
        return self.run(self.plan(CeremonyKind.RESHARE, name, of_generation(generation)), answers or {}, **more)

    def prove(self, *, name: str = "verify-recovery", answers: Answers | None = None, **more: Any) -> Held:
        return self.run(self.plan(CeremonyKind.VERIFY_SHARES, name), answers or {}, **more)

    def message(self, counter: int = 1) -> bytes:
        """CS02b by the Recovery key (0x0108), to be signed."""
        eui = self.deployment.keys["recovery"].eui
        assert eui is not None
        return compose_command(code=ANY_BY_RECOVERY, originator=eui, counter=counter)


def of_generation(generation: int) -> Callable[[Plan], Plan]:
    """The plan of a later set."""
    terms = SplitTerms(
        mechanism="slip39", sites=("site-a", "site-b"), copies=3, generation=generation, of_appendix_l=False
    )
    return lambda plan: plan.model_copy(update={"split": terms})
