"""Somebody at a terminal of 80 columns and 24 lines: reads what a command shows, and answers as a script says.

A script maps what a question says (a regular expression; every question ends with ``> ``) to what is typed, or to what
makes it of the question. What is ``Secret`` must never be shown; nothing may be wider than the terminal.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import filterfalse, pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import pexpect

COLUMNS, LINES = 80, 24
ENTER = ""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_of_grpc = re.compile(r"[EIW]\d{4} \d\d:\d\d:\d\d\.").match
"""What gRPC in the test's own process says when that is forked, before the command takes its place."""
_SHORTEST = 4
"""Letters of a secret that is looked for."""


class Secret(str):
    """Typed, and never to be seen."""

    __slots__ = ()


Answer = str | Sequence[str] | Callable[[str], str]
"""What is typed each time, or one after the other, or what makes it of the question's last line."""

ALWAYS: Mapping[str, Answer] = {r"Press Enter ": ENTER}
"""What everybody does who wants to go on."""


class Conductor:
    """Runs a command at a terminal of its own. The first expression that fits a question answers it.

    ``screen`` is everything that was shown. Used as a context, it ends the command where it still runs.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        answers: Mapping[str, Answer],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        plain: bool = True,
        width: int = COLUMNS,
        timeout: float = 60,
    ) -> None:
        self._answers = {**answers, **ALWAYS}
        self._given: dict[str, int] = {}
        self._typed: list[str] = []
        self._shown: list[str] = []
        self._width = width
        self._program = " ".join(map(str, command))
        self._child = pexpect.spawn(
            str(command[0]),
            [str(each) for each in command[1:]],
            env=_environment(env, plain=plain),
            cwd=None if cwd is None else str(cwd),
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            codec_errors="replace",
            timeout=timeout,
        )
        # Every question is waited for: there is no need to type slowly.
        self._child.delaybeforesend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.close(force=True)

    @property
    def screen(self) -> str:
        """What was shown until now, in the lines of a transcript."""
        return _CONTROL.sub("", self.raw).replace("\r\n", "\n")

    @property
    def raw(self) -> str:
        """The same with its control sequences."""
        return "".join(self._shown)

    @property
    def pid(self) -> int:
        """Of the command."""
        return int(self._child.pid or 0)

    @property
    def echoes(self) -> bool:
        """Does the terminal show what is typed?"""
        return bool(self._child.getecho())

    def run(self) -> int:
        """To the end: the exit status, or the signal that ended it as a negative number."""
        self._go_on(None)
        return self._status()

    def to(self, question: str, *, timeout: float | None = None) -> None:
        """Answers everything until a question that fits this expression; that one is left open."""
        assert self._go_on(question, timeout), f"{self._program} ended before it asked {question!r}:\n{self.screen}"

    def give(self, answer: str) -> None:
        """Types an answer now."""
        self._typed.append(answer)
        self._child.sendline(answer)

    def send_control(self, letter: str) -> None:
        """As Ctrl and that letter."""
        self._child.sendcontrol(letter)

    def kill(self, number: int = 9) -> int:
        """Ends the command by a signal, SIGKILL if nothing else is said; the status as ``run`` gives it."""
        self._child.kill(number)
        return self.run()

    def check(self) -> None:
        """Nothing that was secret was shown, and no line is wider than it may be."""
        shown = self.screen
        seen = [place for place, secret in enumerate(self._secrets()) if secret in shown.lower()]
        assert not seen, f"secrets {seen} of {self._program} were shown"
        for line in filterfalse(_of_grpc, shown.splitlines()):
            assert len(self._without_answer(line)) <= self._width, line

    def _go_on(self, until: str | None, timeout: float | None = None) -> bool:
        questions = [*([] if until is None else [until]), *self._answers]
        fitting = [re.compile(f"(?:{each})[^\\r\\n]*?> ") for each in questions]
        wait = -1 if timeout is None else timeout
        while (found := self._child.expect([*fitting, pexpect.TIMEOUT, pexpect.EOF], wait)) <= len(questions):
            self._keep()
            if found == len(questions):
                raise AssertionError(f"{self._program} asks what nobody answers, or hangs:\n{self.screen}")
            if until is not None and found == 0:
                return True
            self.give(self._next(questions[found], str(self._child.after)))
        self._keep()
        return False

    def _keep(self) -> None:
        """What was shown, question included; of a timeout, all that is there."""
        after = self._child.after
        before = self._child.before or ""
        self._shown.append(before + (after if isinstance(after, str) else ""))

    def _next(self, question: str, shown: str) -> str:
        answer = self._answers[question]
        if isinstance(answer, str):
            return answer
        if callable(answer):
            return answer(shown.removesuffix("> ").rstrip())
        number = self._given.get(question, 0)
        assert number < len(answer), f"{question!r} is asked more often than {len(answer)} times:\n{self.screen}"
        self._given[question] = number + 1
        return answer[number]

    def _status(self) -> int:
        self._child.close()
        self.check()
        status, number = self._child.exitstatus, self._child.signalstatus
        return -int(number or 0) if status is None else int(status)

    def _secrets(self) -> set[str]:
        """What is typed in one line, and, as single words are in other texts too, each word with its neighbour."""
        secrets = [each.lower() for each in self._typed if isinstance(each, Secret)]
        words = " ".join(secrets).split()
        pairs = {f"{one}{between}{other}" for one, other in pairwise(words) for between in " \n"}
        whole = {each for each in secrets if " " in each or not each.isalpha()}
        return {each for each in whole | pairs if len(each) >= _SHORTEST} | {f"> {each}" for each in secrets if each}

    def _without_answer(self, line: str) -> str:
        """What somebody types may be longer than a line has room for: the terminal wraps it."""
        asked, mark, answer = line.rpartition("> ")
        return asked + mark if mark and answer in self._typed else line


def _environment(env: Mapping[str, str] | None, *, plain: bool) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYBROKER_")}
    clean |= {"TERM": "dumb" if plain else "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
    clean.pop("NO_COLOR", None)
    return {**clean, **({"NO_COLOR": "1"} if plain else {}), **(env or {})}
