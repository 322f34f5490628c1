"""What falls short, by which reason, and what is to be done? Found about evidence; a gate makes its finding of it."""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.gates.look import Look
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.terms import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """``reason`` is stable and upper case; ``clause`` is empty where the gate's own says it."""

    expected: str
    found: str
    reason: str
    remedy: str
    clause: str = ""

    def shuts(self, look: Look) -> Finding:
        """The finding of the gate that looked."""
        return look.refused(
            expected=self.expected, found=self.found, reason=self.reason, remedy=self.remedy, clause=self.clause
        )


def void(unfit: StatementUnfit, *, about: str, lapsed: str, remedy: str) -> Shortfall:
    """The held statement ``about`` something does not count.

    ``lapsed`` is the reason for one whose time is over; others keep their own.
    """
    reason = lapsed if unfit.flaw is Flaw.LAPSED else unfit.flaw.value
    return Shortfall(expected=f"{about}: {unfit.expected}", found=unfit.found, reason=reason, remedy=remedy)
