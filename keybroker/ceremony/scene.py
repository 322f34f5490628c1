"""Against what is a plan judged? Register, evidence that is held, module and ledger of this side, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.ceremony.plan import Side
from keybroker.gates.people import PeopleSettings
from keybroker.gates.people import asked as finding
from keybroker.gates.people.asked import passed
from keybroker.hsm.profile_sections import QuorumAdapter
from keybroker.keys.known_key import KnownKey
from keybroker.policy.model import Policy
from keybroker.statement.standing import Standing
from keybroker.terms import DeploymentKind, Finding, KeyPurpose

__all__ = ["KnownKey", "Scene", "passed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``busy``: label to name of the ceremony that is under way with it. ``quorum``: the module's own, by which it
    holds a key in parts, as its profile says; ``split_by``: of a key in parts, the mechanism."""

    deployment: DeploymentKind
    origin: str
    serial: str
    side: Side
    quorum: QuorumAdapter
    split_by: Mapping[str, str]
    keys: Mapping[str, KnownKey]
    busy: Mapping[str, str]
    policies: Mapping[KeyPurpose, Policy]
    standing: Standing
    people: PeopleSettings
    at: datetime


def refused(rule: str, clause: str, expected: str, found: str, reason: str, remedy: str = "") -> Finding:
    """``reason`` is stable and upper case."""
    again = "change the plan, have it approved again, and check it again: keybroker ceremony check"
    return finding.refused(rule, clause, expected=expected, found=found, reason=reason, remedy=remedy or again)
