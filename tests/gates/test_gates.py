"""Gates: shut first, then open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.errors import GateNotEnforceable, GateShut, KeyNotServed
from keybroker.gates import EXISTING_GATES, open_gates
from keybroker.gates.model import GateEvidence
from keybroker.policy.model import Decision
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, RuleName
from tests.situations import (
    LINE_PURPOSES,
    a_certificate,
    a_decision,
    a_key,
    a_permit,
    a_situation,
    evidence_of,
    packaged_policies,
)

NOTHING = GateEvidence(served={})


def a_live_decision(purpose: KeyPurpose) -> Decision:
    key = a_key(purpose)
    if key.certificate is not None:
        key = replace(key, certificate=a_certificate(purpose, test_anchor=False))
    return a_decision(purpose, key=key, situation=a_situation(purpose, deployment=DeploymentKind.LIVE))


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_a_live_deployment_refuses_every_purpose_until_all_its_gates_are_built(purpose: KeyPurpose) -> None:
    decision = a_live_decision(purpose)
    with pytest.raises(GateNotEnforceable, match="found not yet enforceable") as refusal:
        open_gates(decision, evidence_of(decision.key))
    first = next(gate for gate in decision.policy.gates if gate.gate not in EXISTING_GATES)
    assert (refusal.value.gate, refusal.value.clause) == (first.gate, first.clause)
    assert [finding.rule for finding in refusal.value.findings] == [
        *(finding.rule for finding in decision.findings),
        *(gate.gate for gate in decision.policy.gates),
    ]


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
@pytest.mark.parametrize("deployment", DeploymentKind)
def test_refuses_a_key_that_the_module_does_not_report(purpose: KeyPurpose, deployment: DeploymentKind) -> None:
    live = deployment is DeploymentKind.LIVE
    decision = a_live_decision(purpose) if live else a_decision(purpose)
    with pytest.raises(KeyNotServed, match="key-served: expected a key that the module reports") as refusal:
        open_gates(decision, NOTHING)
    assert refusal.value.clause == decision.policy.gates[0].clause
    assert len(refusal.value.findings) == len(decision.findings) + len(decision.policy.gates)
    shut = [finding.rule for finding in refusal.value.findings if not finding.passed]
    assert shut == [gate.gate for gate in decision.policy.gates if live or gate.gate == "key-served"]


def test_refuses_a_key_that_the_module_holds_weaker_than_its_purpose_demands() -> None:
    decision = a_decision()
    weak = Finding(
        rule=RuleName("key-served"), clause="G3.22", passed=False, expected="sensitive", found="not sensitive"
    )
    with pytest.raises(KeyNotServed, match=r"expected sensitive, found not sensitive \(G3.22\)") as refusal:
        open_gates(decision, GateEvidence(served={decision.key.label: weak}))
    assert weak in refusal.value.findings
    assert isinstance(refusal.value, GateShut)


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_every_purpose_names_the_gate_that_exists_and_one_that_is_not_built(purpose: KeyPurpose) -> None:
    names = {gate.gate for gate in packaged_policies()[purpose].gates}
    assert "key-served" in names
    assert names - set(EXISTING_GATES)


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_a_test_deployment_opens_and_says_which_gates_are_not_built(purpose: KeyPurpose) -> None:
    permit = a_permit(purpose)
    gates = permit.findings[len(permit.decision.findings) :]
    assert permit.findings[: len(permit.decision.findings)] == permit.decision.findings
    assert all(finding.passed and finding.clause for finding in gates)
    for finding in gates:
        expected = "" if finding.rule in EXISTING_GATES else "not yet enforceable (test deployment)"
        assert finding.found == expected
