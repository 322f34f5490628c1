"""Has what must happen outside happened? Decision and evidence to Permit, or GateShut.

A policy names its gates, each with its clause (``policies/<key-purpose>.toml``). Every gate stands in every deployment;
a test deployment relaxes ``validated-module`` alone, and its finding says so. Only ``open_gates`` makes a Permit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.clause import clause
from keybroker.errors import (
    ApprovalNotShown,
    CheckNotShown,
    ClockUnreliable,
    ContentMalformed,
    GateShut,
    KeyNotServed,
    LedgerNotRemembered,
    LocationNotShown,
    ModuleNotShown,
    QuorumNotPresent,
    ThresholdNotSet,
    WitnessSilent,
)
from keybroker.gates.anomaly_threshold import anomaly_threshold
from keybroker.gates.classified_module import classified_module
from keybroker.gates.key_served import key_served
from keybroker.gates.look import Judge, Look
from keybroker.gates.model import GateEvidence, Looked, Permit
from keybroker.gates.outside import (
    CLOCK_UNRELIABLE,
    LEDGER_NOT_REMEMBERED,
    WITNESS_SILENT,
    ledger_not_known,
    unreliable_clock,
)
from keybroker.gates.pma_approval import pma_approval
from keybroker.gates.shortfall import Shortfall
from keybroker.gates.split_key import split_key
from keybroker.gates.supply_sensitive_check import supply_sensitive_check
from keybroker.gates.uk_location import uk_location
from keybroker.gates.validated_module import validated_module
from keybroker.policy.model import AskedUse, Decision, GateRequirement
from keybroker.policy.rules import always_takes
from keybroker.policy.smets1_circumstance import why_not_demanded
from keybroker.terms import Finding, RuleName

__all__ = ["EXISTING_GATES", "Gate", "came_too_late", "look_beside", "open_gates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How a gate judges, and which refusal it raises when it is shut.

    ``relies_on_time``: what it looks at is valid for a time; ``spends``: what it lets through is used once, or counted.
    """

    judge: Judge
    shut: type[GateShut]
    relies_on_time: bool = False
    spends: bool = False


EXISTING_GATES: Mapping[str, Gate] = {
    "key-served": Gate(judge=key_served, shut=KeyNotServed),
    "validated-module": Gate(judge=validated_module, shut=ModuleNotShown, relies_on_time=True),
    "information-classification-module": Gate(judge=classified_module, shut=ModuleNotShown, relies_on_time=True),
    "uk-location": Gate(judge=uk_location, shut=LocationNotShown, relies_on_time=True),
    "supply-sensitive-check": Gate(judge=supply_sensitive_check, shut=CheckNotShown, relies_on_time=True, spends=True),
    "anomaly-threshold": Gate(judge=anomaly_threshold, shut=ThresholdNotSet, relies_on_time=True, spends=True),
    "pma-approval": Gate(judge=pma_approval, shut=ApprovalNotShown, relies_on_time=True, spends=True),
    "split-key": Gate(judge=split_key, shut=QuorumNotPresent, relies_on_time=True),
}
"""Every gate that a policy may name (``policy.file_form.GateName``)."""

_UNASKED = "STATEMENT_NOT_ASKED_FOR"
_TOO_LATE = frozenset({"CHECK_TOO_OLD", "STATEMENT_LAPSED"})
_SHUT_BY_ANY: Mapping[str, type[GateShut]] = {
    CLOCK_UNRELIABLE: ClockUnreliable,
    LEDGER_NOT_REMEMBERED: LedgerNotRemembered,
    WITNESS_SILENT: WitnessSilent,
}


