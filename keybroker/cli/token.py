"""How does a command open the token? Once, and not at all while it is latched: tokens count wrong PINs, and lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keybroker.config import Configuration, build_token
from keybroker.config.latch import find_latch, latch
from keybroker.hsm.token import PinWrong, Token


@contextmanager
def opened_token(configuration: Configuration) -> Iterator[Token]:
    """The token, logged in; closed at the end.

    A wrong PIN is tried once and latches the module for everybody, as the supervisor would. Raises: PinWrong (also
    while latched, without a try), ModuleUnavailable, ConfigurationInvalid.
    """
    why = find_latch(configuration.data_directory)
    if why is not None:
        raise PinWrong(f"the module is latched, so the PIN is not tried; it was latched because: {why}")
    try:
        token = build_token(configuration, configuration.pin)
    except PinWrong as error:
        configuration.data_directory.mkdir(parents=True, exist_ok=True)
        latch(configuration.data_directory, error.sentence)
        raise
    try:
        yield token
    finally:
        token.close()
