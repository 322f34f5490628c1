"""May this plan be carried out, before anybody enters the room? Every finding is collected, then it is refused once.

SEC G2.22F-G2.22I, G2.44B, G2.56, G2.60, G2.61, G4, G2.22B(d), G5.13, G5.24. What is demanded here are floors: a plan
may ask for more, and nothing configures less. Pure: plan, scene and moment in; findings out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from keybroker.ceremony.judging_approvals import judge_approvals
from keybroker.ceremony.judging_keys import judge_keys
from keybroker.ceremony.judging_people import judge_people, judge_quorum
from keybroker.ceremony.plan import SLIP39, CeremonyKind, Plan, PlanFile, Side
from keybroker.ceremony.scene import Scene, passed, refused
from keybroker.ceremony.steps import procedure
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.hsm.profile_sections import QuorumAdapter
from keybroker.terms import DeploymentKind, Finding

COPIES, SITES = 3, 2
"""Of a wrapped key at least so many copies, at so many sites."""


def judge_plan(plan_file: PlanFile, scene: Scene, *, no_way_back: bool = False) -> tuple[Finding, ...]:
    """Every finding, passed ones too. ``no_way_back``: what was begun must go on, whether or not its time is over."""
    plan = plan_file.plan
    return (
        *_whole(plan_file, scene, no_way_back=no_way_back),
        *judge_quorum(plan),
        *judge_people(plan, scene),
        *judge_keys(plan, scene),
        *_terms(plan_file),
        *_mechanism(plan, scene),
        # What was approved when it could still be stopped is finished, whatever ended since.
        *(() if no_way_back else judge_approvals(plan_file, scene)),
    )


def check_plan(plan_file: PlanFile, scene: Scene, *, no_way_back: bool = False) -> tuple[Finding, ...]:
    """As ``judge_plan``. Raises: NotPermitted, with every finding."""
    findings = judge_plan(plan_file, scene, no_way_back=no_way_back)
    refusing = [finding for finding in findings if not finding.passed]
    if refusing:
        told = "; ".join(
            f"{each.rule}: expected {each.expected}, found {each.found} ({each.clause})" for each in refusing[:3]
        )
        more = f" and {len(refusing) - 3} more" if len(refusing) > 3 else ""
        raise NotPermitted(f"the plan {plan_file.plan.name} is refused: {told}{more}", findings=findings)
    return findings


def _whole(plan_file: PlanFile, scene: Scene, *, no_way_back: bool) -> Iterator[Finding]:
    plan = plan_file.plan
    steps = tuple(step.told for step in procedure(plan))
    if plan.steps == steps:
        yield passed("plan-steps", "G5.13(b)", f"{len(steps)} steps")
    else:
        yield refused("plan-steps", "G5.13(b)", ", ".join(steps), ", ".join(plan.steps) or "none", "STEPS_DIFFER")
    yield _in_force(plan, scene.at, no_way_back=no_way_back)
    yield _modules(plan_file, scene)
    if plan.rehearses is not None and scene.deployment is DeploymentKind.LIVE:
        yield refused("plan-is-no-rehearsal", "G2.20(b)", "a plan for this system", "a rehearsal's", "PLAN_REHEARSES")


def _in_force(plan: Plan, at: datetime, *, no_way_back: bool) -> Finding:
    # A key that is between two places when the time is over would stay there: going on is then the only safe way.
    if plan.valid_from <= at and (at < plan.valid_until or no_way_back):
        return passed("plan-in-force", "G5.13(a)", f"until {plan.valid_until.isoformat()}")
    span = f"{plan.valid_from.isoformat()} to {plan.valid_until.isoformat()}"
    return refused("plan-in-force", "G5.13(a)", f"a plan in force at {at.isoformat()}", span, "PLAN_NOT_IN_FORCE")


def _modules(plan_file: PlanFile, scene: Scene) -> Finding:
    """One module for each side, on the side's own ledger; this one is here."""
    plan = plan_file.plan
    transfer = plan.kind is CeremonyKind.TRANSFER
    sides = {Side.SOURCE, Side.DESTINATION} if transfer else {Side.HERE}
    found = {module.side for module in plan.modules}
    here = plan.module(scene.side)
    clause = "G2.22G" if transfer else "G2.44, G2.45"
    if found != sides or len(plan.modules) != len(sides):
        told = ", ".join(sorted(module.side for module in plan.modules)) or "none"
        return refused("plan-modules", clause, f"one module for {' and '.join(sorted(sides))}", told, "MODULES_DIFFER")
    if here is None or (here.serial, here.ledger) != (scene.serial, scene.origin):
        told = "none" if here is None else f"{here.serial}, {here.ledger}"
        return refused("plan-modules", clause, f"this module, {scene.serial}, {scene.origin}", told, "ANOTHER_MODULE")
    if len({(module.serial, module.ledger) for module in plan.modules}) != len(plan.modules):
        return refused("plan-modules", clause, "two systems", "one twice", "MODULES_SAME")
    return passed("plan-modules", clause, ", ".join(module.serial for module in plan.modules))


