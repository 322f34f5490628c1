"""Gates together: shut first, then open. Each gate by itself has a test of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from keybroker.errors import (
    CheckNotShown,
    ClockUnreliable,
    GateShut,
    KeyNotServed,
    LedgerNotRemembered,
    WitnessSilent,
)
from keybroker.gates import EXISTING_GATES, open_gates
from keybroker.gates.model import ClockStand, GateMemory
from keybroker.policy.file_form import GateName
from keybroker.policy.model import Decision
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, RuleName
from tests import evidence
from tests.situations import (
    AT,
    LINE_PURPOSES,
    USER_IDS,
    a_certificate,
    a_decision,
    a_key,
    a_permit,
    a_situation,
    evidence_of,
    good_standing,
    packaged_policies,
)

SPENDING = (
    KeyPurpose.SUPPLIER_PRE_COMMAND,
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    KeyPurpose.RECOVERY_COMMAND,
)
STRANGE_CLOCK = replace(evidence.SURROUNDINGS, clock=ClockStand(why_not="it is 7 s ahead, 2 s at most"))
UNWITNESSED = replace(evidence.SURROUNDINGS, unwitnessed="0 of 1 witness cosigned within 60 s")
PUT_BACK = replace(evidence.SURROUNDINGS, rolled_back="the ledger has 5 records, the module remembers 9")


def a_live_decision(purpose: KeyPurpose) -> Decision:
    key = a_key(purpose)
    if key.certificate is not None:
        key = replace(key, certificate=a_certificate(purpose, test_anchor=False))
    return a_decision(purpose, key=key, situation=a_situation(purpose, deployment=DeploymentKind.LIVE))


def gates_of(purpose: KeyPurpose) -> dict[str, str]:
    """Name to clause, in order."""
    return {gate.gate: gate.clause for gate in packaged_policies()[purpose].gates}


def test_every_gate_that_a_policy_may_name_is_built() -> None:
    assert set(get_args(GateName)) == EXISTING_GATES.keys()


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
@pytest.mark.parametrize("deployment", DeploymentKind)
def test_refuses_a_key_that_the_module_does_not_report(purpose: KeyPurpose, deployment: DeploymentKind) -> None:
    live = deployment is DeploymentKind.LIVE
    decision = a_live_decision(purpose) if live else a_decision(purpose)
    with pytest.raises(KeyNotServed, match="key-served: expected a key that the module reports") as refusal:
        open_gates(decision, evidence_of())
    assert refusal.value.clause == decision.policy.gates[0].clause
    assert len(refusal.value.findings) == len(decision.findings) + len(decision.policy.gates)


@pytest.mark.clause("G3.22", "G3.23(a)(iii)", shows="refusal")
def test_refuses_a_key_that_the_module_holds_weaker_than_its_purpose_demands() -> None:
    decision = a_decision()
    weak = Finding(
        rule=RuleName("key-served"), clause="G3.22", passed=False, expected="sensitive", found="not sensitive"
    )
    with pytest.raises(KeyNotServed, match=r"expected sensitive, found not sensitive \(G3.22\)") as refusal:
        open_gates(decision, evidence_of(decision.key, served={decision.key.label: weak}))
    (finding,) = [finding for finding in refusal.value.findings if not finding.passed]
    assert (finding.expected, finding.found, bool(finding.remedy)) == ("sensitive", "not sensitive", True)
    assert isinstance(refusal.value, GateShut)


@pytest.mark.clause("G2.46", "G2.47", shows="refusal")
@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_a_clock_that_may_be_wrong_shuts_every_gate_that_relies_on_time(purpose: KeyPurpose) -> None:
    decision = a_decision(purpose)
    with pytest.raises(ClockUnreliable, match="found it is 7 s ahead, 2 s at most") as refusal:
        open_gates(decision, evidence_of(decision.key, surroundings=STRANGE_CLOCK))
    shut = {finding.rule for finding in refusal.value.findings if not finding.passed}
    assert shut == {name for name in gates_of(purpose) if EXISTING_GATES[name].relies_on_time}
    assert all(f.reason == "CLOCK_UNRELIABLE" for f in refusal.value.findings if not f.passed)


@pytest.mark.parametrize("purpose", SPENDING)
def test_a_ledger_that_was_rolled_back_shuts_every_gate_that_spends_or_counts(purpose: KeyPurpose) -> None:
    decision = a_decision(purpose)
    with pytest.raises(LedgerNotRemembered, match="the module remembers 9") as refusal:
        open_gates(decision, evidence_of(decision.key, surroundings=PUT_BACK))
    shut = {finding.rule for finding in refusal.value.findings if not finding.passed}
    assert shut == {name for name in gates_of(purpose) if EXISTING_GATES[name].spends}


@pytest.mark.parametrize("purpose", SPENDING)
def test_a_ledger_that_no_witness_cosigned_lately_shuts_every_gate_that_spends_or_counts(purpose: KeyPurpose) -> None:
    decision = a_decision(purpose)
    with pytest.raises(WitnessSilent, match="0 of 1 witness") as refusal:
        open_gates(decision, evidence_of(decision.key, surroundings=UNWITNESSED))
    shut = {finding.rule for finding in refusal.value.findings if not finding.passed}
    assert shut == {name for name in gates_of(purpose) if EXISTING_GATES[name].spends}
    assert all(f.reason == "WITNESS_SILENT" for f in refusal.value.findings if not f.passed)


def test_refuses_a_statement_that_no_gate_asks_for() -> None:
    decision = a_decision(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND)
    with pytest.raises(CheckNotShown, match="statement-asked-for") as refusal:
        open_gates(decision, evidence_of(decision.key), (b"a.b.c",))
    assert refusal.value.findings[-1].reason == "STATEMENT_NOT_ASKED_FOR"


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_every_purpose_names_the_gates_that_its_module_needs(purpose: KeyPurpose) -> None:
    names = set(gates_of(purpose))
    assert "key-served" in names
    assert names & {"validated-module", "information-classification-module"}
    assert names <= set(EXISTING_GATES)


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_opens_where_every_gate_is_satisfied_and_says_what_each_rests_on(purpose: KeyPurpose) -> None:
    permit = a_permit(purpose)
    gates = permit.findings[len(permit.decision.findings) :]
    assert permit.findings[: len(permit.decision.findings)] == permit.decision.findings
    assert [finding.rule for finding in gates] == list(gates_of(purpose))
    assert all(finding.passed and finding.clause for finding in gates)
    relaxed = {finding.rule for finding in gates if "test deployment" in finding.found}
    assert relaxed <= {"validated-module"}
    assert permit.claims[: len(permit.decision.claims)] == permit.decision.claims


@pytest.mark.clause("G2.45", shows="acceptance")
@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_a_live_deployment_serves_every_purpose_whose_gates_are_satisfied(purpose: KeyPurpose) -> None:
    decision = a_live_decision(purpose)
    permit = open_gates(decision, evidence_of(decision.key, standing=evidence.with_validation(USER_IDS)))
    assert all(finding.passed for finding in permit.findings)
    assert not any("test deployment" in finding.found for finding in permit.findings)


def test_what_was_found_is_remembered_for_a_second_of_the_same_evidence_and_no_longer() -> None:
    memory, standing, around = GateMemory(), good_standing(), evidence.SURROUNDINGS
    kept = memory.kept_for(standing, evidence.MODULE, around, AT)
    assert memory.kept_for(standing, evidence.MODULE, around, AT + timedelta(microseconds=999_999)) is kept
    wound = replace(around, clock=ClockStand(why_not="", told="read anew"))
    assert memory.kept_for(standing, evidence.MODULE, wound, AT) is kept
    for changed in (
        (standing, evidence.MODULE, around, AT + timedelta(seconds=1)),
        (replace(standing), evidence.MODULE, around, AT),
        (standing, replace(evidence.MODULE, firmware_version="9"), around, AT),
        (standing, evidence.MODULE, replace(around, node=replace(evidence.NODE, identity="another")), AT),
        (standing, evidence.MODULE, replace(around, part="another"), AT),
    ):
        kept = memory.kept_for(standing, evidence.MODULE, around, AT)
        assert memory.kept_for(*changed) is not kept
