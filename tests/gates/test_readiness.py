"""What readiness says of a key's gates is what they do, for every purpose, live and without any evidence at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.errors import GateShut
from keybroker.gates import EXISTING_GATES, open_gates
from keybroker.gates.model import Surroundings
from keybroker.gates.readiness import Outlook, ShutGate, shut_gates
from keybroker.policy.model import Decision, Policy, RegisteredKey
from keybroker.policy.rules import claims
from keybroker.policy.rules.key import usage_claims
from keybroker.policy.settings import LifeSettings
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, DeploymentKind, Finding, KeyLabel, KeyPurpose, KeyState, Provenance
from tests import agreed, certificates, evidence, lists
from tests.content import test_prepayment
from tests.content.test_smets1 import ADD_CREDIT, APDU, GET, instruction, response
from tests.gates.checks import a_pre_command
from tests.gates.looks import a_classification, a_standing, a_validation
from tests.gates.test_anomaly_threshold import SMETS1, notified, on, with_mac
from tests.gates.test_gates import PUT_BACK, STRANGE_CLOCK, UNWITNESSED, gates_of
from tests.situations import (
    AT,
    COMMAND_PURPOSES,
    USER_IDS,
    USER_PURPOSES,
    a_caller,
    a_content,
    a_key,
    a_situation,
    evidence_of,
    packaged_policies,
)

LIVE, TEST = DeploymentKind.LIVE, DeploymentKind.TEST
DCO, S1SP = KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1
PREPAYMENT = KeyPurpose.SUPPLIER_PREPAYMENT
ISSUING_OCA, ROOT_OCA = KeyPurpose.ISSUING_OCA, KeyPurpose.ROOT_OCA
A_LIST = decode(ContentKind.CERTIFICATE_REVOCATION_LIST, lists.compose())
OF_EACH_SORT = (instruction(GET), instruction(ADD_CREDIT), response(APDU))
USES: Mapping[KeyPurpose, tuple[Content, ...]] = {
    **{purpose: (a_content(purpose),) for purpose in COMMAND_PURPOSES},
    **{purpose: (a_pre_command(),) for purpose in USER_PURPOSES},
    KeyPurpose.USER_XML: (SMETS1,),
    KeyPurpose.ACCESS_CONTROL_BROKER_MAC: (with_mac(),),
    DCO: OF_EACH_SORT,
    S1SP: OF_EACH_SORT,
    PREPAYMENT: (decode(ContentKind.PREPAYMENT_TOP_UP, test_prepayment.GOOD, agreed.beside()),),
    ISSUING_OCA: (
        decode(ContentKind.CERTIFICATE, certificates.compose(), certificates.beside(certificates.a_request())),
        A_LIST,
    ),
    ROOT_OCA: (decode(ContentKind.ROOT_CERTIFICATE, certificates.a_root()), A_LIST),
}
"""Uses of which every gate of the purpose asks what it can ask; of the others' no gate asks anything by content."""
OF_OTHERS = (a_content(KeyPurpose.AUDIT_CHECKPOINT),)
TAKING = (DCO, S1SP, PREPAYMENT, ISSUING_OCA, ROOT_OCA)
"""Every use of theirs takes something from the ledger, whatever its gates take."""


