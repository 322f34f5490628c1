"""A room without a terminal: what people would type is known beforehand, and it can die at any word that is spoken."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from keybroker.ceremony.plan import Participant, PlanFile
from keybroker.ceremony.room import Answered, Paused
from keybroker.ceremony.steps import Progress, Step
from keybroker.errors import ShareUnfit
from keybroker.terms import Finding

T = TypeVar("T")
Answer = str | Callable[[str], str]
"""What is typed, or what makes it of the question."""


@dataclass
class ScriptedRoom:
    """``answers``: by a word that the question holds; of a list each once. An ``Answered`` is told, and the next answer
    given. ``pause_at``: the step before which somebody stops. ``dies_at``: the process is killed there, STEP:announced,
    STEP:done (and nobody signed yet), STEP:signs or STEP:concluded.
    """

    directory: Path
    answers: Mapping[str, Answer | list[Answer]] = field(default_factory=dict)
    pause_at: str = ""
    dies_at: str = ""
    told: list[str] = field(default_factory=list)
    at: str = ""

    def say(self, text: str, instant: str = "") -> None:
        self.told.append(text)
        if instant and f"{self.at}:{instant}" == self.dies_at:
            print("\n".join(self.told), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def welcome(self, plan_file: PlanFile, findings: tuple[Finding, ...]) -> None:
        self.say(f"welcome {plan_file.plan.name} {len(findings)}")

    def step(self, progress: Progress, step: Step) -> None:  # noqa: ARG002 - the Protocol has it
        if step.name == self.pause_at:
            raise Paused("somebody stopped.")
        self.at = step.told
        self.say(f"step {step.told}", "announced")

    def tell(self, text: str) -> None:
        self.say(text)

    def facts(self, facts: Mapping[str, object]) -> None:
        self.say(str(dict(facts)))

    def digest(self, what: str, digest: bytes) -> None:
        self.say(f"{what} {digest.hex()}", "done" if what == "entry" else "")

    def consent(self, word: str, why: str) -> None:
        self.say(f"consent {word}: {why}")

    def ask(self, question: str, told: str, check: Callable[[str], T]) -> T:  # noqa: ARG002 - the Protocol has it
        while True:
            try:
                return check(self._answer(question))
            except Answered as why:
                self.say(f"not so: {why}")

    def ask_file(self, question: str, told: str, read: Callable[[bytes], T]) -> T:
        return self.ask(question, told, lambda name: read((self.directory / name).read_bytes()))

    def ask_hidden(self, question: str, told: str, check: Callable[[str], T]) -> T:
        return self.ask(question, told, check)

    def ask_words(self, question: str, told: str, count: int, check: Callable[[str], T]) -> T:  # noqa: ARG002
        def checked(typed: str) -> T:
            try:
                return check(typed)
            except ShareUnfit as unfit:
                raise Answered(unfit.sentence) from None

        return self.ask(question, told, checked)

    def signing(self, person: Participant, entry_sha256: bytes) -> None:  # noqa: ARG002 - the Protocol has it
        self.say(f"signs {person.name}", "signs")

    def progress(self, what: str, done: int, of: int) -> None:
        self.say(f"{what} {done} of {of}")

    def concluded(self, step: Step, leaf_index: int) -> None:  # noqa: ARG002 - the Protocol has it
        self.say(f"concluded {step.told}", "concluded")

    def _answer(self, question: str) -> str:
        self.say(f"asked {question}")
        for word, answers in self.answers.items():
            if word not in question:
                continue
            if isinstance(answers, list):
                if not answers:
                    continue
                answer = answers.pop(0)
            else:
                answer = answers
            return answer if isinstance(answer, str) else answer(question)
        raise AssertionError(f"nobody answers: {question}; told: {self.told[-6:]}")
