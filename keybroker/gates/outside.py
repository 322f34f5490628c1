"""What shuts a gate whatever it would find? A clock that may be wrong, a ledger that may be forgetful or forked."""

from __future__ import annotations

from keybroker.clause import clause
from keybroker.gates.model import Surroundings
from keybroker.gates.shortfall import Shortfall

CLOCK_UNRELIABLE, LEDGER_NOT_REMEMBERED = "CLOCK_UNRELIABLE", "LEDGER_NOT_REMEMBERED"
WITNESS_SILENT = "WITNESS_SILENT"


@clause("G2.46", "G2.47")
def unreliable_clock(around: Surroundings) -> Shortfall | None:
    """For every gate that relies on time."""
    if not around.clock.why_not:
        return None
    return Shortfall(
        expected="a clock that agrees with its source",
        found=around.clock.why_not,
        reason=CLOCK_UNRELIABLE,
        remedy="mend the clock or its source; the gate opens with the next reading that agrees",
    )


def ledger_not_known(around: Surroundings) -> Shortfall | None:
    """For every gate that spends or counts: is the ledger the one that is remembered outside it (invariant 5)?"""
    return ledger_not_remembered(around) or ledger_not_witnessed(around)


def ledger_not_remembered(around: Surroundings) -> Shortfall | None:
    if not around.rolled_back:
        return None
    return Shortfall(
        expected="a ledger that extends what is remembered outside it",
        found=around.rolled_back,
        reason=LEDGER_NOT_REMEMBERED,
        remedy="put the newest ledger back; or two people record a restore: keybroker ledger restore",
    )


def ledger_not_witnessed(around: Surroundings) -> Shortfall | None:
    if not around.unwitnessed:
        return None
    return Shortfall(
        expected="a ledger that as many witnesses as are demanded have cosigned lately",
        found=around.unwitnessed,
        reason=WITNESS_SILENT,
        remedy="look at the log and at the witnesses; the gate opens with the next cosignature",
    )