def a_key_of(purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    return replace(a_key(), purpose=purpose, label=KeyLabel(purpose.value), **changes)


def told_of(
    purpose: KeyPurpose,
    standing: Standing,
    deployment: DeploymentKind = LIVE,
    surroundings: Surroundings = evidence.SURROUNDINGS,
    policy: Policy | None = None,
    **changes: Any,
) -> dict[str, ShutGate]:
    """By gate, what readiness says."""
    outlook = Outlook(
        deployment=deployment, module=evidence.MODULE, surroundings=surroundings, standing=standing, at=AT
    )
    key = a_key_of(purpose, **changes)
    return {each.gate: each for each in shut_gates(key, policy or packaged_policies()[purpose], outlook)}


def found_for(
    content: Content,
    purpose: KeyPurpose,
    standing: Standing,
    deployment: DeploymentKind = LIVE,
    surroundings: Surroundings = evidence.SURROUNDINGS,
    policy: Policy | None = None,
    **changes: Any,
) -> dict[str, Finding]:
    """By gate, what shuts one use of a key that the module serves. No rule is asked but for what the use takes: the
    gates alone judge.
    """
    key, policy = a_key_of(purpose, **changes), policy or packaged_policies()[purpose]
    situation = a_situation(deployment=deployment)
    decision = Decision(
        content=content,
        key=key,
        caller=a_caller(),
        policy=policy,
        situation=situation,
        findings=(),
        claims=usage_claims(key, policy) + claims(content, key, situation),
    )
    try:
        open_gates(decision, evidence_of(key, standing=standing, surroundings=surroundings))
    except GateShut as shut:
        return {str(finding.rule): finding for finding in shut.findings if not finding.passed}
    return {}


def check_agrees(purpose: KeyPurpose, told: dict[str, ShutGate], shut: list[dict[str, Finding]]) -> None:
    """Every use is shut by the gates that are told of, and by no other; a SMETS1 Service Provider's by that one of the
    two gates of the module which its use demands (SEC G2.44A)."""
    if purpose is S1SP:
        assert all(len(each) == 1 for each in shut)
        assert {gate for each in shut for gate in each} == told.keys()
    else:
        assert [each.keys() for each in shut] == [told.keys()] * len(shut)


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_a_live_key_without_any_evidence_shows_exactly_the_gates_that_then_shut(purpose: KeyPurpose) -> None:
    told = told_of(purpose, Standing())
    check_agrees(purpose, told, [found_for(use, purpose, Standing()) for use in USES.get(purpose, OF_OTHERS)])
    # A key that is held whole needs no quorum.
    assert told.keys() == gates_of(purpose).keys() - {"key-served", "split-key"}
    assert all(each.clause and each.expected and each.found and each.remedy for each in told.values())


@pytest.mark.parametrize("purpose", KeyPurpose)
@pytest.mark.parametrize(
    "around", [STRANGE_CLOCK, PUT_BACK, UNWITNESSED], ids=["a strange clock", "an old ledger", "silent witnesses"]
)
def test_what_shuts_a_gate_whatever_it_would_find_is_shown_of_the_gates_that_it_shuts(
    around: Surroundings, purpose: KeyPurpose
) -> None:
    held = evidence.with_validation(USER_IDS)
    shown = {
        name
        for name in gates_of(purpose)
        if (EXISTING_GATES[name].relies_on_time if around is STRANGE_CLOCK else EXISTING_GATES[name].spends)
    }
    told = told_of(purpose, held, TEST, around)
    assert shown <= told.keys()
    assert all(
        gate in told for use in USES.get(purpose, OF_OTHERS) for gate in found_for(use, purpose, held, TEST, around)
    )


@pytest.mark.parametrize("purpose", TAKING)
@pytest.mark.parametrize(
    ("around", "reason"),
    [(PUT_BACK, "LEDGER_NOT_REMEMBERED"), (UNWITNESSED, "WITNESS_SILENT")],
    ids=["an old ledger", "silent witnesses"],
)
def test_a_key_whose_every_use_takes_something_shows_every_gate_where_the_ledger_may_not_be_spent_from(
    around: Surroundings, reason: str, purpose: KeyPurpose
) -> None:
    held = evidence.with_validation(USER_IDS)
    told = told_of(purpose, held, LIVE, around)
    shut = [found_for(use, purpose, held, LIVE, around) for use in USES[purpose]]
    assert told.keys() == gates_of(purpose).keys() == {gate for each in shut for gate in each}
    # Of the two gates of a SMETS1 Service Provider's module one has nothing to look at in a use.
    assert all(len(each) == len(told) - (purpose is S1SP) for each in shut)
    for gate, finding in ((gate, finding) for each in shut for gate, finding in each.items()):
        assert finding.reason == reason
        assert (told[gate].found, told[gate].remedy) == (finding.found, finding.remedy)


@pytest.mark.parametrize("around", [PUT_BACK, UNWITNESSED], ids=["an old ledger", "silent witnesses"])
@pytest.mark.parametrize("purpose", [KeyPurpose.COS_PARTY_TLS, KeyPurpose.AUDIT_CHECKPOINT])
def test_a_key_whose_policy_limits_its_uses_shows_every_gate_then_and_no_other_key_does(
    purpose: KeyPurpose, around: Surroundings
) -> None:
    packaged, held = packaged_policies()[purpose], evidence.with_validation(USER_IDS)
    limited = replace(packaged, settings=replace(packaged.settings, life=LifeSettings(uses=7)))
    told = told_of(purpose, held, LIVE, around, limited)
    assert told.keys() == gates_of(purpose).keys()
    assert told.keys() == found_for(*OF_OTHERS, purpose, held, LIVE, around, limited).keys()
    assert told_of(purpose, held, LIVE, around) == {} == found_for(*OF_OTHERS, purpose, held, LIVE, around)


IN_PARTS = [purpose for purpose in KeyPurpose if "split-key" in gates_of(purpose)]


@pytest.mark.parametrize(
    ("purpose", "user"),
    [(KeyPurpose.SUPPLIER_PRE_COMMAND, str(a_key().eui)), (KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, None)],
)
def test_thresholds_open_for_whoever_must_set_them_alone(purpose: KeyPurpose, user: str | None) -> None:
    for whose, shut in ((user, False), ("90-B3-D5-1F-AA-99-00-00", True)):
        told = told_of(purpose, a_standing(notified(on(), user=whose)))
        assert ("anomaly-threshold" in told) is shut


@pytest.mark.parametrize("purpose", IN_PARTS)
@pytest.mark.parametrize("deployment", DeploymentKind)
@pytest.mark.parametrize("state", [KeyState.SPLIT, KeyState.COMBINED])
def test_a_key_in_parts_is_shown_shut_in_the_words_of_the_refusal(
    state: KeyState, deployment: DeploymentKind, purpose: KeyPurpose
) -> None:
    held, (use, *_) = evidence.with_validation(USER_IDS), USES[purpose]
    told = told_of(purpose, held, deployment, state=state)
    shut = found_for(use, purpose, held, deployment, state=state)
    assert told.keys() == shut.keys() == {"split-key"}
    finding, each = shut["split-key"], told["split-key"]
    assert (each.clause, each.expected) == (finding.clause, finding.expected)
    assert (each.found, each.remedy) == (finding.found, finding.remedy)


@pytest.mark.parametrize("purpose", [KeyPurpose.WAN_PROVIDER_COMMAND, *IN_PARTS])
def test_a_key_that_came_by_a_transfer_shows_the_approval_that_is_missing_where_its_policy_asks_for_it(
    purpose: KeyPurpose,
) -> None:
    told = told_of(purpose, evidence.with_validation(USER_IDS), provenance=Provenance.UNWRAPPED)
    assert {gate: each.clause for gate, each in told.items()} == (
        {"pma-approval": "G2.22I(a)(i)"} if purpose in IN_PARTS else {}
    )


VALIDATED, CLASSIFIED = a_validation(), a_classification()
HELD: Mapping[str, tuple[KeyPurpose, tuple[Statement, ...], set[str]]] = {
    "a DCO's without anything": (DCO, (), {"validated-module"}),
    "a DCO's with a classification alone": (DCO, (CLASSIFIED,), {"validated-module"}),
    "a DCO's with a validation": (DCO, (VALIDATED,), set()),
    "an S1SP's without anything": (S1SP, (), {"validated-module", "information-classification-module"}),
    "an S1SP's with a classification alone": (S1SP, (CLASSIFIED,), set()),
    "an S1SP's with a validation alone": (S1SP, (VALIDATED,), set()),
}


@pytest.mark.parametrize(("purpose", "held", "shut"), HELD.values(), ids=HELD)
def test_a_live_smets1_key_shows_a_gate_of_its_module_where_no_use_could_pass_it(
    purpose: KeyPurpose, held: tuple[Statement, ...], shut: set[str]
) -> None:
    standing = a_standing(*held)
    assert told_of(purpose, standing).keys() == shut
    passing = [use for use in USES[purpose] if not found_for(use, purpose, standing)]
    assert bool(passing) is not bool(shut)


def test_a_test_deployment_relaxes_the_validation_of_a_smets1_keys_module() -> None:
    for purpose in (DCO, S1SP):
        assert told_of(purpose, Standing(), TEST) == {}
        assert any(not found_for(use, purpose, Standing(), TEST) for use in USES[purpose])
