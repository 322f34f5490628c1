"""How does a command open the token? Once, and not at all while it is latched: tokens count wrong PINs, and lock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from keybroker.config import Configuration, Works, build_line, build_token
from keybroker.config.latch import find_latch, latch
from keybroker.hsm.pin import PinWrong
from keybroker.hsm.token_module import Token


@contextmanager
def opened_token(configuration: Configuration) -> Iterator[Token]:
    """The token, logged in; closed at the end.

    A wrong PIN is tried once and latches the module for everybody, as the supervisor would. Raises: PinWrong (also
    while latched, without a try), ModuleUnavailable, ConfigurationInvalid.
    """
    with _one_try(configuration):
        token = build_token(configuration, configuration.pin)
    try:
        yield token
    finally:
        token.close()


@contextmanager
def opened_line(configuration: Configuration) -> Iterator[Works]:
    """The whole line, beside the broker's workers'; closed at the end. Raises: as ``opened_token``; LedgerFault."""
    # What the module's log says stands beside what the command prints, not in it.
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    with _one_try(configuration):
        works = build_line(configuration, configuration.pin, worker="operator")
    try:
        yield works
    finally:
        works.close()


@contextmanager
def _one_try(configuration: Configuration) -> Iterator[None]:
    why = find_latch(configuration.data_directory)
    if why is not None:
        raise PinWrong(f"the module is latched, so the PIN is not tried; it was latched because: {why}")
    try:
        yield
    except PinWrong as error:
        configuration.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        latch(configuration.data_directory, error.sentence)
        raise
