"""Every error that the server can put on the wire comes back as the same class with the same facts."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from keybroker import errors
from keybroker.client import BrokerFailed, BrokerUnreachable
from keybroker.client.refusals import error_from, is_passing, retry_delay
from keybroker.errors import KeybrokerError
from keybroker.server.status import CODES, item_status, status_of
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
    Finding(
        rule=RuleName("three"),
        clause="G3.3",
        passed=False,
        expected="x",
        found="y",
        reason="CHECK_MISSING",
        remedy="have it checked",
    ),
)
REFUSING = [errors.NotPermitted, errors.PersonMayNotAct, *(kind for kind in CODES if issubclass(kind, errors.GateShut))]


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
    if issubclass(kind, errors.ShareUnfit):
        return kind("no share of this set", flaw="SHARE_OF_ANOTHER_SET")
    return kind("a sentence")


def over_the_wire(error: KeybrokerError) -> KeybrokerError:
    status = status_of(error)
    return error_from(status.code, status.message, status.details)


def as_an_item(error: KeybrokerError) -> KeybrokerError:
    status = item_status(error)
    return error_from(status.code, status.message, status.details)


def findings(longest: int) -> st.SearchStrategy[Finding]:
    """Any at all, passed ones too."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=longest)
    offset = st.none() | st.integers(0, 2**32 - 1)
    words = dict.fromkeys(("clause", "expected", "found", "reason", "remedy"), text)
    return st.builds(Finding, rule=st.just(RuleName("a-rule")), passed=st.booleans(), offset=offset, **words)


def failing(given: tuple[Finding, ...] | list[Finding]) -> tuple[Finding, ...]:
    return tuple(each for each in given if not each.passed)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_broker_is_raised_as_the_same_class(kind: type[KeybrokerError]) -> None:
    sent = example(kind)
    received = over_the_wire(sent)
    assert type(received) is kind
    assert (received.sentence, received.reason, received.clause) == (sent.sentence, sent.reason, sent.clause)
    for name in ("offset", "expected", "found", "source", "field", "gate", "flaw"):
        assert getattr(received, name, None) == getattr(sent, name, None)


@pytest.mark.parametrize("kind", REFUSING, ids=lambda kind: kind.__name__)
def test_findings_that_refused_come_back_whole_alone_and_as_an_item(kind: type[KeybrokerError]) -> None:
    sent = example(kind)
    for received in (over_the_wire(sent), as_an_item(sent)):
        assert getattr(received, "findings", ()) == (FINDINGS[0], FINDINGS[2])
        assert received.clause == "G1.1"


@given(st.lists(findings(20), max_size=8))
def test_whatever_was_found_comes_back_as_it_was(found: list[Finding]) -> None:
    sent = errors.GateShut("shut", gate="a-rule", clause="G1.1", findings=tuple(found))
    for received in (over_the_wire(sent), as_an_item(sent)):
        assert isinstance(received, errors.GateShut)
        assert received.findings == failing(found)
        assert received.sentence == "shut"


@given(st.lists(findings(3_000), max_size=4))
def test_what_does_not_fit_is_cut_short_and_none_of_a_few_is_left_out(found: list[Finding]) -> None:
    received = over_the_wire(errors.NotPermitted("no", findings=tuple(found)))
    assert isinstance(received, errors.NotPermitted)
    assert received.sentence == "no"
    for got, sent in zip(received.findings, failing(found), strict=True):
        for name in ("clause", "expected", "found", "reason", "remedy"):
            cut, whole = getattr(got, name), getattr(sent, name)
            assert cut == whole or (cut.endswith("...") and whole.startswith(cut[:-3]))


@pytest.mark.parametrize("kind", [errors.NotPermitted, errors.ApprovalNotShown], ids=lambda kind: kind.__name__)
def test_it_says_so_where_findings_are_left_out(kind: type[KeybrokerError]) -> None:
    many = tuple(
        Finding(
            rule=RuleName(f"rule-{number}"),
            clause="G1.1",
            passed=False,
            expected="x" * 900,
            found="y" * 900,
            remedy="z" * 900,
        )
        for number in range(40)
    )
    more = {"gate": "rule-0", "clause": "G1.1"} if issubclass(kind, errors.GateShut) else {}
    received = over_the_wire(kind("no", findings=many, **more))  # type: ignore[call-arg]
    told: tuple[Finding, ...] = getattr(received, "findings", ())
    assert [each.rule for each in told] == [each.rule for each in many[: len(told)]]
    assert len(told) > 4
    assert received.sentence == f"no ({40 - len(told)} more findings refuse; Explain shows them)"


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
