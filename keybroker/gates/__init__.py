"""Has what must happen outside happened? Decision and evidence to Permit, or GateShut.

A policy names its gates, each with its clause (``policies/<key-purpose>.toml``). A gate that is named but not built yet
shuts in a live deployment: no purpose is served on the promise of a check. In a test deployment its finding says so and
passes. The gates that are built stand in every deployment. Only ``open_gates`` makes a Permit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from keybroker.errors import GateNotEnforceable, GateShut, KeyNotServed
from keybroker.gates.key_served import key_served
from keybroker.gates.model import GateEvidence, Permit
from keybroker.policy.model import Decision, GateRequirement
from keybroker.policy.smets1_circumstance import why_not_demanded
from keybroker.terms import DeploymentKind, Finding, RuleName

__all__ = ["EXISTING_GATES", "Gate", "open_gates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate that is built: how it judges, and which refusal it raises when it is shut."""

    judge: Callable[[Decision, GateEvidence, GateRequirement], Finding]
    shut: type[GateShut]


EXISTING_GATES: Mapping[str, Gate] = {
    "key-served": Gate(judge=key_served, shut=KeyNotServed),
}
"""The gates that are built, by the name that policies give them."""


def open_gates(decision: Decision, evidence: GateEvidence) -> Permit:
    """Look at every gate that the policy names, collect every finding, and refuse once or permit.

    Raises: the leaf of GateShut that belongs to the first shut gate, holding the rules' and all gates' findings.
    """
    gates = decision.policy.gates
    looked = tuple(_look(gate, decision, evidence) for gate in gates)
    findings = decision.findings + looked
    for gate, finding in zip(gates, looked, strict=True):
        if not finding.passed:
            raise _refusal(gate, finding, findings)
    return Permit(decision=decision, findings=findings)


def _look(gate: GateRequirement, decision: Decision, evidence: GateEvidence) -> Finding:
    # SEC G2.44A: where Level 3 is not demanded of a SMETS1 use, G2.45 says which module, and the other way about.
    if decision.policy.settings.smets1 is not None and (not_demanded := why_not_demanded(gate.gate, decision)):
        return Finding(rule=RuleName(gate.gate), clause=gate.clause, passed=True, found=not_demanded)
    existing = EXISTING_GATES.get(gate.gate)
    if existing is not None:
        return existing.judge(decision, evidence, gate)
    return _not_yet_enforceable(gate.gate, gate.clause, decision.situation.deployment)


@cache
def _not_yet_enforceable(gate: str, clause: str, deployment: DeploymentKind) -> Finding:
    """The finding of a gate that is not built: the same every time, so it is made once."""
    if deployment is DeploymentKind.TEST:
        found = "not yet enforceable (test deployment)"
        return Finding(rule=RuleName(gate), clause=clause, passed=True, found=found)
    return Finding(
        rule=RuleName(gate),
        clause=clause,
        passed=False,
        expected="a gate that stands open",
        found="not yet enforceable",
    )


def _refusal(gate: GateRequirement, finding: Finding, findings: tuple[Finding, ...]) -> GateShut:
    existing = EXISTING_GATES.get(gate.gate)
    leaf = GateNotEnforceable if existing is None else existing.shut
    remedy = "no live deployment can serve this purpose yet" if existing is None else "tell the operator"
    told = f"{gate.gate}: expected {finding.expected}, found {finding.found} ({gate.clause}); {remedy}"
    return leaf(told, gate=gate.gate, clause=gate.clause, findings=findings)
