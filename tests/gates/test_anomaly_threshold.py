"""The gate of Anomaly Detection Thresholds: what shuts it, what it has counted, and under whose threshold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.content.answer import read_answer
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.encrypted_data import find_encrypted
from keybroker.errors import ConfigurationInvalid, ContentMalformed, ThresholdNotSet
from keybroker.gates import open_gates
from keybroker.gates.anomaly_threshold import anomaly_threshold
from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.policy.claim import Counted
from keybroker.policy.file import read_policy
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ThresholdNotification
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, KeyPurpose
from tests import duis, evidence, messages
from tests.agreed import beside, sign
from tests.content import published
from tests.content.test_data_values import ADJUST, LIMIT, adjust_request, adjustment, command, limits
from tests.gates.looks import DAY, a_standing, stated
from tests.situations import AT, a_content, a_decision, a_policy, evidence_of

SUPPLIER, ACB = KeyPurpose.SUPPLIER_PRE_COMMAND, KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND
MAC, XML, RECOVERY = KeyPurpose.ACCESS_CONTROL_BROKER_MAC, KeyPurpose.USER_XML, KeyPurpose.RECOVERY_COMMAND
USER = str(messages.SUPPLIER)
DISABLE = messages.OPEN_LOAD_SWITCH
"""0x0050, Disable Supply: variant 7.2 alone."""
MANY = {"period_seconds": 86_400, "warning": 5, "quarantine": 9}


def on(variant: str = "7.2", measure: str = "critical", **changes: Any) -> dict[str, Any]:
    return {"measure": measure, "variant": variant} | MANY | changes


def of_code(code: int) -> dict[str, Any]:
    return {"measure": "critical", "code": f"0x{code:04X}"} | MANY


def value(code: int, name: str, least: int, most: int) -> dict[str, Any]:
    return {"measure": "value", "code": f"0x{code:04X}", "value": name, "least": least, "most": most}


def notified(
    *thresholds: dict[str, Any],
    user: str | None = USER,
    ago: timedelta = DAY,
    last: timedelta | None = None,
    **more: Any,
) -> Statement:
    said = {"user": user, "part": "test", "sequence": 1, "guidance": "G-1", "thresholds": list(thresholds)}
    common = evidence.in_common(StatementKind.THRESHOLD_NOTIFICATION, at=AT - ago, last=last)
    return stated(ThresholdNotification.model_validate(common | said | more))


def looked(
    content: Content, *held: Statement, purpose: KeyPurpose = SUPPLIER, standing: dict[str, Any] | None = None
) -> Looked:
    decision = replace(a_decision(), content=content, policy=a_policy(purpose))
    (gate,) = (each for each in decision.policy.gates if each.gate == "anomaly-threshold")
    looked_at = evidence_of(decision.key, standing=a_standing(*held, **(standing or {})))
    return anomaly_threshold(Look(use=decision, requirement=gate, evidence=looked_at))


def names(found: Looked) -> list[str]:
    assert found.finding.passed, found.finding
    return [each.name for each in found.counts]


def a_command(code: int = DISABLE, kind: ContentKind = ContentKind.PRE_COMMAND, **changes: Any) -> Content:
    return decode(kind, messages.compose_command(code, **changes))


def with_mac(code: int = DISABLE, *, signed: bool = True, **changes: Any) -> Content:
    message = messages.compose_command(code, **changes)
    octets = messages.compose_inner(message, sign(message) if signed else b"")
    return decode(ContentKind.COMMAND_BEFORE_MAC, octets, beside())


def xml(octets: bytes) -> Content:
    return decode(ContentKind.SERVICE_REQUEST, octets)


READ = xml(duis.a_request("4.3", reference="4.3", body="<sr:ReadInstantaneousPrepayValues/>"))
SMETS1 = xml(duis.a_transform(command_variant=1))


# ---- shut


SHUT: dict[str, tuple[tuple[Statement, ...], str]] = {
    "nothing notified": ((), "none notified"),
    "another variant": ((notified(on("7.1")),), "none for critical 7.2 in sequence 1"),
    "another measure": ((notified(on(measure="encrypted")),), "none for critical 7.2"),
    "another User's": ((notified(on(), user="90-B3-D5-1F-AA-99-00-00"),), "none notified"),
    "the DCC's alone": ((notified(on(), user=None),), "none notified"),
    "another part's": ((notified(on(), part="other"),), "none notified"),
    "one that lapsed": ((notified(on(), last=timedelta(hours=1)),), "STATEMENT_LAPSED"),
    "an older one behind one that lapsed": (
        (notified(on()), notified(on(), sequence=2, last=timedelta(hours=1))),
        "STATEMENT_LAPSED",
    ),
    "an older one behind one without it": ((notified(on()), notified(on("7.1"), sequence=2)), "in sequence 2"),
    "an older one that came later": ((notified(on("7.1"), sequence=2), notified(on())), "in sequence 2"),
}


@pytest.mark.parametrize("other", [a_command(messages.SET_CLOCK), a_command(originator=messages.NETWORK_OPERATOR)])
def test_what_was_found_for_one_command_of_a_batch_opens_for_no_other_code_nor_originator(other: Content) -> None:
    decision = replace(a_decision(), policy=a_policy(SUPPLIER))
    (gate,) = (each for each in decision.policy.gates if each.gate == "anomaly-threshold")
    batch = evidence_of(decision.key, standing=a_standing(notified(on())))
    found = [
        anomaly_threshold(Look(use=replace(decision, content=each), requirement=gate, evidence=batch))
        for each in (a_command(), other)
    ]
    assert [each.finding.passed for each in found] == [True, False]


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", "G6.10", shows="refusal")
@pytest.mark.parametrize("name", SHUT)
def test_shuts_where_the_user_set_no_threshold_in_force(name: str) -> None:
    held, found = SHUT[name]
    finding = looked(a_command(), *held).finding
    assert not finding.passed
    assert (finding.reason, finding.clause) == ("THRESHOLD_NOT_SET", "G6.3")
    assert found in finding.found
    assert "keybroker thresholds notify" in finding.remedy


def test_shuts_where_evidence_is_older_than_a_restore() -> None:
    finding = looked(a_command(), notified(on()), standing={"restored_at": AT}).finding
    assert "STATEMENT_BEFORE_RESTORE" in finding.found


def test_shuts_unless_every_variant_that_it_may_be_has_its_threshold() -> None:
    finding = looked(a_command(messages.SET_CLOCK), notified(on("6.11"))).finding
    assert (finding.passed, finding.found) == (False, "none for critical 8.1.1 in sequence 1")


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", shows="refusal")
@pytest.mark.parametrize(
    ("content", "purpose", "missing"),
    [
        (a_content(ACB), ACB, "critical 6.15.1, critical 6.21"),
        (with_mac(), MAC, "critical 7.2"),
        (a_content(RECOVERY), RECOVERY, "critical 0x0108"),
        (READ, XML, "encrypted 4.3"),
        (SMETS1, XML, "critical 7.2"),
    ],
)
def test_says_whose_threshold_is_missing_for_what(content: Content, purpose: KeyPurpose, missing: str) -> None:
    finding = looked(content, purpose=purpose).finding
    whose = USER if purpose is XML else "dcc"
    assert (finding.passed, finding.reason) == (False, "THRESHOLD_NOT_SET")
    assert finding.expected == f"thresholds of {whose} for {missing}, in the part test"
    assert finding.clause == ("G6.3" if purpose is XML else "G6.6")


def test_a_shut_gate_refuses_with_its_own_leaf() -> None:
    decision = a_decision()
    looked_at = evidence_of(decision.key)
    held = tuple(each for each in looked_at.standing.statements if each.kind != StatementKind.THRESHOLD_NOTIFICATION)
    looked_at = replace(looked_at, standing=replace(looked_at.standing, statements=held))
    with pytest.raises(ThresholdNotSet, match="anomaly-threshold: expected thresholds of") as refusal:
        open_gates(decision, looked_at)
    assert (refusal.value.gate, refusal.value.clause) == ("anomaly-threshold", "G6.3")


# ---- what counts


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", "G6.10", shows="acceptance")
def test_counts_a_pre_command_per_user_and_variant() -> None:
    found = looked(a_command(), notified(on()))
    assert found.counts == (
        Counted(
            clause="G6.3(a)(i)",
            name=f"signed critical 7.2 {USER} test",
            told=f"critical 7.2 of {USER}",
            period_seconds=86_400,
            warning=5,
            quarantine=9,
            user=USER,
        ),
    )
    assert "set by" in found.finding.found


def test_counts_together_under_every_variant_that_it_may_be() -> None:
    found = looked(a_command(messages.SET_CLOCK), notified(on("6.11"), on("8.1.1")))
    assert names(found) == [f"signed critical {each} {USER} test" for each in ("6.11", "8.1.1")]


@pytest.mark.clause("G6.3(b)", "G6.6(b)", "G6.6(d)", shows="acceptance")
def test_counts_under_the_dccs_thresholds_too_where_they_are_held() -> None:
    found = looked(a_command(), notified(on()), notified(on(), user=None))
    assert names(found) == [f"signed critical 7.2 {USER} test", "signed critical 7.2 dcc test"]
    assert [each.clause for each in found.counts] == ["G6.3(a)(i)", "G6.6(a)(i)"]


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", shows="acceptance")
@pytest.mark.parametrize(
    ("content", "purpose", "held", "counted"),
    [
        (a_content(RECOVERY), RECOVERY, of_code(0x0108), "signed critical 0x0108 dcc test"),
        (with_mac(), MAC, on(), "mac critical 7.2 dcc test"),
    ],
)
def test_counts_the_dccs_own_over_all_users(
    content: Content, purpose: KeyPurpose, held: dict[str, Any], counted: str
) -> None:
    assert names(looked(content, notified(held, user=None), purpose=purpose)) == [counted]


def test_counts_a_users_own_where_the_dcc_puts_the_mac() -> None:
    found = looked(with_mac(), notified(on(), user=None), notified(on()), purpose=MAC)
    assert names(found) == [f"mac critical 7.2 {USER} test", "mac critical 7.2 dcc test"]


def test_counts_for_the_party_that_the_access_control_broker_acts_for() -> None:
    other = messages.NETWORK_OPERATOR
    content = with_mac(messages.UNJOIN, originator=messages.ACCESS_CONTROL_BROKER, supplementary=(other, 7))
    held = notified(on("8.8.1"), on("8.8.2"), on("8.7.1"), on("8.7.2"), user=None)
    assert {each.user for each in looked(content, held, purpose=MAC).counts} == {str(other)}


def test_counts_critical_smets1_service_requests_with_the_commands_of_their_variant() -> None:
    assert names(looked(SMETS1, notified(on()), purpose=XML)) == names(looked(a_command(), notified(on())))


def test_counts_service_requests_whose_responses_hold_encrypted_data() -> None:
    found = looked(READ, notified(on("4.3", "encrypted")), purpose=XML)
    assert names(found) == [f"signed encrypted 4.3 {USER} test"]
    assert found.counts[0].clause == "G6.3(a)(ii)"


@pytest.mark.clause("G6.4A", shows="acceptance")
def test_a_variant_that_the_user_has_not_tested_has_a_threshold_of_zero() -> None:
    held = notified(on(warning=0, quarantine=0, tested=False))
    (counted,) = looked(a_command(), held).counts
    assert (counted.quarantine, counted.clause) == (0, "G6.4A")


@pytest.mark.parametrize(
    ("content", "purpose"),
    [
        (with_mac(messages.SEND_MESSAGE, signed=False), MAC),
        (xml(duis.a_request()), XML),
        (xml(duis.a_transform()), XML),
        (a_content(KeyPurpose.AUDIT_CHECKPOINT), SUPPLIER),
    ],
)
def test_whatever_is_not_critical_and_not_encrypted_counts_nothing(content: Content, purpose: KeyPurpose) -> None:
    found = looked(content, purpose=purpose)
    assert (found.finding.passed, found.finding.found, found.counts) == (True, "nothing to count", ())


# ---- data values


ADJUSTED = notified(on("1.5"), value(ADJUST, "adjust-meter-balance", -100, 100))


@pytest.mark.clause("G6.3(b)", "G6.6(b)", "G6.6(d)", shows="refusal")
@pytest.mark.parametrize("amount", [-101, 101, 2**31 - 1])
def test_a_data_value_out_of_range_counts_against_a_threshold_of_none(amount: int) -> None:
    content = decode(ContentKind.PRE_COMMAND, command(ADJUST, adjustment(amount)))
    *_, outside = looked(content, ADJUSTED).counts
    assert (outside.quarantine, outside.found, outside.deletes) == (0, str(amount), False)
    assert outside.told == f"0x001C adjust-meter-balance of -100 to 100, as {USER} set it"
    assert outside.name == f"signed value 0x001C adjust-meter-balance {USER} test"
    assert outside.clause == "G6.3(b)"


@pytest.mark.clause("G6.3(b)", "G6.6(b)", "G6.6(d)", shows="acceptance")
@pytest.mark.parametrize("amount", [-100, 0, 100])
def test_a_data_value_within_its_range_counts_nothing(amount: int) -> None:
    content = decode(ContentKind.PRE_COMMAND, command(ADJUST, adjustment(amount)))
    assert names(looked(content, ADJUSTED)) == [f"signed critical 1.5 {USER} test"]


def test_every_value_outside_its_range_is_told() -> None:
    content = decode(ContentKind.PRE_COMMAND, command(LIMIT, limits()))
    ranges = [value(LIMIT, name, 0, 0) for name in ("load-limit-period", "load-limit-power-threshold")]
    held = notified(on("6.4.1"), *ranges)
    assert len([each for each in looked(content, held).counts if each.found]) == 2


def test_the_dccs_range_holds_where_the_users_does() -> None:
    content = decode(ContentKind.PRE_COMMAND, command(ADJUST, adjustment(50)))
    dcc = notified(value(ADJUST, "adjust-meter-balance", 0, 10), user=None)
    *_, outside = looked(content, ADJUSTED, dcc).counts
    assert (outside.clause, outside.found) == ("G6.6(b)", "50")


def test_a_smets1_service_request_out_of_range_is_to_be_deleted() -> None:
    octets = adjust_request("101").replace(b"<sr:CommandVariant>4<", b"<sr:CommandVariant>1<")
    *_, outside = looked(xml(octets), ADJUSTED, purpose=XML).counts
    assert (outside.deletes, outside.clause, outside.found) == (True, "G6.1(d)(i)", "101")


def test_a_transform_out_of_range_is_quarantined() -> None:
    (outside,) = looked(xml(adjust_request("101")), ADJUSTED, purpose=XML).counts
    assert (outside.deletes, outside.found) == (False, "101")


@pytest.mark.clause("G6.3(b)", "G6.6(b)", "G6.6(d)", shows="refusal")
def test_refuses_a_command_whose_values_have_thresholds_and_cannot_be_read() -> None:
    content = decode(ContentKind.PRE_COMMAND, command(ADJUST, adjustment(1) + "00"))
    with pytest.raises(ContentMalformed):
        looked(content, ADJUSTED)
    assert names(looked(content, notified(on("1.5")))) == [f"signed critical 1.5 {USER} test"]


# ---- the policy


USER_XML = Path(__file__).parent.parent.parent / "policies" / "user-xml.toml"
LISTED = re.compile(rb"encrypted_response_variants = \[[^]]*\]")


@pytest.mark.parametrize(
    ("pattern", "instead", "told"),
    [
        (LISTED, b"encrypted_response_variants = []", "at least 1 item"),
        (LISTED, b'encrypted_response_variants = ["9.9.9"]', "no Service Reference Variant"),
        (LISTED, b'encrypted_response_variants = ["4.3", "4.3"]', "each item once"),
        (LISTED, b"", "encrypted_response_variants"),
        (re.compile(rb"\[anomaly_thresholds\][^[]*\[[^]]*\]"), b"", "expected .*anomaly_thresholds"),
        (re.compile(rb'gate = "anomaly-threshold"'), b'gate = "pma-approval"', "expected also anomaly-threshold"),
    ],
)
def test_refuses_a_policy_that_does_not_say_which_responses_hold_encrypted_data(
    pattern: re.Pattern[bytes], instead: bytes, told: str
) -> None:
    octets, found = pattern.subn(instead, USER_XML.read_bytes())
    assert found == 1
    with pytest.raises(ConfigurationInvalid, match=told):
        read_policy(octets, name="user-xml.toml")


def test_the_list_holds_every_variant_of_which_a_published_response_has_encrypted_data() -> None:
    settings = a_policy(XML).settings.anomaly_thresholds
    assert settings is not None
    derived: set[str] = set()
    for message in published.read_messages(published.directory()):
        if message.kind != "RESPONSE":
            continue
        answer = read_answer(message.octets)
        try:
            find_encrypted(answer.inner, answer.header)
        except ContentMalformed:
            continue
        derived.update(answer.header.message_code.service_reference_variants)
    assert derived == settings.encrypted_response_variants
