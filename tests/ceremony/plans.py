"""Plans for tests, as an administrator would write them: everything but what a rehearsal puts in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from keybroker.ceremony.judging_approvals import demanded_approvals
from keybroker.ceremony.judging_people import DEMANDED
from keybroker.ceremony.plan import (
    CeremonyKind,
    DemandedApproval,
    Participant,
    Plan,
    PlanFile,
    PlannedKey,
    PlannedModule,
    Quorum,
    Role,
    Side,
    SplitTerms,
    TransferTerms,
    read_plan,
)
from keybroker.ceremony.plan_writing import plan_text
from keybroker.ceremony.steps import procedure
from keybroker.terms import KeyPurpose

_SHORT = {
    Role.ADMINISTRATOR: "admin",
    Role.WITNESS: "witness",
    Role.CUSTODIAN: "custodian",
    Role.SECURITY_OFFICER: "officer",
    Role.PMA_REPRESENTATIVE: "pma",
    Role.AUDITOR: "auditor",
}
_SHARED = {CeremonyKind.SPLIT, CeremonyKind.COMBINE, CeremonyKind.RESHARE, CeremonyKind.VERIFY_SHARES}
_OCAS = {KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA}
_EUI = "02-7E-57-00-00-00-04-01"
NOTHING = "0" * 64


def a_key(purpose: KeyPurpose, label: str, **changes: Any) -> PlannedKey:
    return PlannedKey(label=label, purpose=purpose, party="dcc", **changes)


def a_plan(kind: CeremonyKind, key: PlannedKey, *, name: str = "", threshold: int = 2, count: int = 3) -> PlanFile:
    """With the fewest people that the kind demands; of a split key, ``count`` custodians."""
    now = datetime.now(UTC)
    said: dict[str, Any] = {
        "kind": kind,
        "name": name or f"{kind}-{key.label}",
        "reason": "as the test wants it",
        "requested_by": "requester",
        "valid_from": (now - timedelta(hours=1)).replace(microsecond=0),
        "valid_until": (now + timedelta(days=1)).replace(microsecond=0),
        "steps": (),
        "outputs": (),
        "keys": (key,),
        "modules": tuple(PlannedModule(side=side, serial="-", ledger="-") for side in _sides(kind)),
        "people": _people(kind, key, count),
        "quorum": Quorum(threshold=threshold, count=count) if kind in _SHARED else None,
        "transfer": _TRANSFER if kind is CeremonyKind.TRANSFER else None,
        "split": _SPLIT if kind in (CeremonyKind.SPLIT, CeremonyKind.RESHARE) else None,
    }
    plan = Plan.model_validate(said)
    approvals = tuple(DemandedApproval(about=a, committee=c) for a, c in demanded_approvals(plan).items())
    plan = plan.model_copy(update={"approvals": approvals})
    return written(plan.model_copy(update={"steps": tuple(step.told for step in procedure(plan))}))


def written(plan: Plan) -> PlanFile:
    return read_plan(plan_text(plan).encode())


_TRANSFER = TransferTerms(
    source="old-provider",
    destination="new-provider",
    contract_replaced="DSP-2026-1",
    requisite_because="the contract ends",
    mechanism="pkcs11-wrap",
    afterwards="destroy",
)
_SPLIT = SplitTerms(mechanism="slip39", sites=("site-a", "site-b"), copies=3, generation=1, of_appendix_l=True)


def _sides(kind: CeremonyKind) -> tuple[Side, ...]:
    return (Side.SOURCE, Side.DESTINATION) if kind is CeremonyKind.TRANSFER else (Side.HERE,)


def _people(kind: CeremonyKind, key: PlannedKey, count: int) -> tuple[Participant, ...]:
    wanted = dict(DEMANDED[kind])
    if kind is CeremonyKind.GENERATE and key.purpose in _OCAS:
        wanted[Role.PMA_REPRESENTATIVE] = 1
    if kind in _SHARED:
        wanted[Role.CUSTODIAN] = count
    return tuple(
        Participant(
            name=f"{_SHORT[role]}-{number}",
            role=role,
            signing_sha256=NOTHING,
            receiving_sha256=NOTHING if role is Role.CUSTODIAN else None,
        )
        for role, least in wanted.items()
        for number in range(1, least + 1)
    )
