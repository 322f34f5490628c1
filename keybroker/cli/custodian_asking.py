"""How is a custodian asked? In words, with help at every prompt and another try after every slip; nothing secret shown.

Somebody does this once a year. Where no terminal is there, the PIN comes as the configuration's may (environment, file
descriptor, systemd credential), and a word of consent by an option.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from keybroker.ceremony.person_key import TRIES, PersonPinWrong, in_few_tries
from keybroker.config.file import PinTable
from keybroker.config.pin import Pin, pin_from
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.person_token import Tries

PinEnvironment = Annotated[
    str | None, typer.Option("--pin-environment", help="The environment variable that holds the PIN; else it is asked.")
]
PinDescriptor = Annotated[
    int | None, typer.Option("--pin-file-descriptor", help="The file descriptor that gives the PIN.", min=3)
]
PinCredential = Annotated[str | None, typer.Option("--pin-credential", help="The systemd credential with the PIN.")]

_Done = TypeVar("_Done")

_PIN_HELP = """The PIN is the one of your own token, which you set when you got it.
It is not shown while you type, and it is kept nowhere.
After a wrong PIN you may try again, three times in all; the token counts too,
and locks after too many: then its security officer sets a new PIN."""
_LEFT = {
    Tries.LOW: "The token says: few tries are left.",
    Tries.FINAL: "The token says: THIS IS THE LAST TRY before it locks the PIN.",
}


class PinAsked:
    """``AskPin`` of one command: a good PIN is asked for once, and forgotten when it was wrong or the command ends."""

    __slots__ = ("_given", "_kept")

    def __init__(self, *, environment: str | None, file_descriptor: int | None, credential: str | None) -> None:
        """Raises: BadParameter for more than one source."""
        sources = {"environment": environment, "file_descriptor": file_descriptor, "credential": credential}
        named = {name: value for name, value in sources.items() if value is not None}
        if len(named) > 1:
            raise typer.BadParameter("expected one source of the PIN, found several")
        self._given: Pin | None = pin_from(PinTable.model_validate(named)) if named else None
        self._kept: str | None = None

    def __call__(self, tries: Tries) -> str:
        """Raises: ConfigurationInvalid where there is nobody to ask."""
        if self._given is not None:
            return self._given()
        if self._kept is None:
            if tries in _LEFT:
                tell(_LEFT[tries])
            self._kept = ask_hidden("PIN of your token (Enter alone: help): ", help_=_PIN_HELP)
        return self._kept

    def __repr__(self) -> str:
        return "<PinAsked>"

    def using(self, use: Callable[[], _Done]) -> _Done:
        """What ``use`` gives, in a few tries where somebody can be asked again. Raises: PersonPinWrong."""
        return use() if self._given is not None else in_few_tries(use, self._told)

    def _told(self, wrong: PersonPinWrong, left: int) -> None:
        self._kept = None
        tell(f"Not accepted: {wrong.sentence}.")
        tell(f"You may try again; tries left here: {left}." if left else "No try is left here.")


def passphrase(file: str) -> bytes:
    """Of an encrypted key file. Raises: ConfigurationInvalid where there is nobody to ask."""
    told = "The passphrase is the one that you gave when this key file was encrypted."
    return ask_hidden(f"Passphrase of {file} (Enter alone: help): ", help_=told).encode()


def ask_hidden(prompt: str, *, help_: str) -> str:
    """Asked again until something was typed, with help. Raises: ConfigurationInvalid without a terminal."""
    if not sys.stdin.isatty():
        raise ConfigurationInvalid("no terminal to ask for the PIN on; see --pin-environment", where="custodian.pin")
    while True:
        typed = getpass.getpass(prompt)
        if typed:
            return typed
        tell(help_)


def ask_word(word: str, *, given: str | None, why: str, help_: str) -> None:
    """Consent: exactly this word, typed or ``given`` by an option. Raises: BadParameter, also after three slips."""
    if given is not None or not sys.stdin.isatty():
        if given != word:
            raise typer.BadParameter(f"expected --word {word}, found {given or 'none'}: {why}")
        return
    tell(why)
    for left in reversed(range(TRIES)):
        typed = input(f'Type exactly "{word}" to go on, "help", or "stop": ').strip()
        if typed == word:
            return
        if typed == "stop":
            break
        tell(help_ if typed == "help" else f"That was not the word. Tries left: {left}.")
    raise typer.BadParameter(f"stopped: the word {word} was not typed, and nothing was done")


def tell(text: str) -> None:
    """To the person, beside what the command prints."""
    print(text, file=sys.stderr)
