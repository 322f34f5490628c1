"""Each rule: every way it refuses, then the case it accepts. All run through ``decide``, on real messages."""

from __future__ import annotations

import ast
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.rule import Rule
from keybroker.policy.rules import RULES
from keybroker.policy.rules import findings as findings_of
from keybroker.terms import (
    ContentKind,
    Finding,
    KeyPurpose,
    KeyState,
    PartyName,
    RuleName,
)
from tests import messages
from tests.policy.accepted_cases import ACCEPTED
from tests.policy.every_refusal import every_rule_refused
from tests.policy.refused_cases import REFUSALS
from tests.policy.rule_cases import SUPPLIER, Case, a_command, of_code
from tests.situations import (
    AT,
    COMMAND_PURPOSES,
    LINE_PURPOSES,
    a_caller,
    a_content,
    a_decision,
    a_key,
    a_policy,
    a_situation,
)


def the_finding(findings: tuple[Finding, ...], rule: str) -> Finding:
    (finding,) = [each for each in findings if each.rule == rule]
    return finding


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found_under_which_clause(case: Case) -> None:
    with pytest.raises(NotPermitted) as refusal:
        a_decision(case.purpose, **case.spoilt)
    finding = the_finding(refusal.value.findings, case.rule)
    assert not finding.passed
    assert case.found in finding.found
    assert finding.expected
    assert finding.offset == case.offset
    purposes_own = case.rule in ("content-kind-for-purpose", "operation-for-purpose")
    expected = a_policy(case.purpose).use_clause if purposes_own else RULES[RuleName(case.rule)].clause
    assert finding.clause == expected


def test_refuses_without_a_policy_and_still_runs_the_rules_that_need_none() -> None:
    with pytest.raises(NotPermitted) as refusal:
        decide(a_content(), key=a_key(), caller=a_caller(), policy=None, situation=a_situation())
    failed = [finding.rule for finding in refusal.value.findings if not finding.passed]
    assert failed == ["policy-in-force"]
    assert len(refusal.value.findings) == 6


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepts_at_the_edge(case: Case) -> None:
    key = case.spoilt.get("key") or a_key(case.purpose)
    finding = the_finding(
        findings_of(
            case.spoilt.get("content") or a_content(case.purpose),
            key,
            a_caller(case.purpose),
            case.spoilt.get("policy") or a_policy(case.purpose),
            case.spoilt.get("situation") or a_situation(case.purpose),
        ),
        case.rule,
    )
    assert finding.passed
    assert finding.found == case.found


@pytest.mark.parametrize("purpose", LINE_PURPOSES)
def test_accepts_a_good_case_of_every_purpose_with_every_finding_passed(purpose: KeyPurpose) -> None:
    decision = a_decision(purpose)
    assert all(finding.passed for finding in decision.findings)
    assert decision.policy is a_policy(purpose) or decision.policy == a_policy(purpose)


def test_every_rule_has_a_case_that_refuses() -> None:
    assert every_rule_refused() == set(RULES)


def test_every_rule_speaks_in_the_order_in_which_it_is_listed() -> None:
    order = list(RULES)
    for purpose in (SUPPLIER, KeyPurpose.AUDIT_CHECKPOINT):
        places = [order.index(finding.rule) for finding in a_decision(purpose).findings]
        assert places == sorted(places)


def test_the_sentence_names_the_first_refusal_and_counts_the_others() -> None:
    with pytest.raises(NotPermitted) as refusal:
        a_decision(content=a_command(originator=messages.RECOVERY))
    assert str(refusal.value) == (
        "originator-is-keys-eui at offset 12: expected the key's EUI 90-B3-D5-1F-AA-01-00-00, found "
        "90-B3-D5-1F-AA-00-00-01 (GBCS Grouping Header; G2.56(a), G3.29(a)); use the originator's own key"
        " (1 more finding refuses)"
    )
    with pytest.raises(
        NotPermitted, match=r"^key-state-active: expected active, found retired \(G5.13\(a\), .*\); ask"
    ):
        a_decision(key=a_key(state=KeyState.RETIRED))


