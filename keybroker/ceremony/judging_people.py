"""Are the right people in the room, each in one role, and is the quorum one? SEC G2.22B(d), G4, G2.44B.

Whoever is in a plan is an enrolled person whose certificate the plan names, whose role others stated, and whose
clearance and screening are in date. The floors stand here and nowhere in configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from keybroker.ceremony.plan import CeremonyKind, Participant, Plan, Role
from keybroker.ceremony.scene import Scene, passed, refused
from keybroker.clause import clause
from keybroker.gates.people import ActDemand, judge_person
from keybroker.statement.attester import Attester
from keybroker.statement.statement import MOST_AHEAD
from keybroker.terms import Finding, KeyPurpose

LEAST, MOST = 2, 16
"""M of a split key at least; N at most (SLIP-0039 has no larger set)."""

SHARED = frozenset({CeremonyKind.SPLIT, CeremonyKind.COMBINE, CeremonyKind.RESHARE, CeremonyKind.VERIFY_SHARES})
"""Kinds with a quorum."""

_TWO = {Role.ADMINISTRATOR: 1, Role.WITNESS: 1}
_THREE = {**_TWO, Role.SECURITY_OFFICER: 1}
DEMANDED: Mapping[CeremonyKind, Mapping[Role, int]] = {
    CeremonyKind.GENERATE: _TWO,
    CeremonyKind.RENEW: _TWO,
    CeremonyKind.TRANSFER: {**_THREE, Role.CUSTODIAN: 2},
    CeremonyKind.SPLIT: {**_THREE, Role.CUSTODIAN: LEAST},
    CeremonyKind.COMBINE: {**_TWO, Role.PMA_REPRESENTATIVE: 1, Role.CUSTODIAN: LEAST},
    CeremonyKind.RESHARE: {**_THREE, Role.CUSTODIAN: LEAST},
    CeremonyKind.DESTROY: _THREE,
    CeremonyKind.VERIFY_SHARES: {**_TWO, Role.CUSTODIAN: 1},
}
"""How many people of which role each kind needs, at least."""

_OF_THE_OCAS = frozenset({KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA})


def judge_quorum(plan: Plan) -> Iterator[Finding]:
    """M of N, and as many custodians."""
    custodians = len(plan.in_role(Role.CUSTODIAN))
    if plan.kind not in SHARED:
        if plan.quorum is not None:
            yield refused("plan-quorum", "G2.44B", "no quorum", "one", "QUORUM_NOT_ASKED_FOR")
        return
    if plan.quorum is None:
        yield refused("plan-quorum", "G2.44B", f"a quorum of {LEAST} or more", "none", "QUORUM_MISSING")
        return
    threshold, count = plan.quorum.threshold, plan.quorum.count
    if not LEAST <= threshold <= count <= MOST:
        expected = f"{LEAST} <= threshold <= count <= {MOST}"
        yield refused("plan-quorum", "G2.44B", expected, f"{threshold} of {count}", "QUORUM_UNSOUND")
        return
    least = threshold if plan.kind is CeremonyKind.COMBINE else count
    if plan.kind is CeremonyKind.VERIFY_SHARES:
        least = 1
    if not least <= custodians <= count:
        expected = f"{least} to {count} custodians" if least < count else f"{count} custodians"
        yield refused("plan-quorum", "G2.44B", expected, str(custodians), "CUSTODIANS_NOT_AS_MANY")
        return
    yield passed("plan-quorum", "G2.44B", f"{threshold} of {count}")


def judge_people(plan: Plan, scene: Scene) -> Iterator[Finding]:
    """Roles filled, nobody twice, and of each person every finding."""
    yield from judge_roles(plan)
    for person in plan.people:
        yield from _person(person, plan, scene)


def judge_roles(plan: Plan) -> Iterator[Finding]:
    """What the plan alone shows of its people."""
    yield _filled(plan)
    yield _distinct(plan)
    yield _receiving(plan)
    yield _requester(plan)


def _filled(plan: Plan) -> Finding:
    wanted = dict(DEMANDED[plan.kind])
    if plan.kind is CeremonyKind.GENERATE and any(key.purpose in _OF_THE_OCAS for key in plan.keys):
        wanted[Role.PMA_REPRESENTATIVE] = 1
    found = Counter(person.role for person in plan.people)
    missing = {role: least for role, least in wanted.items() if found[role] < least}
    clause = "G5.13(a), G5.24(a)"
    if missing:
        expected = ", ".join(f"{least} {role}" for role, least in missing.items())
        told = ", ".join(f"{found[role]} {role}" for role in missing)
        return refused("plan-roles", clause, expected, told, "ROLE_NOT_FILLED")
    return passed("plan-roles", clause, f"{len(plan.people)} people")


def _distinct(plan: Plan) -> Finding:
    """One person, one role; and two names are two people, as far as certificates tell."""
    marks = [person.name for person in plan.people] + [person.signing_sha256 for person in plan.people]
    marks += [person.receiving_sha256 for person in plan.people if person.receiving_sha256 is not None]
    twice = [mark for mark, count in Counter(marks).items() if count > 1]
    clause = "G2.22B(b), G4.8"
    if twice:
        return refused("plan-people-differ", clause, "each person in one role", f"{twice[0]} twice", "PERSON_TWICE")
    return passed("plan-people-differ", clause, "one person a role")


def _receiving(plan: Plan) -> Finding:
    without = [person.name for person in plan.in_role(Role.CUSTODIAN) if person.receiving_sha256 is None]
    if plan.kind in SHARED and without:
        expected = "receiving_sha256 of every custodian"
        return refused("plan-custodians-receive", "G2.44B", expected, f"none of {without[0]}", "RECEIVING_MISSING")
    return passed("plan-custodians-receive", "G2.44B", "every custodian can receive")


@clause("G2.22I(a)(i)", "G2.22I(a)(ii)")
def _requester(plan: Plan) -> Finding:
    """Nobody approves his own request."""
    approving = {person.name for person in plan.in_role(Role.PMA_REPRESENTATIVE)}
    if plan.requested_by in approving:
        found = f"{plan.requested_by} represents the SMKI PMA"
        return refused("plan-not-self-approved", "G2.22I(a)", "another requester", found, "REQUESTER_APPROVES")
    return passed("plan-not-self-approved", "G2.22I(a)", plan.requested_by)


def _why_not_standing(attester: Attester, scene: Scene) -> str | None:
    """Of the very certificate that signs: that the person has another by now makes this one no better."""
    if attester.withdrawn_at is not None:
        return f"withdrawn at {attester.withdrawn_at.isoformat()}"
    if not (attester.since <= scene.at + MOST_AHEAD and scene.at < attester.until):
        return f"from {attester.since.isoformat()} until {attester.until.isoformat()}"
    return None


def _person(person: Participant, plan: Plan, scene: Scene) -> Iterator[Finding]:
    attester = scene.standing.attesters.get(person.signing_sha256)
    if attester is None or attester.name != person.name or not attester.is_person:
        found = "none" if attester is None else attester.name
        expected = f"{person.name}, enrolled with certificate {person.signing_sha256[:16]}"
        remedy = "keybroker evidence enrol"
        yield refused("plan-person-enrolled", "G4", expected, found, "PERSON_NOT_ENROLLED", remedy)
        return
    if (why := _why_not_standing(attester, scene)) is not None:
        expected = f"{person.name}, whose certificate {person.signing_sha256[:16]} stands"
        yield refused("plan-person-enrolled", "G4", expected, why, "PERSON_NOT_ENROLLED")
        return
    restricted = any(
        (policy := scene.policies.get(key.purpose)) is not None and policy.location == "united-kingdom"
        for key in plan.keys
    )
    demand = ActDemand(roles=frozenset({person.role.value}), in_united_kingdom=restricted, privileged=True)
    yield from judge_person(person.name, act=demand, standing=scene.standing, settings=scene.people, at=scene.at)
