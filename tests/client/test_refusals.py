"""Every error that the server can put on the wire comes back as the same class with the same facts."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2

from keybroker import errors
from keybroker.client import BrokerFailed, BrokerUnreachable
from keybroker.client.refusals import error_from, is_passing, retry_delay
from keybroker.errors import KeybrokerError
from keybroker.server.status import CODES, status_of
from keybroker.terms import Finding, RuleName

FINDINGS = (
    Finding(
        rule=RuleName("one"),
        clause="G1.1",
        passed=False,
        expected="a, found b",
        found="c",
        offset=12,
        reason="STATEMENT_LAPSED",
        remedy="renew it",
    ),
    Finding(rule=RuleName("two"), clause="G2.2", passed=True),
    Finding(rule=RuleName("three"), clause="G3.3", passed=False, expected="x", found="y"),
)


def example(kind: type[KeybrokerError]) -> KeybrokerError:
    if issubclass(kind, errors.ContentMalformed):
        return kind(offset=7, expected="a tag", found="0x00", source="handbook 1.2")
    if issubclass(kind, errors.GateShut):
        return kind("shut", gate="one", clause="G1.1", findings=FINDINGS)
    if issubclass(kind, errors.NotPermitted | errors.PersonMayNotAct):
        return kind("no", findings=FINDINGS)
    if issubclass(kind, errors.StatementRefused):
        return kind("no", flaw="STATEMENT_LAPSED", clause="G6.6A")
    if issubclass(kind, errors.RequestMalformed):
        return kind("too long", field="pre_command")
    return kind("a sentence")


def over_the_wire(error: KeybrokerError) -> KeybrokerError:
    status = status_of(error)
    return error_from(status.code, status.message, status.details)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_broker_is_raised_as_the_same_class(kind: type[KeybrokerError]) -> None:
    sent = example(kind)
    received = over_the_wire(sent)
    assert type(received) is kind
    assert (received.sentence, received.reason, received.clause) == (sent.sentence, sent.reason, sent.clause)
    for name in ("offset", "expected", "found", "source", "field", "gate", "flaw"):
        assert getattr(received, name, None) == getattr(sent, name, None)


def test_findings_that_refused_come_back_whole() -> None:
    received = over_the_wire(errors.NotPermitted("no", findings=FINDINGS))
    assert isinstance(received, errors.NotPermitted)
    assert received.findings == (FINDINGS[0], FINDINGS[2])
    assert received.clause == "G1.1"


def test_an_unknown_key_is_refused_without_findings_or_clause() -> None:
    received = over_the_wire(errors.NotPermitted("this caller may not use a key of that name"))
    assert isinstance(received, errors.NotPermitted)
    assert (received.findings, received.clause) == ((), "")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.UNAVAILABLE, BrokerUnreachable),
        (code_pb2.DEADLINE_EXCEEDED, BrokerUnreachable),
        (code_pb2.INTERNAL, BrokerFailed),
        (code_pb2.UNIMPLEMENTED, BrokerFailed),
    ],
)
def test_a_status_that_is_not_the_brokers_is_the_transports(code: int, kind: type[KeybrokerError]) -> None:
    assert type(error_from(code, "a word of gRPC", ())) is kind


def test_an_error_of_another_domain_is_not_taken_for_ours() -> None:
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason="NOT_PERMITTED", domain="somebody.example"))
    assert type(error_from(code_pb2.PERMISSION_DENIED, "no", [packed])) is BrokerFailed


def test_a_reason_of_a_later_broker_is_named_and_never_raised_as_something_else() -> None:
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason="SOMETHING_NEW", domain="keybroker"))
    error = error_from(code_pb2.FAILED_PRECONDITION, "what it says", [packed])
    assert type(error) is BrokerFailed
    assert "SOMETHING_NEW" in str(error)


PASSING = {
    errors.ModuleUnavailable,
    errors.ModuleBusy,
    errors.LedgerUnavailable,
    errors.BrokerStopping,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_only_faults_that_pass_are_worth_asking_again(kind: type[KeybrokerError]) -> None:
    status = status_of(example(kind))
    assert is_passing(status.code, over_the_wire(example(kind))) is (kind in PASSING)


def test_the_time_to_wait_is_the_brokers() -> None:
    assert retry_delay(status_of(errors.ModuleBusy("busy")).details) == pytest.approx(0.1)
    assert retry_delay(status_of(errors.OutcomeUnknown("unknown")).details) is None
