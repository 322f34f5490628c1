"""How is a line asked for at a terminal, and how is one asked for that nobody may see?

Lines are read whole from the file descriptor, past every buffer of the language, so that what was typed before it was
asked can be thrown away. While something hidden is typed the terminal echoes nothing; it is given back as it was
whatever happens, but for SIGKILL and a power cut: ``stty sane`` mends it then. What was typed stands in this process's
memory for a while: Python cannot promise erasure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import NoReturn, final

from keybroker.ceremony.room import Paused
from keybroker.cli.output import console, is_fancy

_LONGEST = 4096
"""Octets of a line: what a terminal takes at once."""

_LOCAL_MODES, _CONTROL_CHARACTERS = 3, 6
"""Where they stand in what ``tcgetattr`` gives."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_LEAVING = (termios.VSUSP, termios.VQUIT)
"""Characters that would stop or end the process and leave the terminal without echo."""

_ENDED = "The input ended: nobody is at the terminal. Nothing is lost."
_INTERRUPTED = "Interrupted at the terminal. Nothing is lost."


@contextlib.contextmanager
def resting_when_interrupted() -> Iterator[None]:
    """Ctrl-C is a way to rest, in the midst of a step too: what was begun is gone on with. Raises: Paused."""
    try:
        yield
    except KeyboardInterrupt:
        raise Paused(_INTERRUPTED) from None


@final
class Terminal:
    """Standard input and standard output, of the main thread."""

    def __init__(self) -> None:
        self._input = 0
        self._pending = bytearray()
        self._echoes = self.is_terminal

    @property
    def is_terminal(self) -> bool:
        """Can it be told not to echo?"""
        return os.isatty(self._input)

    @property
    def is_fancy(self) -> bool:
        return is_fancy()

    def write(self, lines: Iterable[str], style: str = "", end: str = "\n") -> None:
        """In that style of rich where colour is liked."""
        encoding = sys.stdout.encoding
        for line in lines:
            known = line.encode(encoding, "backslashreplace").decode(encoding)
            if style and is_fancy():
                console().print(known, style=style, end=end)
            else:
                sys.stdout.write(known + end)
        sys.stdout.flush()

    def ask(self, prompt: str, *, ahead: bool = False) -> str:
        """One line, without its end. ``ahead``: what was typed before it was asked counts.

        Raises: Paused at the end of the input, and for Ctrl-C.
        """
        with resting_when_interrupted():
            if not ahead:
                self._forget()
            self.write([prompt], "bold", end="")
            line = self._read_line()
        if not self._echoes:
            # The end of the line was not shown, so the prompt still stands there alone.
            self.write(["\r\x1b[2K" if is_fancy() and self.is_terminal else "\n"], end="")
        return line

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Nothing that is typed is echoed; what was typed before or is left over is thrown away.

        Raises: Paused where there is no terminal, and for SIGTERM and SIGHUP.
        """
        before = self._modes()
        handlers = {number: signal.getsignal(number) for number in _ENDING}
        try:
            for number in _ENDING:
                signal.signal(number, _ended)
            self._echoes = False
            termios.tcsetattr(self._input, termios.TCSAFLUSH, self._silent())
            self._pending.clear()
            yield
        finally:
            # A terminal that was hung up has no modes any more.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._input, termios.TCSAFLUSH, before)
            self._echoes = True
            self._pending.clear()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _modes(self) -> list[int | list[bytes | int]]:
        """Raises: Paused."""
        try:
            return termios.tcgetattr(self._input)
        except termios.error as error:
            raise Paused(
                "What is asked next is secret and is typed at a terminal, where echo can be turned off. Standard input"
                " is no terminal: nothing was read. Nothing is lost."
            ) from error

    def _silent(self) -> list[int | list[bytes | int]]:
        modes = self._modes()
        local, characters = modes[_LOCAL_MODES], modes[_CONTROL_CHARACTERS]
        if isinstance(local, int) and isinstance(characters, list):
            modes[_LOCAL_MODES] = local & ~(termios.ECHO | termios.ECHONL)
            for each in _LEAVING:
                characters[each] = bytes([os.fpathconf(self._input, "PC_VDISABLE")])
        return modes

    def _forget(self) -> None:
        if self.is_terminal:
            self._pending.clear()
            termios.tcflush(self._input, termios.TCIFLUSH)

    def _read_line(self) -> str:
        """Raises: Paused."""
        while (end := self._pending.find(b"\n")) < 0:
            try:
                read = os.read(self._input, _LONGEST)
            except OSError as error:
                # EIO: the terminal is gone.
                raise Paused(_ENDED) from error
            if not read or len(self._pending) > _LONGEST:
                raise Paused(_ENDED if not read else f"A line has at most {_LONGEST} octets. Nothing is lost.")
            self._pending += read
        line = self._pending[:end].decode("utf-8", "replace")
        del self._pending[: end + 1]
        return line.removesuffix("\r")


def _ended(number: int, _frame: FrameType | None) -> NoReturn:
    raise Paused(f"Ended by {signal.Signals(number).name}. Nothing is lost.")
