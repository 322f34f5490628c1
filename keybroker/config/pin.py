"""Where does the token's PIN come from? A prompt, a file descriptor, a systemd credential or an environment variable.

Asked for at the moment of use, through a function; never stored in a file of ours, never logged, never in a repr.
A prompt and a file descriptor can be read only once, so the supervisor keeps what they gave for as long as it runs;
Python cannot promise erasure.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import final

from keybroker.config.file import PinTable
from keybroker.errors import ConfigurationInvalid

_LONGEST = 255


@final
class Pin:
    """A way to get the PIN: ``pin()`` gives it. Its repr and its errors say where it comes from, never what it is."""

    __slots__ = ("_ask", "_kept", "_source")

    def __init__(self, ask: Callable[[], str], *, source: str, once: bool) -> None:
        self._ask = ask
        self._source = source
        self._kept: str | None = None
        if once:
            self._ask = self._read_once(ask)

    def __call__(self) -> str:
        """Raises: ConfigurationInvalid when the source gives nothing."""
        pin = self._ask().rstrip("\r\n")
        if not pin or len(pin) > _LONGEST:
            raise ConfigurationInvalid(f"the {self._source} gave no PIN", where="module.pin")
        return pin

    def __repr__(self) -> str:
        return f"<Pin from {self._source}>"

    def _read_once(self, ask: Callable[[], str]) -> Callable[[], str]:
        def read() -> str:
            if self._kept is None:
                self._kept = ask()
            return self._kept

        return read


def pin_from(table: PinTable) -> Pin:
    """The PIN's source as the configuration names it; nothing is read yet."""
    if table.environment is not None:
        return from_environment(table.environment)
    if table.file_descriptor is not None:
        return from_file_descriptor(table.file_descriptor)
    if table.credential is not None:
        return from_credential(table.credential)
    return from_prompt()


def from_environment(name: str) -> Pin:
    return Pin(lambda: os.environ.get(name, ""), source=f"environment variable {name}", once=False)


def from_file_descriptor(descriptor: int) -> Pin:
    def ask() -> str:
        try:
            with os.fdopen(descriptor, "r", encoding="utf-8") as stream:
                return stream.readline()
        except OSError as error:
            raise ConfigurationInvalid(f"file descriptor {descriptor} cannot be read", where="module.pin") from error

    return Pin(ask, source=f"file descriptor {descriptor}", once=True)


def from_credential(name: str) -> Pin:
    """systemd's LoadCredential: a file of that name in $CREDENTIALS_DIRECTORY."""

    def ask() -> str:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise ConfigurationInvalid("CREDENTIALS_DIRECTORY is not set: not started by systemd?", where="module.pin")
        try:
            return (Path(directory) / name).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationInvalid(f"credential {name} cannot be read", where="module.pin") from error

    return Pin(ask, source=f"credential {name}", once=False)


def from_prompt() -> Pin:
    def ask() -> str:
        if not sys.stdin.isatty():
            raise ConfigurationInvalid("no terminal to ask for the PIN on", where="module.pin")
        return getpass.getpass("PIN of the token: ")

    return Pin(ask, source="prompt", once=True)


def given(pin: str) -> Pin:
    """A PIN that the supervisor handed over."""
    return Pin(lambda: pin, source="supervisor", once=False)
