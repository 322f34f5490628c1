"""What the gates of module and location look at: good evidence, of which a test takes one piece and spoils it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from keybroker.gates.look import Look
from keybroker.policy.model import Decision
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, ModuleClassification, ModuleValidation
from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import DeploymentKind, KeyPurpose
from tests import evidence
from tests.situations import AT, a_certificate, a_decision, a_key, a_situation, evidence_of

DAY = timedelta(days=1)
ACB, SUPPLIER = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, KeyPurpose.SUPPLIER_PRE_COMMAND
NAMES: dict[str, Any] = {
    "manufacturer": evidence.MODULE.manufacturer,
    "model": evidence.MODULE.model,
    "serial": evidence.MODULE.serial,
    "members": [evidence.MODULE.serial],
    "firmware_version": evidence.MODULE.firmware_version,
    "hardware_version": evidence.MODULE.hardware_version,
}
VALIDATION: dict[str, Any] = {
    "module": NAMES,
    "standard": "FIPS 140-3",
    "level": 3,
    "certificate": "4962",
    "status": "active",
    "approved_mode": True,
    "obtained": "from the public list of validated modules",
    "checked": int((AT - DAY).timestamp()),
}
CLASSIFICATION: dict[str, Any] = {"module": NAMES, "scheme": "ICS 4", "classification": "SECRET"}
LOCATION: dict[str, Any] = {
    "party": "supplier-a",
    "country": "GB",
    "site": "test-site",
    "environment": {
        "standard": "ISO/IEC 27001",
        "reference": "IS 1",
        "expires": int((AT + 100 * DAY).timestamp()),
    },
    "people": ["alice"],
}


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """What is held instead of what is good, and how it is looked at; ``reason`` must be told."""

    reason: str
    held: tuple[Statement, ...]
    module: dict[str, Any] | None = None
    clause: str = ""
    found: str = ""
    at: Any = AT
    standing: dict[str, Any] | None = None
    policy: Any = None

    def __str__(self) -> str:
        return f"{self.reason} {self.found}".strip()


def stated(said: Said) -> Statement:
    """One that is held, as it was when it was taken in: it may have lapsed since."""
    return evidence.stated(said, at=said.issued)


def named(**changes: Any) -> dict[str, Any]:
    return {"module": NAMES | changes}


def a_validation(*, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any) -> Statement:
    common = evidence.in_common(StatementKind.MODULE_VALIDATION, at=AT - ago, last=last)
    return stated(ModuleValidation.model_validate(common | VALIDATION | changes))


def a_classification(*, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any) -> Statement:
    common = evidence.in_common(StatementKind.MODULE_CLASSIFICATION, at=AT - ago, last=last)
    return stated(ModuleClassification.model_validate(common | CLASSIFICATION | changes))


def a_location(
    of: str, subject: str, *, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any
) -> Statement:
    said: dict[str, Any] = LOCATION | {"of": of, "subject": subject}
    if of == "person":
        said |= {"environment": None, "people": []}
    common = evidence.in_common(StatementKind.LOCATION, at=AT - ago, last=last)
    return stated(Location.model_validate(common | said | changes))


def a_standing(*held: Statement, **changes: Any) -> Standing:
    return replace(Standing(attesters=evidence.attesters(), statements=held), **changes)


def live(purpose: KeyPurpose) -> Decision:
    key = replace(a_key(purpose), certificate=a_certificate(purpose, test_anchor=False))
    return a_decision(purpose, key=key, situation=a_situation(purpose, deployment=DeploymentKind.LIVE))


def a_look(decision: Decision, gate: str, standing: Standing, **changes: Any) -> Look:
    """``changes`` are to the evidence."""
    (requirement,) = (each for each in decision.policy.gates if each.gate == gate)
    looked_at = evidence_of(decision.key, **({"standing": standing} | changes))
    return Look(use=decision, requirement=requirement, evidence=looked_at)
