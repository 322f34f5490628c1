"""How does a ceremony look and sound at a plain terminal or a serial console of 80 columns and 24 lines?

Everything is text, line by line, and reads the same in a transcript. Every question ends with ``> `` and takes ``help``
and ``stop``; what was typed before it was asked is no answer. What is hidden is not echoed, not even its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar, final

from keybroker.ceremony.plan import Participant, PlanFile
from keybroker.ceremony.room import Answered, Paused
from keybroker.ceremony.steps import Progress, Step
from keybroker.cli.ceremony_layout import LINES, bar, digest_lines, fact_lines, paragraphs, question_lines
from keybroker.cli.ceremony_pages import ALWAYS, signing_page, step_page, welcome_page
from keybroker.cli.ceremony_screens import SCREENS
from keybroker.cli.ceremony_terminal import Terminal
from keybroker.cli.ceremony_words import WORDS_TOLD, WordEntry
from keybroker.errors import ShareUnfit
from keybroker.terms import Finding

T = TypeVar("T")

_LARGEST = 64 * 1024 * 1024
"""Octets of a file: a photograph or a report that shows something."""
_LISTED = 8
"""Names of files that help says."""
_FEW = 8
"""Things of which each has a progress bar of its own; more of them have one at each quarter."""

_JUST_ENTER = "Press the Enter key alone when you are ready."


@final
class TerminalRoom:
    """A ``keybroker.ceremony.room.Room``. ``directory``: where the names of files begin."""

    def __init__(self, *, directory: Path, terminal: Terminal | None = None) -> None:
        self._directory = directory
        self._terminal = terminal or Terminal()
        self._lines = 0
        self._bar = ("", 0, 0)
        self._just_done = ""
        self._rests = False

    def welcome(self, plan_file: PlanFile, findings: tuple[Finding, ...]) -> None:
        """What will happen, to which keys, by whom."""
        self._show(welcome_page(plan_file, findings), together=True)
        self._enter("Press Enter when everybody has read this", "This is the plan. Is it the one that was approved?")

    def step(self, progress: Progress, step: Step) -> None:
        """Where we are, and what is next."""
        number, screen = progress.concluded + 1, SCREENS[step.name]
        self._show(step_page(progress, step, self._just_done), "bold", together=True)
        self._enter(f"Press Enter to begin step {number} of {len(progress.steps)}", f"{screen.happens}\n{screen.check}")

    def tell(self, text: str) -> None:
        self._show(paragraphs(text))

    def facts(self, facts: Mapping[str, object]) -> None:
        self._show(fact_lines(facts))

    def digest(self, what: str, digest: bytes) -> None:
        """Nothing follows it on its screen."""
        self._show(["", *digest_lines(what, digest)], "bold", together=True)
        told = f"Is it on your own paper? If one word differs, type stop: it is not the {what} that you think."
        self._enter(_compared(what), told)

    def consent(self, word: str, why: str) -> None:
        """Anything but the exact word asks again."""
        self._show(["", *paragraphs(f"{why}.".upper())], "bold red", together=True)
        told = f"Type {word} exactly so, in the same letters, if everybody agrees. Type stop if anybody does not."
        while self._answer(f"Type {word} to consent", told) != word:
            self._refuse("That is not the word. Nothing was done.")

    def ask(self, question: str, told: str, check: Callable[[str], T]) -> T:
        return self._accepted(lambda: check(self._answer(question, told).strip()))

    def ask_file(self, question: str, told: str, read: Callable[[bytes], T]) -> T:
        """A name begins at the ceremony's directory, or at the root."""
        return self._accepted(lambda: read(self._octets(self._answer(question, f"{told}\n{self._files()}").strip())))

    def ask_hidden(self, question: str, told: str, check: Callable[[str], T]) -> T:
        """Raises: Paused where there is no terminal."""
        with self._terminal.unseen():
            return self._accepted(lambda: check(_typed(self._answer(f"{question} (not shown)", told, ahead=True))))

    def ask_words(self, question: str, told: str, count: int, check: Callable[[str], T]) -> T:
        """The words of a share, hidden, in as many lines as it takes. Raises: Paused."""
        entry, told = WordEntry(count), f"{told}\n{WORDS_TOLD}"
        self._show([*paragraphs(question), *paragraphs(WORDS_TOLD)], together=True)
        with self._terminal.unseen():
            while True:
                self._accepted(lambda: entry.take(self._answer(f"{entry.question} (not shown)", told, ahead=True)))
                self.tell(f"{entry.taken} of {count} words taken")
                if entry.missing is not None:
                    continue
                try:
                    return check(entry.text())
                except ShareUnfit as unfit:
                    entry.forget(unfit.places)
                    self._refuse(unfit.sentence)
                except Answered as why:
                    self._refuse(f"{why}")

    def signing(self, person: Participant, entry_sha256: bytes) -> None:
        """Nobody's key is used before he presses Enter."""
        self._show(signing_page(person, entry_sha256), together=True)
        told = f"{person.name} signs the entry whose digest was compared, with his own key. Its PIN may be asked next."
        self._enter(f"Press Enter to sign as {person.name}", told)

    def progress(self, what: str, done: int, of: int) -> None:
        """A line for each of a few, for many one at each quarter: work waits for no answer in between."""
        quarter = 4 * done // max(of, 1)
        began = self._bar[:2] != (what, of)
        if began:
            self._make_room(min(of, _FEW) + 1)
        if began or of <= _FEW or quarter > self._bar[2]:
            self._show([bar(what, done, of)], "green")
        self._bar = (what, of, quarter) if done < of else ("", 0, 0)

    def concluded(self, step: Step, leaf_index: int) -> None:
        """What was just done."""
        self._just_done = f"{SCREENS[step.name].title} (record {leaf_index})"
        self._show(["", *paragraphs(f"DONE: {self._just_done}"), ""], "bold green", together=True)

    def _show(self, lines: Iterable[str], style: str = "", *, together: bool = False) -> None:
        """Never more between two answers than a screen holds, with its question."""
        shown = list(lines)
        if together:
            self._make_room(len(shown))
        for line in shown:
            self._make_room(1)
            self._terminal.write([line], style)
            self._lines += 1

    def _make_room(self, lines: int) -> None:
        """Who rests is not asked any more."""
        if self._lines and self._lines + lines >= LINES and not self._rests:
            self._enter("Press Enter to go on", "There is more than fits on one screen.")

    def _refuse(self, why: str) -> None:
        self._show(paragraphs(why), "bold red")

    def _enter(self, prompt: str, told: str) -> None:
        while self._answer(prompt, f"{told} {_JUST_ENTER}").strip():
            self.tell(_JUST_ENTER)

    def _answer(self, question: str, told: str, *, ahead: bool = False) -> str:
        """Whatever is no call for help. Raises: Paused."""
        *before, last = question_lines(question)
        self._show(before, "bold")
        while True:
            answer = self._asked(f"{last} > ", ahead=ahead)
            match answer.strip().lower():
                case "stop":
                    self._rests = True
                    raise Paused("Stopped at the terminal. Nothing is lost.")
                case "help":
                    self._show([*paragraphs(told), *paragraphs(ALWAYS)], "cyan", together=True)
                case _:
                    return answer

    def _asked(self, prompt: str, *, ahead: bool) -> str:
        """Raises: Paused."""
        self._lines = 0
        try:
            return self._terminal.ask(prompt, ahead=ahead)
        except Paused:
            self._rests = True
            self._terminal.write([""])
            raise

    def _accepted(self, attempt: Callable[[], T]) -> T:
        """Until an answer does."""
        while True:
            try:
                return attempt()
            except Answered as why:
                self._refuse(f"{why}")

    def _octets(self, name: str) -> bytes:
        """Raises: Answered where there is no such file."""
        file = self._directory / name
        try:
            if not name or not file.is_file():
                raise Answered(f"There is no file {file}." if name else "The name of a file is asked for.")
            if file.stat().st_size > _LARGEST:
                raise Answered(f"{file} has more than {_LARGEST} octets.")
            return file.read_bytes()
        except OSError as error:
            raise Answered(f"{file} cannot be read.") from error

    def _files(self) -> str:
        every = self._directory.iterdir() if self._directory.is_dir() else ()
        found = sorted(each.name for each in every if each.is_file() and not each.name.startswith("."))
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        return f"Names begin at {self._directory}, where there is: {', '.join(found[:_LISTED]) or 'nothing yet'}{more}."


def _compared(what: str) -> str:
    """In one line, however long the name of it is."""
    whole = f"Press Enter when everybody has compared the {what} digest"
    return whole if len(question_lines(whole)) == 1 else "Press Enter when everybody has compared this digest"


def _typed(answer: str) -> str:
    """Raises: Answered for an empty line."""
    if not answer:
        raise Answered("Nothing was typed.")
    return answer