@clause("G2.22F")
def _terms(plan_file: PlanFile) -> Iterator[Finding]:
    """What belongs to one kind alone is there for it, and for no other."""
    plan = plan_file.plan
    for name, under, terms, kinds in (
        ("transfer", "G2.22F, G2.22G", plan.transfer, {CeremonyKind.TRANSFER}),
        ("split", "G2.44B", plan.split, {CeremonyKind.SPLIT, CeremonyKind.RESHARE}),
    ):
        wanted, found = plan.kind in kinds, terms is not None
        if wanted is not found:
            words = ("a", "none") if wanted else ("none", "one")
            yield refused(f"plan-{name}", under, f"{words[0]} [{name}] table", words[1], "TERMS_DIFFER")
    if plan.split is not None:
        copies, sites = plan.split.copies, plan.split.sites
        enough = copies >= COPIES and len(set(sites)) >= SITES and plan.split.generation >= 1
        found_words = f"{copies} at {len(set(sites))}, generation {plan.split.generation}"
        wanted_words = f"{COPIES} copies or more at {SITES} sites or more, generation 1 or later"
        yield (
            passed("plan-copies", "G2.44B", found_words)
            if enough
            else refused("plan-copies", "G2.44B", wanted_words, found_words, "COPIES_TOO_FEW")
        )


# SEC G2.44B. A module's own quorum shows what it divides to no host's memory, so it is preferred where there is one.
def _mechanism(plan: Plan, scene: Scene) -> Iterator[Finding]:
    """Of a split the module's own quorum, or ``SLIP39`` where it has none; of a key in parts the one that it has."""
    own = SLIP39 if scene.quorum is QuorumAdapter.NONE else scene.quorum.value
    planned = None if plan.split is None else plan.split.mechanism
    if plan.kind is CeremonyKind.SPLIT and planned is not None:
        yield _same_mechanism("plan-mechanism", own, planned, _remedy(own, planned))
    if plan.kind in _OF_PARTS:
        for by in sorted({scene.split_by.get(key.label, SLIP39) for key in plan.keys}):
            if by not in (SLIP39, own):
                yield _same_mechanism("plan-mechanism", f"a module of {by}", f"one of {own}", _OTHER_MODULE)
            elif planned is not None:
                yield _same_mechanism("plan-mechanism", by, planned, f'write mechanism = "{by}": a key keeps the one')


def _same_mechanism(rule: str, expected: str, found: str, remedy: str) -> Finding:
    if expected == found:
        return passed(rule, "G2.44B", found)
    return refused(rule, "G2.44B", expected, found, "MECHANISM_DIFFERS", remedy)


def _remedy(own: str, planned: str) -> str:
    if planned == SLIP39:
        return f'the module has a quorum of its own, which is preferred: write mechanism = "{own}"'
    return f'the profile of this module names no {planned}: write mechanism = "{own}"'


_OF_PARTS = frozenset({CeremonyKind.COMBINE, CeremonyKind.RESHARE, CeremonyKind.VERIFY_SHARES})
_OTHER_MODULE = "hold the ceremony at a module whose profile names the quorum that the key was split by"