@clause("G2.22I(b)(ii)", "G2.46", "G2.47")
def open_gates(decision: Decision, evidence: GateEvidence, offered: tuple[bytes, ...] = ()) -> Permit:
    """Look at every gate that the policy names, collect every finding, and refuse once or permit.

    ``offered`` are the statements that came with the request. Raises: the leaf of GateShut that belongs to the first
    shut gate, holding the rules' and all gates' findings.
    """
    gates, takes = decision.policy.gates, bool(decision.claims)
    looked = tuple(
        _look(Look(use=decision, requirement=gate, evidence=evidence, offered=offered), takes=takes) for gate in gates
    )
    findings = decision.findings + tuple(each.finding for each in looked)
    for gate, each in zip(gates, looked, strict=True):
        if not each.finding.passed:
            raise _refusal(gate, each.finding, findings)
    used = tuple(statement for each in looked for statement in each.used)
    if len(used) < len(offered):
        raise _unasked(gates[0], findings)
    return Permit(
        decision=decision,
        findings=findings,
        claims=decision.claims + tuple(claim for each in looked for claim in each.claims),
        counts=tuple(count for each in looked for count in each.counts),
        used=used,
    )


def came_too_late(shut: GateShut) -> bool:
    """Is all that is wrong that the time of a statement that came with the request has run out? Whoever asks the same
    again may then still be given what was made in time.
    """
    return all(finding.passed or finding.reason in _TOO_LATE for finding in shut.findings)


def look_beside(use: AskedUse, evidence: GateEvidence, offered: tuple[bytes, ...] = ()) -> tuple[Finding, ...]:
    """What each gate finds of a use that the rules refuse: for telling alone. Nothing is permitted, taken or counted.

    What it would take is not made out, for its octets may be anything: what always takes something is looked at so.
    """
    takes = always_takes(use.content.kind, use.policy)
    looks = (Look(use=use, requirement=gate, evidence=evidence, offered=offered) for gate in use.policy.gates)
    return tuple(_told(look, takes=takes) for look in looks)


def _told(look: Look, *, takes: bool) -> Finding:
    try:
        return _look(look, takes=takes).finding
    except ContentMalformed as malformed:
        return look.refused(
            expected=malformed.expected,
            found=f"{malformed.found}, at offset {malformed.offset}",
            reason=malformed.reason,
            remedy="put right what the rules refuse first",
        )


def _look(look: Look, *, takes: bool) -> Looked:
    """``takes``: the use itself takes something from the ledger, whatever its gates take."""
    gate, use = look.requirement, look.use
    # SEC G2.44A: where Level 3 is not demanded of a SMETS1 use, G2.45 says which module, and the other way about.
    if use.policy.settings.smets1 is not None and (not_demanded := why_not_demanded(gate.gate, use)):
        return Looked(finding=look.passed(expected="nothing of this use", found=not_demanded))
    existing = EXISTING_GATES[gate.gate]
    outside = _outside(look, existing, takes=takes)
    return existing.judge(look) if outside is None else Looked(finding=outside.shuts(look))


def _outside(look: Look, gate: Gate, *, takes: bool) -> Shortfall | None:
    around = look.evidence.surroundings
    clock = unreliable_clock(around) if gate.relies_on_time else None
    return clock or (ledger_not_known(around) if gate.spends or takes else None)


def _refusal(gate: GateRequirement, finding: Finding, findings: tuple[Finding, ...]) -> GateShut:
    leaf = _SHUT_BY_ANY.get(finding.reason) or EXISTING_GATES[gate.gate].shut
    remedy = finding.remedy or "tell the operator"
    told = f"{gate.gate}: expected {finding.expected}, found {finding.found} ({finding.clause}); {remedy}"
    return leaf(told, gate=gate.gate, clause=finding.clause, findings=findings)


def _unasked(first: GateRequirement, findings: tuple[Finding, ...]) -> GateShut:
    """A statement that nobody looks at would be neither checked nor spent."""
    finding = Finding(
        rule=RuleName("statement-asked-for"),
        clause="G3.25",
        passed=False,
        expected="as many statements as the gates of this purpose ask for",
        found="more",
        reason=_UNASKED,
        remedy="leave out what no gate asks for",
    )
    told = f"statement-asked-for: expected {finding.expected}, found more (G3.25); {finding.remedy}"
    return CheckNotShown(told, gate=first.gate, clause="G3.25", findings=(*findings, finding))
