"""Each rule: every way it refuses, then the case it accepts. All run through ``decide``, on real messages."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.model import Criticality, GbcsCommand
from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.rule import Rule
from keybroker.policy.rules import RULES
from keybroker.policy.rules import findings as findings_of
from keybroker.terms import (
    CallerKind,
    ContentKind,
    DeploymentKind,
    Finding,
    KeyLabel,
    KeyPurpose,
    KeyState,
    Operation,
    PartyName,
    Provenance,
    RemotePartyRole,
    RuleName,
)
from tests import messages
from tests.situations import (
    AT,
    COMMAND_PURPOSES,
    ORIGIN,
    RFC_6979_KEY,
    a_caller,
    a_certificate,
    a_content,
    a_decision,
    a_key,
    a_point,
    a_policy,
    a_situation,
)

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
ACB = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND
CONTINGENCY = KeyPurpose.CONTINGENCY_COMMAND
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A rule, what is spoilt, and what the finding must tell."""

    rule: str
    spoilt: dict[str, Any]
    found: str
    purpose: KeyPurpose = SUPPLIER
    offset: int | None = None
    passes: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found or 'pass'} ({self.purpose})"


def a_command(purpose: KeyPurpose = SUPPLIER, **changes: Any) -> GbcsCommand:
    content = a_content(purpose, **changes)
    assert isinstance(content, GbcsCommand)
    return content


def of_code(purpose: KeyPurpose, **changes: Any) -> GbcsCommand:
    """A good Command whose row of the Message Code table says something else."""
    command = a_command(purpose)
    return replace(command, message_code=replace(command.message_code, **changes))


CELL = messages.der(0x04, messages.DEVICE.octets)
UNKNOWN_PARTY = (messages.SUPPLIER, 77)

