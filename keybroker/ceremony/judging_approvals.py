"""Is everything approved that must be, of this very plan, by those who may? SEC G2.22F-G2.22I, G2.44B.

What each kind demands are floors; a plan may demand more. An approval names the digest of the plan's octets and its
keys by fingerprint: one of another plan, or of this one before a letter was changed, is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybroker.ceremony.judging_keys import SPLITTABLE
from keybroker.ceremony.plan import CeremonyKind, DemandedApproval, Plan, PlanFile, Role
from keybroker.ceremony.scene import Scene, passed, refused
from keybroker.clause import clause
from keybroker.statement.approval import Approval
from keybroker.statement.statement import Statement
from keybroker.terms import Finding, KeyPurpose

_PMA, _SSC, _DCC = "smki-pma", "security-sub-committee", "dcc"

_OF_KIND: Mapping[CeremonyKind, Mapping[str, str]] = {
    CeremonyKind.GENERATE: {},
    CeremonyKind.RENEW: {},
    CeremonyKind.TRANSFER: {
        "replaced-contract": _DCC,
        "requisite": _DCC,
        "views": _SSC,
        "transfer": _PMA,
        "mechanism": _PMA,
    },
    CeremonyKind.SPLIT: {"split": _PMA},
    CeremonyKind.COMBINE: {"combine": _PMA},
    CeremonyKind.RESHARE: {"reshare": _PMA},
    CeremonyKind.DESTROY: {},
    CeremonyKind.VERIFY_SHARES: {},
}
_OF_THE_PMA = frozenset({KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA})
_CLAUSES: Mapping[str, str] = {
    "replaced-contract": "G2.22F",
    "requisite": "G2.22G",
    "views": "G2.22I(a)",
    "transfer": "G2.22I(a)(i)",
    "mechanism": "G2.22I(a)(ii)",
    "split-of-appendix-l": "G2.44B",
}
_OF_ANY_PLAN = frozenset({"views"})
"""What is said before there is a plan."""


@clause("G2.22F")
def demanded_approvals(plan: Plan) -> Mapping[str, str]:
    """What must be approved, by which committee: floors of the kind, and of the keys in it."""
    wanted = dict(_OF_KIND[plan.kind])
    purposes = {key.purpose for key in plan.keys}
    if plan.kind is CeremonyKind.GENERATE and purposes & _OF_THE_PMA:
        wanted["generate"] = _PMA
    if plan.kind is CeremonyKind.DESTROY and purposes & (SPLITTABLE | _OF_THE_PMA):
        wanted["destroy"] = _PMA
    if plan.split is not None and plan.split.of_appendix_l:
        wanted["split-of-appendix-l"] = _PMA
    return wanted


@clause("G2.22F", "G2.22G", "G2.22I(a)(i)", "G2.22I(a)(ii)")
def judge_approvals(plan_file: PlanFile, scene: Scene) -> Iterator[Finding]:
    """The plan demands what it must, and each of it is on record."""
    plan = plan_file.plan
    listed = {each.about: each.committee for each in plan.approvals}
    for about, committee in demanded_approvals(plan).items():
        if listed.get(about) != committee:
            expected = f"approval {about} of {committee} in the plan"
            found = f"of {listed[about]}" if about in listed else "none"
            yield refused("plan-demands-approval", _clause(about), expected, found, "APPROVAL_NOT_DEMANDED")
    for demanded in plan.approvals:
        yield _on_record(demanded, plan_file, scene)


def _clause(about: str) -> str:
    return _CLAUSES.get(about, "G2.22I(a), G2.44B")


def _on_record(demanded: DemandedApproval, plan_file: PlanFile, scene: Scene) -> Finding:
    """The first that fits; else why the newest one about it does not."""
    why = "none on record"
    for statement, approval in scene.standing.of(Approval, scene.at):
        if (approval.about, approval.committee) != (demanded.about, demanded.committee):
            continue
        shortfall = _why_not(statement, approval, plan_file, scene)
        if not shortfall:
            found = f"{approval.reference}, until {approval.expires.isoformat()}"
            return passed("approval-on-record", _clause(demanded.about), f"{demanded.about}: {found}")
        why = shortfall if why == "none on record" else why
    return refused(
        "approval-on-record",
        _clause(demanded.about),
        f"approval {demanded.about} of {demanded.committee}, of plan {plan_file.sha256.hex()}",
        why,
        "APPROVAL_NOT_ON_RECORD",
        "have this very plan approved, and take the approval in: keybroker evidence add",
    )


def _why_not(statement: Statement, approval: Approval, plan_file: PlanFile, scene: Scene) -> str:
    """Empty where it is an approval of this very plan by another than who asked for it."""
    plan = plan_file.plan
    if statement.attester == plan.requested_by:
        return f"by {statement.attester}, who requested it"
    conducting = {person.name: person.role for person in plan.people if person.role is not Role.PMA_REPRESENTATIVE}
    if role := conducting.get(statement.attester):
        return f"by {statement.attester}, who is {role} in it"
    references = {views.reference for _, views in scene.standing.of(Approval, scene.at) if views.about == "views"}
    if approval.views is not None and approval.views not in references:
        return f"having considered {approval.views}, which are not on record"
    return why_not_of_plan(approval, plan_file)


@clause("G2.22I(a)(i)", "G2.22I(a)(ii)", "G2.22I(b)(i)")
def why_not_of_plan(approval: Approval, plan_file: PlanFile) -> str:
    """Empty where it is of this very plan, its keys, its conditions and its systems, whoever said it and when."""
    plan, sha256 = plan_file.plan, plan_file.sha256.hex()
    if approval.plan_sha256 != sha256 and not (approval.plan_sha256 is None and approval.about in _OF_ANY_PLAN):
        return f"of plan {approval.plan_sha256}"
    fingerprints = {key.public_key_sha256 for key in plan.keys if key.public_key_sha256 is not None}
    if not fingerprints <= set(approval.keys):
        return "of other keys"
    planned = {(one.id, one.words) for one in plan.conditions}
    missing = [each.id for each in approval.conditions if (each.id, each.words) not in planned]
    if missing:
        return f"under a condition that is not in the plan: {missing[0]}"
    return _why_not_moved(approval, plan)


@clause("G2.22I(a)(i)", "G2.22I(a)(ii)")
def _why_not_moved(approval: Approval, plan: Plan) -> str:
    """What only a transfer's approvals say."""
    terms = plan.transfer
    if terms is None or approval.mechanism is None:
        return ""
    wanted = (terms.source, terms.destination, terms.mechanism)
    found = (approval.source, approval.destination, approval.mechanism)
    return "" if found == wanted else f"from {found[0]} to {found[1]} by {found[2]}"
