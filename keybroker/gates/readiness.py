"""Which gates of a key are shut whatever is asked of them? For readiness and lists; gates judge each request anew.

Only what does not depend on a request is looked at: a caller's system, a check, a count and the messages that were
approved are not. A use of which a gate asks nothing (one that is not supply sensitive, that nothing counts, or a
request for the key's own certificate) passes it all the same. A key in parts is shut here: no broker has its quorum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.gates import EXISTING_GATES
from keybroker.gates.located import Whereabouts
from keybroker.gates.model import ModuleIdentity, Surroundings
from keybroker.gates.module_agreement import agreeing_evidence
from keybroker.gates.outside import ledger_not_known, unreliable_clock
from keybroker.gates.pma_approval import how_it_came, why_no_use
from keybroker.gates.shortfall import Shortfall
from keybroker.gates.split_key import IN_PARTS, no_quorum
from keybroker.gates.thresholds import DCC, newest
from keybroker.gates.uk_location import fixed_places
from keybroker.gates.validated_module import judge_module
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.policy.rules import always_takes
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ModuleClassification
from keybroker.statement.standing import Standing
from keybroker.terms import CallerKind, ContentKind, DeploymentKind, KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutGate:
    """``clause`` is the policy's, or the one that says more."""

    gate: str
    clause: str
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"gate {self.gate} ({self.clause}): expected {self.expected}, found {self.found}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is held and seen at one moment, for every key alike."""

    deployment: DeploymentKind
    module: ModuleIdentity
    surroundings: Surroundings
    standing: Standing
    at: datetime


def shut_gates(key: RegisteredKey, policy: Policy, outlook: Outlook) -> tuple[ShutGate, ...]:
    """Of the gates that the key's policy names, in order."""
    found = ((gate, _look(gate.gate, key, policy, outlook)) for gate in policy.gates)
    return tuple(_shut(gate.gate, gate.clause, short) for gate, short in found if short is not None)


def _look(gate: str, key: RegisteredKey, policy: Policy, outlook: Outlook) -> Shortfall | None:
    existing = EXISTING_GATES[gate]
    around = outlook.surroundings
    clock = unreliable_clock(around) if existing.relies_on_time else None
    outside = clock or (ledger_not_known(around) if existing.spends or _always_takes(policy) else None)
    looks = _LOOKS.get(gate)
    return outside or (looks(key, policy, outlook) if looks is not None else None)


def _always_takes(policy: Policy) -> bool:
    """Does every use take something from the ledger? Then each of its gates is shut where that may be forgotten."""
    kinds = policy.content_kinds - {ContentKind.CERTIFICATE_SIGNING_REQUEST}
    return bool(kinds) and all(always_takes(kind, policy) for kind in kinds)


def _shut(gate: str, clause: str, short: Shortfall) -> ShutGate:
    return ShutGate(
        gate=gate, clause=short.clause or clause, expected=short.expected, found=short.found, remedy=short.remedy
    )


def _validated(key: RegisteredKey, policy: Policy, outlook: Outlook) -> Shortfall | None:
    short = _not_validated(policy, outlook)
    return short if not _needs_one_of_two(key, policy) or _not_classified(outlook) else None


def _classified(key: RegisteredKey, policy: Policy, outlook: Outlook) -> Shortfall | None:
    short = _not_classified(outlook)
    return short if not _needs_one_of_two(key, policy) or _not_validated(policy, outlook) else None


# SEC G2.44A: what a SMETS1 Service Provider asks decides which of the two its use demands, Level 3 or a module under
# the scheme (policy/smets1_circumstance.py). A DCO's demands Level 3 always (G2.44(c)).
def _needs_one_of_two(key: RegisteredKey, policy: Policy) -> bool:
    """Does one gate of the module look at every use, and the other let it by? Where both fall short, none is left."""
    return key.purpose is KeyPurpose.S1SP_SMETS1 and policy.settings.smets1 is not None


def _not_validated(policy: Policy, outlook: Outlook) -> Shortfall | None:
    if outlook.deployment is DeploymentKind.TEST:
        return None
    found = judge_module(policy.settings.module_validation, outlook.module, outlook.standing, outlook.at)
    return found if isinstance(found, Shortfall) else None


def _not_classified(outlook: Outlook) -> Shortfall | None:
    found = agreeing_evidence(ModuleClassification, outlook.module, outlook.standing, outlook.at)
    return found if isinstance(found, Shortfall) else None


def _located(key: RegisteredKey, _: Policy, outlook: Outlook) -> Shortfall | None:
    whereabouts = Whereabouts.of(outlook.standing, party=key.party, at=outlook.at)
    places = fixed_places(key.label, outlook.module, outlook.surroundings.node, outlook.standing)
    return next((short for place in places if (short := whereabouts.why_not(place)) is not None), None)


def _checkable(key: RegisteredKey, _: Policy, outlook: Outlook) -> Shortfall | None:
    kind = StatementKind.SUPPLY_SENSITIVE_CHECK
    for attester in outlook.standing.attesters.values():
        stands = attester.withdrawn_at is None and attester.since <= outlook.at < attester.until
        if stands and kind in attester.kinds and attester.party == key.party:
            return None
    return Shortfall(
        expected=f"a check system of {key.party}, enrolled now",
        found="none",
        reason="CHECK_SYSTEM_MISSING",
        remedy="enrol it: keybroker evidence enrol",
    )


def _counted(key: RegisteredKey, policy: Policy, outlook: Outlook) -> Shortfall | None:
    whose = str(key.eui) if CallerKind.USER_SYSTEM in policy.caller_kinds else DCC
    notified = newest(outlook.standing, outlook.surroundings.part, outlook.at).get(whose)
    if notified is not None and not notified.why_not:
        return None
    return Shortfall(
        expected=f"Anomaly Detection Thresholds of {whose} in force",
        found="none" if notified is None else notified.why_not,
        reason="THRESHOLD_NOT_SET",
        remedy="give their notification: keybroker thresholds notify",
    )


def _approved(key: RegisteredKey, _: Policy, outlook: Outlook) -> Shortfall | None:
    came = how_it_came(key, outlook.standing)
    return came if isinstance(came, Shortfall) else why_no_use(key, outlook.standing, outlook.at)


def _in_one_piece(key: RegisteredKey, _: Policy, __: Outlook) -> Shortfall | None:
    return no_quorum(key) if key.state in IN_PARTS else None


_LOOKS: Mapping[str, Callable[[RegisteredKey, Policy, Outlook], Shortfall | None]] = {
    "validated-module": _validated,
    "information-classification-module": _classified,
    "uk-location": _located,
    "supply-sensitive-check": _checkable,
    "anomaly-threshold": _counted,
    "pma-approval": _approved,
    "split-key": _in_one_piece,
}
"""The gates that can be shut for good; whether the module serves the key is looked at beside them."""