REFUSALS = (
    Case(rule="policy-in-force", spoilt={"policy": a_policy(KeyPurpose.RECOVERY_COMMAND)}, found="recovery-command"),
    Case(
        rule="policy-in-force",
        spoilt={"policy": a_policy(effective_from=AT + SECOND)},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_until=AT)}, found="2026-01-15T12:00:00+00:00"),
    Case(
        rule="content-kind-for-purpose",
        spoilt={"content": a_content(KeyPurpose.RECOVERY_COMMAND)},
        found="command",
    ),
    Case(rule="content-kind-for-purpose", spoilt={"content": a_command()}, purpose=ACB, found="pre-command"),
    Case(
        rule="content-kind-for-purpose",
        spoilt={"content": a_content(KeyPurpose.AUDIT_CHECKPOINT)},
        found="audit-checkpoint",
    ),
    *(
        Case(rule="operation-for-purpose", spoilt={"situation": a_situation(operation=operation)}, found=operation)
        for operation in Operation
        if operation is not Operation.SIGN_PRE_COMMAND
    ),
    *(
        Case(
            rule="operation-for-purpose",
            spoilt={"situation": a_situation(operation=operation)},
            purpose=ACB,
            found=operation,
        )
        for operation in Operation
        if operation is not Operation.SIGN_COMMAND
    ),
    *(
        Case(rule="caller-kind-for-purpose", spoilt={"caller": a_caller(kind=kind)}, found=kind)
        for kind in CallerKind
        if kind is not CallerKind.USER_SYSTEM
    ),
    *(
        Case(rule="caller-kind-for-purpose", spoilt={"caller": a_caller(ACB, kind=kind)}, purpose=ACB, found=kind)
        for kind in CallerKind
        if kind is not CallerKind.DCC_SERVICE
    ),
    Case(rule="caller-entitled-to-key", spoilt={"caller": a_caller(keys=frozenset())}, found="one that is not"),
    Case(
        rule="caller-entitled-to-key",
        spoilt={"caller": a_caller(keys=frozenset({KeyLabel("supplier-b")}))},
        found="one that is not",
    ),
    Case(
        rule="caller-party-is-keys-party",
        spoilt={"caller": a_caller(party=PartyName("supplier-b"))},
        found="a key of another party",
    ),
    Case(
        rule="caller-entitled-to-operation",
        spoilt={"caller": a_caller(operations=frozenset())},
        found="SignPreCommand",
    ),
    Case(
        rule="caller-entitled-to-operation",
        spoilt={"caller": a_caller(operations=frozenset({Operation.EXPLAIN, Operation.SIGN_COMMAND}))},
        found="SignPreCommand",
    ),
    Case(
        rule="caller-speaks-for-originator",
        spoilt={"caller": a_caller(euis=frozenset())},
        found=str(messages.SUPPLIER),
        offset=12,
    ),
    Case(
        rule="caller-speaks-for-originator",
        spoilt={"caller": a_caller(euis=frozenset({messages.NETWORK_OPERATOR}))},
        found=str(messages.SUPPLIER),
        offset=12,
    ),
    *(
        Case(rule="key-state-active", spoilt={"key": a_key(state=state)}, found=state)
        for state in KeyState
        if state is not KeyState.ACTIVE
    ),
    Case(rule="key-certificate-present", spoilt={"key": a_key(certificate=None)}, found="none"),
    *(
        Case(
            rule="key-certificate-role-for-purpose",
            spoilt={"key": a_key(certificate=a_certificate(role=role))},
            found=f"OU {role.ou}",
        )
        for role in RemotePartyRole
        if role is not RemotePartyRole.SUPPLIER
    ),
    Case(rule="key-eui-is-certificates-eui", spoilt={"key": a_key(eui=None)}, found="none"),
    Case(
        rule="key-eui-is-certificates-eui",
        spoilt={"key": a_key(eui=messages.RECOVERY)},
        found=str(messages.RECOVERY),
    ),
    Case(
        rule="key-certificate-valid-now",
        spoilt={"key": a_key(certificate=a_certificate(not_after=AT - SECOND))},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(
        rule="key-certificate-valid-now",
        spoilt={"key": a_key(certificate=a_certificate(not_before=AT + SECOND))},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(
        rule="key-certificate-not-revoked",
        spoilt={"key": a_key(certificate=a_certificate(revoked_at=datetime(2026, 1, 1, tzinfo=UTC)))},
        found="revoked at 2026-01-01T00:00:00+00:00",
    ),
    Case(
        rule="key-certificate-not-revoked",
        spoilt={"key": a_key(certificate=a_certificate(revoked_at=datetime(2027, 1, 1, tzinfo=UTC)))},
        found="revoked at 2027-01-01T00:00:00+00:00",
    ),
    Case(
        rule="key-usage-digital-signature",
        spoilt={"key": a_key(certificate=a_certificate(digital_signature=False))},
        found="keyAgreement",
    ),
    Case(
        rule="anchor-for-deployment",
        spoilt={"key": a_key(certificate=a_certificate(test_anchor=False))},
        found="a live anchor",
    ),
    Case(
        rule="anchor-for-deployment",
        spoilt={"situation": a_situation(deployment=DeploymentKind.LIVE)},
        found="a test anchor",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={
            "key": a_key(provenance=Provenance.IMPORTED_TEST_KEY),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="an imported test key",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={"key": a_key(public_key=RFC_6979_KEY), "situation": a_situation(deployment=DeploymentKind.LIVE)},
        found="a published test key",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(code=messages.SEND_MESSAGE)},
        found="0x0021, a Command (non-critical)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": of_code(SUPPLIER, criticality=Criticality.UNKNOWN)},
        found="0x0062, a Command (unknown)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": of_code(SUPPLIER, is_command=False)},
        found="0x0062, no Command (critical)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(code=0x011B, content=CELL)},
        found="0x011B, a Command (variant)",
        offset=31,
    ),
    Case(
        rule="message-code-for-purpose",
        spoilt={"content": a_command(code=0x011B, content=CELL)},
        found="0x011B CS02f",
        offset=31,
    ),
    *(
        Case(
            rule="message-code-for-purpose",
            spoilt={"content": a_command(code=code)},
            found=f"0x{code:04X}",
            offset=31,
        )
        for code in (0x0103, 0x0104, 0x0105, 0x0106, 0x0107, 0x0108, 0x0109, 0x011F, 0x0125, messages.SEND_MESSAGE)
    ),
    Case(
        rule="message-code-signer-role",
        spoilt={"key": a_key(certificate=a_certificate(role=RemotePartyRole.LOAD_CONTROLLER))},
        found="08 (LOAD_CONTROLLER)",
        offset=31,
    ),
    Case(
        rule="message-code-signer-role",
        spoilt={"content": of_code(SUPPLIER, signers=frozenset())},
        found="02 (SUPPLIER)",
        offset=31,
    ),
    Case(
        rule="originator-is-keys-eui",
        spoilt={"content": a_command(originator=messages.NETWORK_OPERATOR)},
        found=str(messages.NETWORK_OPERATOR),
        offset=12,
    ),
    Case(rule="originator-is-keys-eui", spoilt={"key": a_key(eui=None)}, found=str(messages.SUPPLIER), offset=12),
    Case(
        rule="originator-is-keys-eui",
        spoilt={"content": a_command(CONTINGENCY, originator=messages.RECOVERY)},
        purpose=CONTINGENCY,
        found=str(messages.RECOVERY),
        offset=12,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(code=messages.UNJOIN, supplementary=UNKNOWN_PARTY)},
        found="18",
        offset=31,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(ACB, code=messages.UNJOIN)},
        purpose=ACB,
        found="2",
        offset=31,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": replace(a_command(ACB), supplementary_party=messages.SUPPLIER, supplementary_counter=77)},
        purpose=ACB,
        found="18",
        offset=31,
    ),
    *(
        Case(
            rule="checkpoint-origin-is-this-ledger",
            spoilt={"content": a_content(KeyPurpose.AUDIT_CHECKPOINT, origin=origin)},
            purpose=KeyPurpose.AUDIT_CHECKPOINT,
            found=repr(origin),
            offset=0,
        )
        for origin in ("keybroker.example/other", f"{ORIGIN}2", ORIGIN[:-1])
    ),
)

