"""How did it end? Exit statuses of supervisor and workers (sysexits.h), as docs/operations.md explains them."""

from __future__ import annotations

from enum import IntEnum

from keybroker.errors import ConfigurationInvalid, KeybrokerError, LedgerBroken
from keybroker.hsm.pin import PinWrong


class ExitStatus(IntEnum):
    CLEAN = 0
    LEDGER_BROKEN = 65
    """EX_DATAERR: the ledger contradicts itself or the head kept in the token; only an operator can go on."""
    NOT_NOW = 75
    """EX_TEMPFAIL: token, ledger or port cannot be had now; trying again may help."""
    PIN_WRONG = 77
    """EX_NOPERM: the token refused the PIN; nobody tries again until an operator acts."""
    CONFIGURATION_INVALID = 78
    """EX_CONFIG."""


def exit_status(error: KeybrokerError) -> ExitStatus:
    """For an error that ended a start."""
    if isinstance(error, PinWrong):
        return ExitStatus.PIN_WRONG
    if isinstance(error, ConfigurationInvalid):
        return ExitStatus.CONFIGURATION_INVALID
    if isinstance(error, LedgerBroken):
        return ExitStatus.LEDGER_BROKEN
    return ExitStatus.NOT_NOW
