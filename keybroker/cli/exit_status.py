"""What does a command's exit status say? Four answers and one for the configuration; the same for every command."""

from __future__ import annotations

from enum import IntEnum

from keybroker.errors import ConfigurationInvalid, KeybrokerError, Refusal


class ExitStatus(IntEnum):
    DONE = 0
    REFUSED = 1
    """Decided against: by a rule, a gate, a check."""
    USAGE = 2
    """The command line is wrong."""
    FAULT = 3
    """It could not be done; nothing was decided against the caller."""
    CONFIGURATION = 78
    """EX_CONFIG: an operator must change something first."""


def exit_status(error: KeybrokerError) -> ExitStatus:
    if isinstance(error, ConfigurationInvalid):
        return ExitStatus.CONFIGURATION
    return ExitStatus.REFUSED if isinstance(error, Refusal) else ExitStatus.FAULT