ACCEPTED = (
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_from=AT)}, found=""),
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_until=AT + SECOND)}, found=""),
    Case(rule="key-certificate-valid-now", spoilt={"key": a_key(certificate=a_certificate(not_after=AT))}, found=""),
    Case(rule="key-certificate-valid-now", spoilt={"key": a_key(certificate=a_certificate(not_before=AT))}, found=""),
    Case(
        rule="anchor-for-deployment",
        spoilt={
            "key": a_key(certificate=a_certificate(test_anchor=False)),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={
            "key": a_key(certificate=a_certificate(test_anchor=False)),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={"key": a_key(provenance=Provenance.IMPORTED_TEST_KEY, public_key=a_point(2))},
        found="not applicable to this purpose",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(KeyPurpose.COS_PARTY_COMMAND, code=0x011B, content=CELL)},
        purpose=KeyPurpose.COS_PARTY_COMMAND,
        found="",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(KeyPurpose.COS_PARTY_COMMAND, code=0x0008, content=CELL)},
        purpose=KeyPurpose.COS_PARTY_COMMAND,
        found="",
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(ACB, code=messages.UNJOIN, supplementary=UNKNOWN_PARTY)},
        purpose=ACB,
        found="",
    ),
    Case(rule="message-code-signer-role", spoilt={}, purpose=CONTINGENCY, found="not applicable to this purpose"),
    Case(rule="key-certificate-present", spoilt={}, purpose=CONTINGENCY, found="not applicable to this purpose"),
    Case(
        rule="key-certificate-role-for-purpose",
        spoilt={"key": a_key(CONTINGENCY, certificate=a_certificate(CONTINGENCY, eui=messages.CONTINGENCY))},
        purpose=CONTINGENCY,
        found="not applicable to this purpose",
    ),
    Case(rule="caller-speaks-for-originator", spoilt={}, purpose=ACB, found="not applicable to this purpose"),
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
    assert finding.clause == RULES[RuleName(case.rule)].clause


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


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_accepts_a_good_case_of_every_purpose_with_every_finding_passed(purpose: KeyPurpose) -> None:
    decision = a_decision(purpose)
    assert all(finding.passed for finding in decision.findings)
    assert decision.policy is a_policy(purpose) or decision.policy == a_policy(purpose)


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == set(RULES)


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
