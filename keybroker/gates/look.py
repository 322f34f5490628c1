"""What does a gate look at, and how does it say what it found? One look a gate and use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from keybroker.gates.model import GateEvidence, Looked
from keybroker.policy.model import AskedUse, GateRequirement
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.standing import Standing
from keybroker.terms import Finding, RuleName

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """At a use that is asked for, allowed or not: a gate goes by what it finds, never by what the rules said.

    ``offered`` are the statements that came with the request, each a compact JWS, not yet read.
    """

    use: AskedUse
    requirement: GateRequirement
    evidence: GateEvidence
    offered: tuple[bytes, ...] = ()

    @property
    def at(self) -> datetime:
        return self.evidence.at

    @property
    def standing(self) -> Standing:
        return self.evidence.standing

    def passed(self, *, expected: str, found: str) -> Finding:
        """``expected`` says what the gate requires, ``found`` what the pass rests on: which evidence, until when."""
        requirement = self.requirement
        return Finding(
            rule=RuleName(requirement.gate), clause=requirement.clause, passed=True, expected=expected, found=found
        )

    def refused(self, *, expected: str, found: str, reason: str, remedy: str, clause: str = "") -> Finding:
        """``reason`` is stable and upper case, one for each way to fail; ``clause`` where another than the policy's
        says it more exactly."""
        return Finding(
            rule=RuleName(self.requirement.gate),
            clause=clause or self.requirement.clause,
            passed=False,
            expected=expected,
            found=found,
            reason=reason,
            remedy=remedy,
        )

    def unfit(self, unfit: StatementUnfit, *, remedy: str) -> Finding:
        """The statement that was offered, or is held, cannot be relied on."""
        return self.refused(expected=unfit.expected, found=unfit.found, reason=unfit.flaw.value, remedy=remedy)

    def once(self, *names: str, find: Callable[[], T]) -> T:
        """What holds for the whole batch is found once: ``names`` are everything that it depends on besides."""
        key = (self.requirement.gate, self.requirement.clause, *names)
        kept: T | None = self.evidence.kept.get(key)
        if kept is None:
            kept = self.evidence.kept[key] = find()
        return kept


Judge = Callable[[Look], Looked]
