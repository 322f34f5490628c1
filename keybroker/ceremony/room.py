"""How does a ceremony speak with the people in the room? What it needs of a terminal, and no terminal here.

Every question has help, can be asked again as often as it takes, and can be answered with ``stop``: the ceremony then
rests, and ``resume`` goes on with it. What a custodian enters is never shown back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from keybroker.ceremony.plan import Participant, PlanFile
from keybroker.ceremony.steps import Progress, Step
from keybroker.terms import Finding

T = TypeVar("T")


class Paused(Exception):
    """Somebody stopped, or left: nothing is lost, and ``keybroker ceremony resume`` goes on."""


class Answered(Exception):
    """Why an answer does not do; the question is asked again."""


class Room(Protocol):
    """``check`` and ``read`` raise ``Answered`` for what does not do; everything may raise ``Paused``."""

    def welcome(self, plan_file: PlanFile, findings: tuple[Finding, ...]) -> None:
        """What will happen, to which keys, by whom."""
        ...

    def step(self, progress: Progress, step: Step) -> None:
        """Where we are, and what is next."""
        ...

    def tell(self, text: str) -> None: ...

    def facts(self, facts: Mapping[str, object]) -> None: ...

    def digest(self, what: str, digest: bytes) -> None:
        """As hexadecimal digits and as words, to be read aloud and compared."""
        ...

    def consent(self, word: str, why: str) -> None:
        """The exact word is typed."""
        ...

    def ask(self, question: str, told: str, check: Callable[[str], T]) -> T:
        """``told`` is the help."""
        ...

    def ask_file(self, question: str, told: str, read: Callable[[bytes], T]) -> T:
        """The name of a file is asked; ``read`` gets its octets."""
        ...

    def ask_hidden(self, question: str, told: str, check: Callable[[str], T]) -> T:
        """What is typed is not shown."""
        ...

    def ask_words(self, question: str, told: str, count: int, check: Callable[[str], T]) -> T:
        """So many words of a share, typed one at a time or together, not shown; ``check`` may raise ShareUnfit too."""
        ...

    def signing(self, person: Participant, entry_sha256: bytes) -> None:
        """It is this person's turn to sign."""
        ...

    def progress(self, what: str, done: int, of: int) -> None: ...

    def concluded(self, step: Step, leaf_index: int) -> None:
        """What was just done."""
        ...