def test_a_refusal_names_neither_another_partys_key_nor_its_party() -> None:
    with pytest.raises(NotPermitted) as refusal:
        a_decision(caller=a_caller(party=PartyName("supplier-b"), keys=frozenset()))
    told = str(refusal.value) + "".join(finding.found + finding.expected for finding in refusal.value.findings)
    assert "supplier-a" not in told


@pytest.mark.parametrize("purpose", COMMAND_PURPOSES)
@pytest.mark.parametrize("other", COMMAND_PURPOSES)
def test_refuses_the_message_of_every_other_purpose(purpose: KeyPurpose, other: KeyPurpose) -> None:
    if purpose is other:
        assert a_decision(purpose).content == a_content(purpose)
        return
    with pytest.raises(NotPermitted):
        a_decision(purpose, content=a_content(other))


@pytest.mark.parametrize("clause", ["", "see the handbook", "2.44", "SEC"])
def test_a_rule_without_a_clause_cannot_be_made(clause: str) -> None:
    with pytest.raises(ValueError, match="needs a clause"):
        Rule(name=RuleName("some-rule"), clause=clause, remedy="do something")


def test_a_rule_without_a_name_or_a_remedy_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="kebab case"):
        Rule(name=RuleName("Some rule"), clause="G3.29", remedy="do something")
    with pytest.raises(ValueError, match="needs a remedy"):
        Rule(name=RuleName("some-rule"), clause="G3.29", remedy="")


def test_every_rule_in_the_rules_files_is_listed_quotes_its_clause_and_is_followed_by_its_function() -> None:
    listed = set()
    for file in files("keybroker.policy.rules").iterdir():
        if not file.name.endswith(".py") or file.name == "__init__.py":
            continue
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        statements = ast.parse(source).body
        for statement, following in zip(statements, statements[1:] + statements[:1], strict=True):
            call = getattr(statement, "value", None)
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Rule"):
                continue
            assert isinstance(statement, ast.Assign)
            name = ast.unparse(call.keywords[0].value).split("'")[1]
            listed.add(name)
            above = _comment_above(lines, statement.lineno)
            assert "SEC G" in above or "GBCS" in above, f"{file.name}: {name} quotes no clause"
            while not isinstance(following, ast.FunctionDef):
                following = statements[statements.index(following) + 1]
            assert following.name == name.replace("-", "_")
            assert following.returns is not None
            assert ast.unparse(following.returns) == "Finding"
    assert listed == set(RULES)


def _comment_above(lines: list[str], line: int) -> str:
    above = []
    while lines[line - 2].startswith("#"):
        line -= 1
        above.append(lines[line - 1])
    return " ".join(reversed(above))


def test_a_content_kind_is_taken_from_the_declaration_not_from_the_octets() -> None:
    command = replace(a_command(), kind=ContentKind.COMMAND)
    with pytest.raises(NotPermitted, match="content-kind-for-purpose"):
        a_decision(content=command)


APART: dict[str, dict[str, Any]] = {
    "key-state-active": {"key": a_key(state=KeyState.RETIRED)},
    "caller-entitled-to-operation": {"caller": a_caller(operations=frozenset())},
    "policy-in-force": {"policy": a_policy(effective_until=AT)},
    "message-code-signer-role": {"content": of_code(SUPPLIER, signers=frozenset())},
}


@given(rules=st.sets(st.sampled_from(sorted(APART)), min_size=1))
def test_collects_every_finding_whatever_is_spoilt_together(rules: set[str]) -> None:
    spoilt = {part: new for rule in rules for part, new in APART[rule].items()}
    with pytest.raises(NotPermitted) as refusal:
        a_decision(**spoilt)
    assert {finding.rule for finding in refusal.value.findings if not finding.passed} == rules
    assert len(refusal.value.findings) == len(a_decision().findings)
