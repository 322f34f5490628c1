"""What does a Refusal or a Fault look like on the wire? One table, and google.rpc.Status made from it.

ErrorInfo carries reason, domain ``keybroker`` and metadata; BadRequest, PreconditionFailure and RetryInfo stand where
they fit. Every finding that refused is a ``keybroker.v1.Finding`` of its own: what was required, by which clause, what
was found, what to do. Sentences, never CKR codes, handles, paths or PINs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

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
from keybroker.pb import signing_pb2
from keybroker.pb import status_pb2 as kb_status_pb2
from keybroker.terms import Finding

DOMAIN = "keybroker"

CODES: dict[type[KeybrokerError], grpc.StatusCode] = {
    errors.CallerUnknown: grpc.StatusCode.UNAUTHENTICATED,
    errors.RequestMalformed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RequestRepeated: grpc.StatusCode.ALREADY_EXISTS,
    errors.ContentMalformed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ContentAlreadySigned: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ContentMacWrapped: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ContentIsResponse: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ContentIsAlert: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MessageCodeUnknown: grpc.StatusCode.INVALID_ARGUMENT,
    # What came was damaged or forged on its way; asking again the same finds the same (and no key data was lost).
    errors.ProtectionInvalid: grpc.StatusCode.INVALID_ARGUMENT,
    # Also for a key that this caller may not know of: no oracle for key names.
    errors.NotPermitted: grpc.StatusCode.PERMISSION_DENIED,
    errors.StatementRefused: grpc.StatusCode.PERMISSION_DENIED,
    # Of ceremonies, which no request asks for.
    errors.CmsUnfit: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NoteUnfit: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ProofUnfit: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ShareUnfit: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PersonMayNotAct: grpc.StatusCode.PERMISSION_DENIED,
    errors.GateShut: grpc.StatusCode.FAILED_PRECONDITION,
    errors.KeyNotServed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ModuleNotShown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LocationNotShown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CheckNotShown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ThresholdNotSet: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ApprovalNotShown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.QuorumNotPresent: grpc.StatusCode.FAILED_PRECONDITION,
    # Neither is tried again by itself: an operator mends the clock, or puts the newest ledger back.
    errors.ClockUnreliable: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LedgerNotRemembered: grpc.StatusCode.FAILED_PRECONDITION,
    errors.WitnessSilent: grpc.StatusCode.FAILED_PRECONDITION,
    errors.EvidenceSpent: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ThresholdExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ModuleFault: grpc.StatusCode.INTERNAL,
    errors.ModuleUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ModuleBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ModuleDisagrees: grpc.StatusCode.INTERNAL,
    errors.LedgerFault: grpc.StatusCode.INTERNAL,
    errors.LedgerUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.OutcomeUnknown: grpc.StatusCode.UNKNOWN,
    errors.LedgerBroken: grpc.StatusCode.DATA_LOSS,
    # A client's finding, of which a broker is never the one to tell.
    errors.LedgerForked: grpc.StatusCode.DATA_LOSS,
    errors.BrokerStopping: grpc.StatusCode.UNAVAILABLE,
}
"""Every error that may leave, and its gRPC code."""

NEVER_ON_THE_WIRE: frozenset[type[KeybrokerError]] = frozenset({errors.ConfigurationInvalid})
"""Stops the start (exit 78); a subclass defined elsewhere counts with it."""

RETRY_SECONDS: dict[type[KeybrokerError], float] = {
    errors.ModuleBusy: 0.1,
    errors.BrokerStopping: 0.5,
    errors.ModuleUnavailable: 1.0,
    errors.LedgerUnavailable: 1.0,
}
"""Where asking again helps, after how long."""

_CODE_NUMBERS: dict[grpc.StatusCode, int] = {code: code.value[0] for code in grpc.StatusCode}

# Trailers travel as HTTP/2 headers: base64 makes four octets of three, and readers take 8 KiB of all headers together.
_LONGEST_DETAILS = 4500
_ENVELOPE = 64
"""Octets, at least: what stands round each detail."""
_LONGEST_VALUE = 512
_LONGEST_SENTENCE = 1024
"""Octets; what a caller sent may stand in a sentence, and a header writes an octet beyond ASCII as three."""

_ROOM: Sequence[tuple[int, bool]] = ((2048, True), (2048, False), (512, False), (256, False), (128, False))
"""How findings are told where there are many: how long each word may be, and whether PreconditionFailure describes
them too. The first that fits is taken; only where none does are findings left out, and ErrorInfo says how many."""

_Refusing = NotPermitted | PersonMayNotAct | GateShut


def code_of(error: KeybrokerError) -> grpc.StatusCode:
    """Raises: KeyError for an error that is not in the table; the last resort answers INTERNAL."""
    return CODES[type(error)]


def status_of(error: KeybrokerError) -> status_pb2.Status:
    """The error as google.rpc.Status, within what trailers may carry."""
    details = [_packed(detail) for detail in details_of(error)]
    return status_pb2.Status(code=_CODE_NUMBERS[code_of(error)], message=_sentence(error), details=details)


def item_status(error: KeybrokerError) -> kb_status_pb2.Status:
    """The same for one item of a batch or stream."""
    details = [_packed(detail) for detail in details_of(error)]
    return kb_status_pb2.Status(code=_CODE_NUMBERS[code_of(error)], message=_sentence(error), details=details)


def details_of(error: KeybrokerError) -> list[Message]:
    """ErrorInfo first, then what fits."""
    if isinstance(error, _Refusing):
        return _with_findings(error)
    details: list[Message] = [_error_info(error, _metadata(error))]
    if isinstance(error, RequestMalformed):
        details.append(_bad_request(error.field, _sentence(error)))
    seconds = RETRY_SECONDS.get(type(error))
    if seconds is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(seconds)))
    return details


def finding(found: Finding) -> signing_pb2.Finding:
    """A finding as the protos have it."""
    return signing_pb2.Finding(
        rule=found.rule,
        clause=found.clause,
        passed=found.passed,
        expected=found.expected,
        found=found.found,
        offset=found.offset,
        reason=found.reason,
        remedy=found.remedy,
    )


def _error_info(error: KeybrokerError, metadata: dict[str, str]) -> error_details_pb2.ErrorInfo:
    shortened = {name: _shortened(value, _LONGEST_VALUE) for name, value in metadata.items()}
    return error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=shortened)


def _metadata(error: KeybrokerError) -> dict[str, str]:
    if isinstance(error, ContentMalformed):
        return {
            "clause": error.source,
            "offset": str(error.offset),
            "expected": error.expected,
            "found": error.found,
        }
    if isinstance(error, StatementRefused | ShareUnfit):
        return {"clause": error.clause, "flaw": error.flaw}
    return {"clause": error.clause} if error.clause else {}


def _with_findings(error: _Refusing) -> list[Message]:
    """All that refused, as long as it can be told, and as much of it as there is room for."""
    failing = [found for found in error.findings if not found.passed]
    for octets, described in _ROOM:
        short = [_shortest(found, octets) for found in failing]
        details = _told(error, short, described=described)
        if _fit(details):
            return details
    return _with_the_first(error, failing)


def _with_the_first(error: _Refusing, failing: Sequence[Finding]) -> list[Message]:
    """The first of what failed, as short as may be, and how many more there are."""
    octets, described = _ROOM[-1]
    short = [_shortest(found, octets) for found in failing]
    told = len(short)
    while not _fit(details := _told(error, short, told=told, described=described)):
        told -= 1
    return details


def _fit(details: Sequence[Message]) -> bool:
    return sum(detail.ByteSize() + _ENVELOPE for detail in details) <= _LONGEST_DETAILS


def _told(error: _Refusing, failing: Sequence[Finding], *, described: bool, told: int | None = None) -> list[Message]:
    """The first ``told`` of what failed, or all; of the first one also in ErrorInfo."""
    shown = failing[:told]
    metadata = {"clause": error.clause, "rule": error.gate} if isinstance(error, GateShut) else {}
    if failing:
        metadata |= _finding_metadata(failing[0])
    if len(shown) < len(failing):
        metadata["left_out"] = str(len(failing) - len(shown))
    findings = [finding(each) for each in shown]
    return [_error_info(error, metadata), *findings, _precondition_failure(shown, described=described)]


def _shortest(found: Finding, octets: int) -> Finding:
    """No word of it longer than that."""
    return replace(
        found,
        clause=_shortened(found.clause, octets),
        expected=_shortened(found.expected, octets),
        found=_shortened(found.found, octets),
        reason=_shortened(found.reason, octets),
        remedy=_shortened(found.remedy, octets),
    )


def _finding_metadata(found: Finding) -> dict[str, str]:
    metadata = {"clause": found.clause, "rule": found.rule, "expected": found.expected, "found": found.found}
    # "reason" is ErrorInfo's own field: what is wrong with a piece of evidence is its flaw.
    more = {"flaw": found.reason, "remedy": found.remedy}
    metadata |= {name: value for name, value in more.items() if value}
    return metadata if found.offset is None else metadata | {"offset": str(found.offset)}


def _bad_request(field: str, sentence: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=sentence)
    return error_details_pb2.BadRequest(field_violations=[violation])


def _precondition_failure(findings: Sequence[Finding], *, described: bool) -> error_details_pb2.PreconditionFailure:
    """The same for whoever reads google.rpc alone: type is the clause, subject the rule."""
    violations = [
        error_details_pb2.PreconditionFailure.Violation(
            type=found.clause,
            subject=found.rule,
            description=f"expected {found.expected}, found {found.found}" if described else "",
        )
        for found in findings
    ]
    return error_details_pb2.PreconditionFailure(violations=violations)


def _sentence(error: KeybrokerError) -> str:
    return _shortened(error.sentence, _LONGEST_SENTENCE)


def _shortened(text: str, octets: int) -> str:
    """At most so many octets of UTF-8, and then three dots."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= octets else encoded[: octets - 3].decode("utf-8", "ignore") + "..."


def _duration(seconds: float) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1_000_000_000))


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


async def abort(context: grpc.aio.ServicerContext[object, object], error: KeybrokerError) -> NoReturn:
    """End a call with the error's status. grpc raises from here; nothing after it runs."""
    status = status_of(error)
    # The same text twice: readers of both (grpc-status) hold one against the other.
    status.message = _shortened(error.sentence, _LONGEST_SENTENCE // 3)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code_of(error), status.message, trailers)
