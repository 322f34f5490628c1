"""Against what is a plan judged? Register, evidence that is held, module and ledger of this side, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from keybroker.ceremony.plan import Side
from keybroker.gates.people import PeopleSettings
from keybroker.policy.model import Policy
from keybroker.statement.standing import Standing
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, KeyState, Provenance, RuleName


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key as the register has it. ``public_key`` is empty while it is only ordered."""

    label: str
    purpose: KeyPurpose
    party: str
    state: KeyState
    provenance: Provenance
    public_key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of its public key (65 octets), or of a secret key's CKA_ID."""
        return sha256(self.public_key).hexdigest() if self.public_key else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``busy``: label to name of the ceremony that is under way with it."""

    deployment: DeploymentKind
    origin: str
    serial: str
    side: Side
    keys: Mapping[str, KnownKey]
    busy: Mapping[str, str]
    policies: Mapping[KeyPurpose, Policy]
    standing: Standing
    people: PeopleSettings
    at: datetime


def passed(rule: str, clause: str, found: str) -> Finding:
    return Finding(rule=RuleName(rule), clause=clause, passed=True, found=found)


def refused(rule: str, clause: str, expected: str, found: str, reason: str, remedy: str = "") -> Finding:
    """``reason`` is stable and upper case."""
    return Finding(
        rule=RuleName(rule),
        clause=clause,
        passed=False,
        expected=expected,
        found=found,
        reason=reason,
        remedy=remedy or "change the plan, have it approved again, and check it again: keybroker ceremony check",
    )
