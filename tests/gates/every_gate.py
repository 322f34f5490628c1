"""Every gate times every way to fail it: the one good situation, spoilt by one change each.

The spoilers of the gates' own tests are taken from there. ``every_reason`` demands a case of every reason in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from keybroker.gates import EXISTING_GATES, open_gates
from keybroker.gates.model import ClockStand, GateEvidence, Permit
from keybroker.policy.model import Decision
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, RuleName
from tests import evidence
from tests.gates import approved
from tests.gates import test_anomaly_threshold as thresholds
from tests.gates import test_location_gate as places
from tests.gates import test_module_gates as module_gates
from tests.gates import test_supply_sensitive_check as checked
from tests.gates.checks import CHECK, GATE, PARTY, a_check, a_pre_command
from tests.gates.looks import ACB, DAY, SUPPLIER, a_classification, a_location, a_validation, named
from tests.gates.test_gates import PUT_BACK, STRANGE_CLOCK, UNWITNESSED, a_live_decision, gates_of
from tests.situations import AT, USER_IDS, a_decision, a_key, a_situation, evidence_of
from tests.statement.attested import decoded, encoded

SERVED, VALIDATED, CLASSIFIED = "key-served", "validated-module", "information-classification-module"
LOCATED, CHECKED, COUNTED = "uk-location", "supply-sensitive-check", "anomaly-threshold"
APPROVED, QUORATE = "pma-approval", "split-key"
ASKED_FOR = "statement-asked-for"
"""No gate by its name: every gate has looked, and none has taken the statement."""
OF_MODULE: Mapping[str, tuple[StatementKind, Callable[..., Statement]]] = {
    VALIDATED: (StatementKind.MODULE_VALIDATION, a_validation),
    CLASSIFIED: (StatementKind.MODULE_CLASSIFICATION, a_classification),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What ``open_gates`` takes; as ``a_good_scene`` has it, it permits."""

    decision: Decision
    evidence: GateEvidence
    offered: tuple[bytes, ...]

    def opened(self) -> Permit:
        """Raises: GateShut."""
        return open_gates(self.decision, self.evidence, self.offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``gate`` finds ``reason`` under ``clause`` in the scene, which is good but for what ``told`` says."""

    gate: str
    reason: str
    clause: str
    told: str
    scene: Callable[[], Scene]

    def __str__(self) -> str:
        return f"{self.gate} {self.reason}: {self.told}"


# ---- the one good situation: of a User, whose Pre-Command is supply sensitive; and of the DCC, on a validated module,
# ---- with a Recovery key on which the SMKI PMA decided


@cache
def good_standing() -> Standing:
    """Everything that all need."""
    scene = evidence.a_scene(systems={PARTY: ("head-end", "billing")}, users={PARTY: USER_IDS})
    return evidence.standing_of(scene, (a_validation(), approved.an_approval()))


def a_good_scene(purpose: KeyPurpose = SUPPLIER, **changes: Any) -> Scene:
    """Live. ``changes`` are ``decision``, ``offered``, or of the evidence."""
    decision = changes.pop("decision", None) or _decision(purpose)
    offered = changes.pop("offered", (a_check(),) if purpose is SUPPLIER else ())
    found = evidence_of(decision.key, **({"standing": good_standing()} | changes))
    return Scene(decision=decision, evidence=found, offered=tuple(offered))


def purpose_of(gate: str) -> KeyPurpose:
    """Whose good situation has the gate."""
    if gate in (APPROVED, QUORATE):
        return approved.RECOVERY
    return ACB if gate == VALIDATED else SUPPLIER


def _decision(purpose: KeyPurpose) -> Decision:
    decision = a_live_decision(purpose)
    if purpose is not SUPPLIER:
        return decision
    situation = a_situation(purpose, deployment=DeploymentKind.LIVE)
    return a_decision(purpose, content=a_pre_command(), key=decision.key, situation=situation)


def _case(
    gate: str, reason: str, told: object, *, clause: str = "", purpose: KeyPurpose | None = None, **changes: Any
) -> Case:
    """``clause``: where another than the packaged policy's is told."""
    purpose = purpose or purpose_of(gate)
    return Case(
        gate=gate,
        reason=reason,
        clause=clause or gates_of(purpose)[gate],
        told=str(told),
        scene=partial(a_good_scene, purpose, **changes),
    )


def with_instead(kind: StatementKind, *instead: Statement, **changes: Any) -> Standing:
    """The good evidence, with these in place of all of the kind."""
    kept = (each for each in good_standing().statements if each.kind is not kind)
    return replace(good_standing(), statements=(*kept, *instead), **changes)


def _located(*held: Statement, **changes: Any) -> Standing:
    """The good evidence, with these in place of what is said of module, node and the caller's system."""
    subjects = {subject for _, subject in places.PLACES}
    kept = (
        each
        for each in good_standing().statements
        if not (isinstance(each.payload, Location) and each.payload.subject in subjects)
    )
    return replace(good_standing(), statements=(*kept, *held), **changes)


# ---- what spoils it


def _of_served() -> Iterator[Case]:
    weak = Finding(rule=RuleName(SERVED), clause="G3.22", passed=False, expected="sensitive", found="not sensitive")
    yield _case(SERVED, "KEY_NOT_AS_DEMANDED", "a weak key", served={a_key(SUPPLIER).label: weak})
    for purpose in (SUPPLIER, ACB):
        yield _case(SERVED, "KEY_NOT_REPORTED", f"a key of {purpose}", purpose=purpose, served={})


def _of_either_module_gate() -> Iterator[Case]:
    for gate, (kind, make) in OF_MODULE.items():
        yield _case(gate, "MODULE_EVIDENCE_MISSING", "none of the kind", standing=with_instead(kind))
        for reason, said, reported, standing in module_gates.EITHER_GATE:
            told = {**said, **reported, **dict.fromkeys(standing, "changed")}
            module = replace(evidence.MODULE, **reported)
            yield _case(gate, reason, told, standing=with_instead(kind, make(**said), **standing), module=module)


def _of_validation() -> Iterator[Case]:
    for case in module_gates.SPOILT:
        decision = _decision(ACB)
        yield _case(
            VALIDATED,
            case.reason,
            case.found or "as it is stated",
            clause=case.clause,
            decision=decision if case.policy is None else replace(decision, policy=case.policy),
            standing=with_instead(StatementKind.MODULE_VALIDATION, *case.held),
            module=replace(evidence.MODULE, **(case.module or {})),
        )


def _of_places() -> Iterator[Case]:
    lapsed = {"ago": 2 * DAY, "last": DAY}
    people = (("PERSON_NOT_LOCATED", None), ("PERSON_NOT_LOCATED", lapsed), ("PERSON_ABROAD", {"country": "FR"}))
    spoilt = [
        *((case.reason, case.clause, place, case.spoilt) for case, place in places.CASES),
        *((reason, "G3.23", places.ALICE, said) for reason, said in people),
    ]
    for reason, clause, place, said in spoilt:
        told, standing = f"{place[0]} {said}", _located(*places.held((place, said)))
        yield _case(LOCATED, reason, told, clause=clause, standing=standing)


def _of_what_is_there_now() -> Iterator[Case]:
    """Another member, identity or site; evidence from before a restore, or by an attester who was withdrawn."""
    around, node, module = evidence.SURROUNDINGS, evidence.NODE, evidence.MODULE
    members = a_classification(**named(members=[module.serial, "FAKE-0002"]))
    standing = with_instead(StatementKind.MODULE_CLASSIFICATION, members)
    yield _case(LOCATED, "LOCATION_EVIDENCE_MISSING", "a member behind the slot", standing=standing)
    anew = replace(around, node=replace(node, identity="test-node.new"))
    yield _case(LOCATED, "LOCATION_EVIDENCE_MISSING", "a new node identity", surroundings=anew)
    elsewhere = replace(around, node=replace(node, site="another"))
    yield _case(LOCATED, "SITE_DIFFERS", "a new site of the node", surroundings=elsewhere)
    yield _case(LOCATED, "SITE_DIFFERS", "a new site of the module", module=replace(module, site="another"))
    restored = replace(good_standing(), restored_at=AT)
    yield _case(LOCATED, Flaw.BEFORE_RESTORE, "a restored ledger", standing=restored)
    withdrawn = replace(good_standing(), attesters=module_gates.WITHDRAWN)
    yield _case(LOCATED, Flaw.ATTESTER_WITHDRAWN, "a withdrawn attester", standing=withdrawn)


def _of_who_acted() -> Iterator[Case]:
    for subject in places.SUBJECTS_OF_ACTS:
        acts, abroad = places.acted(subject), a_location("person", "bob", country="IN")
        standing = _located(*places.held(), acts=acts)
        yield _case(LOCATED, "PERSON_NOT_LOCATED", f"bob, on {subject}", standing=standing)
        standing = _located(*places.held(), abroad, acts=acts)
        yield _case(LOCATED, "PERSON_ABROAD", f"bob, on {subject}, in India", standing=standing)


def _of_checks() -> Iterator[Case]:
    for reason, (clause, said) in checked.SAID.items():
        yield _case(CHECKED, reason, said, clause=clause, offered=(a_check(**said),))
    for reason, offered in {**checked.OFFERED, **_UNREADABLE}.items():
        yield _case(CHECKED, reason, "what is offered", offered=offered())
    clauses = {"CHECK_SYSTEM_OF_ANOTHER_PARTY": "G3.25(a)", "HOP_NOT_IN_UNITED_KINGDOM": "G3.25(c)"}
    for told, (reason, standing) in checked.AROUND.items():
        yield _case(CHECKED, reason, told, clause=clauses.get(reason, GATE.clause), standing=standing())


def _saying(payload: Callable[[bytes], bytes]) -> tuple[bytes, ...]:
    """A check with another payload, rightly signed."""
    header, said, _ = a_check().split(b".")
    signing_input = header + b"." + encoded(payload(decoded(said)))
    return (signing_input + b"." + encoded(evidence.attests(CHECK).sign(signing_input)),)


_UNREADABLE: Mapping[str, Callable[[], tuple[bytes, ...]]] = {
    Flaw.NOT_JSON: lambda: _saying(lambda said: said[:-1]),
    Flaw.TOO_DEEP: lambda: _saying(lambda _: b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
    Flaw.PAYLOAD: lambda: _saying(lambda said: said.replace(b'"intended":true', b'"intended":false')),
}


def _of_thresholds() -> Iterator[Case]:
    kind = StatementKind.THRESHOLD_NOTIFICATION
    for told, (held, _) in thresholds.SHUT.items():
        yield _case(COUNTED, "THRESHOLD_NOT_SET", told, standing=with_instead(kind, *held))
    yield _case(COUNTED, "THRESHOLD_NOT_SET", "none of the DCC's", purpose=ACB, standing=with_instead(kind))


# ---- what shuts a gate whatever it would find


def _of_any() -> Iterator[Case]:
    away = replace(evidence.SURROUNDINGS, clock=ClockStand(why_not="no reading for 90 s"))
    for name, gate in EXISTING_GATES.items():
        for strange in (STRANGE_CLOCK, away) if gate.relies_on_time else ():
            yield _case(name, "CLOCK_UNRELIABLE", strange.clock.why_not, surroundings=strange)
        if gate.spends:
            yield _case(name, "LEDGER_NOT_REMEMBERED", PUT_BACK.rolled_back, surroundings=PUT_BACK)
            yield _case(name, "WITNESS_SILENT", UNWITNESSED.unwitnessed, surroundings=UNWITNESSED)
    for told, offered in (("a check beside a Command", a_check()), ("anything at all", b"a.b.c")):
        yield _case(ASKED_FOR, "STATEMENT_NOT_ASKED_FOR", told, clause="G3.25", purpose=ACB, offered=(offered,))


def _of_approvals() -> Iterator[Case]:
    for gate, cases in ((APPROVED, approved.UNAPPROVED), (QUORATE, approved.WITHOUT_QUORUM)):
        for told, case in cases.items():
            yield _of_spoilt(gate, told, case)
    restored = with_instead(StatementKind.APPROVAL, approved.an_approval(), restored_at=AT)
    yield _case(APPROVED, Flaw.BEFORE_RESTORE, "a restored ledger", clause=approved.CLAUSE, standing=restored)
    withdrawn = replace(good_standing(), attesters=module_gates.WITHDRAWN)
    yield _case(APPROVED, Flaw.ATTESTER_WITHDRAWN, "a withdrawn attester", clause=approved.CLAUSE, standing=withdrawn)


def _of_spoilt(gate: str, told: str, case: approved.Spoilt) -> Case:
    key = replace(_decision(approved.RECOVERY).key, state=case.state, provenance=case.provenance)
    situation = a_situation(approved.RECOVERY, deployment=DeploymentKind.LIVE)
    return _case(
        gate,
        case.reason,
        told,
        clause=case.clause,
        decision=a_decision(approved.RECOVERY, key=key, situation=situation),
        standing=with_instead(StatementKind.APPROVAL, *case.held),
        quorum=case.quorum,
    )


CASES = (
    *_of_served(),
    *_of_either_module_gate(),
    *_of_validation(),
    *_of_places(),
    *_of_what_is_there_now(),
    *_of_who_acted(),
    *_of_checks(),
    *_of_thresholds(),
    *_of_any(),
    *_of_approvals(),
)
