"""A use that the rules refuse tells of the gates too: by looking alone, and the refusal stays the rules' own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import KeybrokerError, ModuleUnavailable, NotPermitted, ThresholdExceeded
from keybroker.gates import EXISTING_GATES
from keybroker.gates.model import GateEvidence
from keybroker.ledger.canonical_json import decode as read_record
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy import decide
from keybroker.policy.model import GateRequirement
from keybroker.signing import Ask, Bench, explain, judge, sign_batch
from keybroker.terms import Finding, KeyLabel, KeyPurpose, Operation, RequestId
from tests import messages
from tests.content.test_data_values import ADJUST, adjustment, command
from tests.gates.every_gate import CHECKED, COUNTED
from tests.gates.test_anomaly_threshold import notified, on, value
from tests.gates.test_every_gate import CODE, Stage, a_stage, command_of, fresh, numbered
from tests.gates.test_gates import PUT_BACK, gates_of
from tests.situations import AT, EUIS, a_caller, a_policy, evidence_of

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
GOOD = numbered(1_000)
OF_ANOTHER = command_of(messages.compose_command(CODE, EUIS[KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND], counter=1_000))
"""The key's EUI is not its originator: the rules refuse it."""
TWICE = notified(on(warning=0, quarantine=2), on("1.5"), value(ADJUST, "adjust-meter-balance", -100, 100))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, TWICE) as stage:
        yield stage


def an_ask(content: Any = OF_ANOTHER, *checks: bytes, name: str = "r", **changes: Any) -> Ask:
    given: dict[str, Any] = {"operation": Operation.SIGN_PRE_COMMAND, "key": KeyLabel("supplier-a")} | changes
    identity = RequestIdentity(
        caller=a_caller(), request_id=RequestId(name), sha256=sha256(name.encode()).digest(), **given
    )
    return Ask(identity=identity, kind=content.kind, octets=content.octets, statements=checks)


def a_bench(stage: Stage, **changes: Any) -> Bench:
    register = stage.line.register.current()
    found = evidence_of(*register.keys.values(), standing=register.standing)
    return replace(Bench(line=stage.line, register=register, evidence=found, at=AT), **changes)


def refused(bench: Bench, ask: Ask) -> NotPermitted:
    with pytest.raises(NotPermitted) as refusal:
        judge(bench, ask)
    return refusal.value


def by_gate(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {str(each.rule): each for each in findings if each.rule in EXISTING_GATES}


def own_refusal(stage: Stage, ask: Ask) -> NotPermitted:
    """What the rules say by themselves."""
    bench = a_bench(stage)
    with pytest.raises(NotPermitted) as refusal:
        decide(
            OF_ANOTHER,
            key=bench.register.keys[ask.identity.key],
            caller=ask.identity.caller,
            policy=a_policy(SUPPLIER),
            situation=bench.situation(ask.identity.operation),
        )
    return refusal.value


def test_what_the_rules_refuse_is_refused_in_their_words_with_a_line_for_every_gate(stage: Stage) -> None:
    ask = an_ask()
    own = own_refusal(stage, ask)
    outcome = sign_batch(stage.line, [ask], AT)[0]
    with pytest.raises(NotPermitted) as explained:
        explain(stage.line, ask, AT)
    assert isinstance(outcome, NotPermitted)
    assert outcome.findings == explained.value.findings
    assert (outcome.sentence, outcome.clause) == (own.sentence, own.clause)
    assert outcome.findings[: len(own.findings)] == own.findings
    gates = outcome.findings[len(own.findings) :]
    assert [str(each.rule) for each in gates] == list(gates_of(SUPPLIER))
    assert all(each.clause and each.expected and each.found and (each.passed or each.remedy) for each in gates)
    assert [str(each.rule) for each in gates if not each.passed] == [CHECKED, COUNTED]


def test_the_record_of_a_refusal_holds_what_the_gates_found_beside_the_rules(stage: Stage) -> None:
    outcome = sign_batch(stage.line, [an_ask()], AT)[0]
    assert isinstance(outcome, NotPermitted)
    stored = stage.line.journal.find(1)
    assert stored is not None
    body: Any = read_record(stored.octets)
    told = [each["rule"] if isinstance(each, dict) else each[0] for each in body["findings"]]
    assert (body["kind"], body["reason"]) == ("refusal", "NOT_PERMITTED")
    assert told == [str(each.rule) for each in outcome.findings]


def test_looking_beside_a_refusal_spends_no_check_and_counts_nothing(stage: Stage) -> None:
    check = fresh(GOOD)
    for number in range(4):
        ask = an_ask(GOOD, check, name=f"no-{number}", operation=Operation.SIGN_COMMAND)
        outcome = sign_batch(stage.line, [ask], AT)[0]
        assert isinstance(outcome, NotPermitted)
        assert all(each.passed for each in by_gate(outcome.findings).values())
    assert isinstance(stage.asked("r-1", GOOD, check), Concluded)
    more = [numbered(1_000 + each) for each in (1, 2)]
    outcomes = [stage.asked(f"r-{each.originator_counter}", each, fresh(each)) for each in more]
    # Two by the threshold, whatever was refused before them.
    assert [type(each) for each in outcomes] == [Concluded, ThresholdExceeded]
    assert stage.module.uses == 2


def test_a_ledger_that_was_put_back_is_told_of_beside_a_refusal(stage: Stage) -> None:
    bench = a_bench(stage)
    assert isinstance(bench.evidence, GateEvidence)
    shut = by_gate(refused(replace(bench, evidence=replace(bench.evidence, surroundings=PUT_BACK)), an_ask()).findings)
    assert {name: each.reason for name, each in shut.items() if not each.passed} == dict.fromkeys(
        (CHECKED, COUNTED), "LEDGER_NOT_REMEMBERED"
    )


def test_octets_that_a_gate_cannot_read_are_one_of_its_findings_where_the_rules_refuse_them(stage: Stage) -> None:
    unreadable = command_of(command(ADJUST, adjustment(1) + "00"))
    ask = an_ask(unreadable, fresh(unreadable, "1.5"), operation=Operation.SIGN_COMMAND)
    finding = by_gate(refused(a_bench(stage), ask).findings)[COUNTED]
    assert (finding.passed, finding.reason) == (False, "CONTENT_MALFORMED")
    assert finding.expected
    assert finding.found
    assert finding.remedy


def test_a_refusal_of_the_rules_stands_whatever_befalls_the_looking(stage: Stage) -> None:
    policy = a_policy(SUPPLIER, gates=(GateRequirement(gate="no-such-gate", clause="G3.22"),))
    unlooked = replace(stage.line, policies={SUPPLIER: policy})
    away = ModuleUnavailable("the module is away")
    own = own_refusal(stage, an_ask())
    for bench in (a_bench(stage, line=unlooked), a_bench(stage, evidence=away)):
        refusal: KeybrokerError = refused(bench, an_ask())
        assert (refusal.sentence, refusal.findings) == (own.sentence, own.findings)  # type: ignore[attr-defined]


def test_of_a_key_that_is_not_the_callers_no_gate_is_told(stage: Stage) -> None:
    (finding,) = refused(a_bench(stage), an_ask(key=KeyLabel("nobodys"))).findings
    assert finding.rule == "caller-entitled-to-key"


def test_without_a_policy_there_is_no_gate_to_look_at(stage: Stage) -> None:
    refusal = refused(a_bench(stage, line=replace(stage.line, policies={})), an_ask())
    assert by_gate(refusal.findings) == {}
