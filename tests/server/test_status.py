"""Every error that may leave has a row in the table, and its google.rpc.Status fits into trailers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2

from keybroker import errors
from keybroker.errors import (
    ContentMalformed,
    GateShut,
    KeybrokerError,
    NotPermitted,
    PersonMayNotAct,
    RequestMalformed,
    ShareUnfit,
    StatementRefused,
)
from keybroker.hsm.pin import PinWrong
from keybroker.pb import signing_pb2 as pb
from keybroker.server import exit_status, status
from keybroker.terms import Finding, RuleName

FAILED = Finding(rule=RuleName("a-rule"), clause="G3.29", passed=False, expected="this", found="that", offset=7)
PASSED = Finding(rule=RuleName("b-rule"), clause="G2.56", passed=True)
ABSTRACT = {KeybrokerError, errors.Refusal, errors.Fault}


def subclasses(error: type[KeybrokerError]) -> Iterator[type[KeybrokerError]]:
    for each in error.__subclasses__():
        yield each
        yield from subclasses(each)


def example(error: type[KeybrokerError]) -> KeybrokerError:
    if issubclass(error, ContentMalformed):
        return error(offset=3, expected="0x01", found="0x02", source="handbook 1.2")
    if issubclass(error, RequestMalformed):
        return error("a sentence", field="request_id")
    if issubclass(error, GateShut):
        return error("a sentence", gate="a-gate", clause="G3.25", findings=(PASSED, FAILED))
    if issubclass(error, NotPermitted | PersonMayNotAct):
        return error("a sentence", findings=(PASSED, FAILED))
    if issubclass(error, StatementRefused):
        return error("a sentence", flaw="STATEMENT_LAPSED", clause="G6.6A")
    if issubclass(error, ShareUnfit):
        return error("a sentence", flaw="SHARE_DUPLICATE")
    return error("a sentence")


# Errors of the command line and of the client never come from a server.
ELSEWHERE = ("keybroker.cli", "keybroker.client", "tests")

ON_THE_WIRE = sorted(
    (
        error
        for error in subclasses(KeybrokerError)
        if not issubclass(error, errors.ConfigurationInvalid) and not error.__module__.startswith(ELSEWHERE)
    ),
    key=str,
)


@pytest.mark.parametrize("error", [error for error in ON_THE_WIRE if error not in ABSTRACT])
def test_every_error_that_may_leave_is_in_the_table(error: type[KeybrokerError]) -> None:
    assert error in status.CODES
    made = status.status_of(example(error))
    info = error_details_pb2.ErrorInfo()
    assert made.details[0].Unpack(info)
    assert (info.reason, info.domain) == (error.reason, "keybroker")
    assert made.code == status.CODES[error].value[0]
    assert status.item_status(example(error)).code == made.code


@pytest.mark.parametrize(
    "error", [error for error in ON_THE_WIRE if error not in ABSTRACT and issubclass(error, errors.Refusal)]
)
def test_every_refusal_names_a_clause(error: type[KeybrokerError]) -> None:
    info = status.details_of(example(error))[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.metadata["clause"]


def test_what_stops_the_start_is_not_in_the_table() -> None:
    assert not {error for error in status.CODES if issubclass(error, errors.ConfigurationInvalid)}


def test_every_reason_is_used_once() -> None:
    reasons = [error.reason for error in status.CODES]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CallerUnknown, grpc.StatusCode.UNAUTHENTICATED),
        (errors.NotPermitted, grpc.StatusCode.PERMISSION_DENIED),
        (errors.RequestRepeated, grpc.StatusCode.ALREADY_EXISTS),
        (errors.ApprovalNotShown, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.QuorumNotPresent, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.EvidenceSpent, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.StatementRefused, grpc.StatusCode.PERMISSION_DENIED),
        (errors.PersonMayNotAct, grpc.StatusCode.PERMISSION_DENIED),
        (errors.ClockUnreliable, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.LedgerNotRemembered, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.WitnessSilent, grpc.StatusCode.FAILED_PRECONDITION),
        (errors.ProtectionInvalid, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.ModuleBusy, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.ModuleUnavailable, grpc.StatusCode.UNAVAILABLE),
        (errors.LedgerBroken, grpc.StatusCode.DATA_LOSS),
    ],
)
def test_codes_are_those_of_the_architecture(error: type[KeybrokerError], code: grpc.StatusCode) -> None:
    assert status.code_of(example(error)) is code


def test_content_malformed_says_offset_expected_found_and_source() -> None:
    info = status.details_of(example(errors.MessageCodeUnknown))[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert dict(info.metadata) == {"clause": "handbook 1.2", "offset": "3", "expected": "0x01", "found": "0x02"}


def test_a_shut_gate_says_what_is_wrong_with_the_evidence_and_what_to_do() -> None:
    finding = replace(FAILED, reason="ATTESTER_LAPSED", remedy="renew it")
    info = status.details_of(errors.LocationNotShown("no", gate="uk-location", clause="G3.23", findings=(finding,)))[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.metadata["flaw"], info.metadata["remedy"]) == (
        "LOCATION_NOT_SHOWN",
        "ATTESTER_LAPSED",
        "renew it",
    )


def test_a_statement_that_is_refused_says_its_flaw() -> None:
    info = status.details_of(example(errors.StatementRefused))[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert dict(info.metadata) == {"clause": "G6.6A", "flaw": "STATEMENT_LAPSED"}


@pytest.mark.parametrize("error", [errors.NotPermitted, errors.PersonMayNotAct, errors.GateShut, errors.EvidenceSpent])
def test_precondition_failure_holds_every_failing_finding_and_no_other(error: type[KeybrokerError]) -> None:
    failure = status.details_of(example(error))[-1]
    assert isinstance(failure, error_details_pb2.PreconditionFailure)
    assert [(v.type, v.subject, v.description) for v in failure.violations] == [
        ("G3.29", "a-rule", "expected this, found that")
    ]


@pytest.mark.parametrize("error", sorted(status.RETRY_SECONDS, key=str))
def test_says_after_how_long_to_ask_again(error: type[KeybrokerError]) -> None:
    kinds = [type(detail) for detail in status.details_of(example(error))]
    assert error_details_pb2.RetryInfo in kinds


@pytest.mark.parametrize("octets", [10, 60, 130, 500, 5000])
@pytest.mark.parametrize("count", [1, 2, 5, 10, 50])
def test_many_long_findings_still_fit_into_trailers(count: int, octets: int) -> None:
    """The whole of them in ASCII, as a reader of HTTP/2 counts that knows of no other."""
    word = "é" * (octets // 2)
    one = Finding(
        rule=RuleName("a-rule"), clause="G1", passed=False, expected=word, found=word, reason="WHY", remedy=word
    )
    refusal = GateShut(word, gate="a-rule", clause="G1", findings=(one,) * count)
    code, message, trailers = asyncio.run(aborted(refusal))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    headers = {"grpc-status": "9", "grpc-message": quote(message), **{name: b64(value) for name, value in trailers}}
    assert sum(len(name) + len(value) + 32 for name, value in headers.items()) < 8192


async def aborted(error: KeybrokerError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """With what the call ended."""
    context = Context()
    with pytest.raises(grpc.aio.AbortError):
        await status.abort(context, error)  # type: ignore[arg-type]  # all of a context that is used
    (ended,) = context.ended
    return ended


@dataclass
class Context:
    ended: list[tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]] = field(default_factory=list)

    async def abort(self, code: grpc.StatusCode, message: str, trailers: tuple[tuple[str, bytes], ...]) -> None:
        self.ended.append((code, message, trailers))
        raise grpc.aio.AbortError


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def test_of_many_findings_each_keeps_its_remedy_before_any_is_left_out() -> None:
    findings = tuple(replace(FAILED, rule=RuleName(f"rule-{n}"), remedy="do this " * 12) for n in range(8))
    made = [each for each in status.details_of(NotPermitted("no", findings=findings)) if isinstance(each, pb.Finding)]
    assert [(each.rule, each.remedy) for each in made] == [(each.rule, each.remedy) for each in findings]


@pytest.mark.parametrize(
    "error",
    [
        RequestMalformed("é" * 9000, field="request_id"),
        ContentMalformed(offset=1, expected="x" * 9000, found="é" * 9000, source="s" * 9000),
        GateShut("s" * 9000, gate="a-gate", clause="G" * 9000),
        errors.CallerUnknown("z" * 9000),
    ],
    ids=lambda error: error.reason,
)
def test_whatever_was_found_it_fits_into_trailers(error: KeybrokerError) -> None:
    made = status.status_of(error)
    assert made.ByteSize() < 6000
    assert len(made.message.encode()) <= 1024
    assert status.item_status(error).ByteSize() < 6000


@pytest.mark.parametrize(
    ("error", "exits"),
    [
        (errors.ConfigurationInvalid("x"), 78),
        (PinWrong("x"), 77),
        (errors.LedgerBroken("x"), 65),
        (errors.LedgerUnavailable("x"), 75),
        (errors.BrokerStopping("x"), 75),
        (errors.ModuleUnavailable("x"), 75),
    ],
)
def test_exit_statuses(error: KeybrokerError, exits: int) -> None:
    assert exit_status.exit_status(error) == exits
