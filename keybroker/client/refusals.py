"""Which error did the broker mean? google.rpc.Status back to the classes of ``keybroker.errors``.

The reason in ErrorInfo names the class; clause, offset, findings and the time to wait come from the other details. What
refused is told whole: each finding is a detail of its own. A status without our ErrorInfo is the transport's:
``BrokerUnreachable`` or ``BrokerFailed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2

from keybroker import errors
from keybroker.errors import (
    ContentMalformed,
    Fault,
    GateShut,
    KeybrokerError,
    NotPermitted,
    PersonMayNotAct,
    RequestMalformed,
    ShareUnfit,
    StatementRefused,
)
from keybroker.pb import signing_pb2
from keybroker.terms import Finding, RuleName

DOMAIN = "keybroker"
Detail = TypeVar("Detail", bound=Message)
_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _UNAVAILABLE = 4, 8, 14
_NO_ANSWER = (_DEADLINE_EXCEEDED, _UNAVAILABLE)


class BrokerUnreachable(Fault):
    """No broker answered, or something answered that is not a broker; nothing of the request is known to be done."""

    reason = "BROKER_UNREACHABLE"


class BrokerFailed(Fault):
    """The broker answered with an error that this client does not know; ``code`` is a google.rpc.Code."""

    reason = "BROKER_FAILED"

    def __init__(self, sentence: str, *, code: int) -> None:
        super().__init__(sentence)
        self.code = code


def error_from(code: int, message: str, packed: Iterable[AnyMessage]) -> KeybrokerError:
    """The error that a google.rpc.Status stands for; ``packed`` are its details."""
    details = list(packed)
    information = next(_of(details_pb2.ErrorInfo, details), None)
    if information is None or information.domain != DOMAIN:
        return BrokerFailed(message, code=code) if code not in _NO_ANSWER else BrokerUnreachable(message)
    kind = _CLASSES.get(information.reason)
    if kind is None:
        return BrokerFailed(f"{information.reason}: {message}", code=code)
    return _made(kind, message, information.metadata, details)


def retry_delay(packed: Iterable[AnyMessage]) -> float | None:
    """How many seconds the broker asks to wait, None where it does not say."""
    wait = next(_of(details_pb2.RetryInfo, list(packed)), None)
    return None if wait is None else wait.retry_delay.seconds + wait.retry_delay.nanos / 1e9


def is_passing(code: int, error: KeybrokerError) -> bool:
    """Is it safe and useful to ask the same again, under the same request_id?

    Only after a Fault that says so: UNAVAILABLE or RESOURCE_EXHAUSTED. Never after a Refusal (a threshold is reached
    again), never after OutcomeUnknown (the key may have been used; the caller must know).
    """
    return code in (_UNAVAILABLE, _RESOURCE_EXHAUSTED) and isinstance(error, Fault)


def finding_from(finding: signing_pb2.Finding) -> Finding:
    return Finding(
        rule=RuleName(finding.rule),
        clause=finding.clause,
        passed=finding.passed,
        expected=finding.expected,
        found=finding.found,
        offset=finding.offset if finding.HasField("offset") else None,
        reason=finding.reason,
        remedy=finding.remedy,
    )


def _classes(root: type[KeybrokerError]) -> Iterator[tuple[str, type[KeybrokerError]]]:
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__ and hasattr(kind, "reason"):
            yield kind.reason, kind
        yield from _classes(kind)


_CLASSES: Mapping[str, type[KeybrokerError]] = dict(_classes(KeybrokerError))


def _made(
    kind: type[KeybrokerError], message: str, metadata: Mapping[str, str], details: list[AnyMessage]
) -> KeybrokerError:
    if issubclass(kind, ContentMalformed):
        return kind(
            offset=int(metadata.get("offset", "0")),
            expected=metadata.get("expected", ""),
            found=metadata.get("found", ""),
            source=metadata.get("clause", ""),
        )
    if issubclass(kind, GateShut):
        gate, clause = metadata.get("rule", ""), metadata.get("clause", "")
        return kind(_whole(message, metadata), gate=gate, clause=clause, findings=_findings(details))
    if issubclass(kind, NotPermitted | PersonMayNotAct):
        return kind(_whole(message, metadata), findings=_findings(details))
    if issubclass(kind, StatementRefused):
        return kind(message, flaw=metadata.get("flaw", ""), clause=metadata.get("clause", ""))
    if issubclass(kind, ShareUnfit):
        return kind(message, flaw=metadata.get("flaw", ""))
    if issubclass(kind, RequestMalformed):
        request = next(_of(details_pb2.BadRequest, details), details_pb2.BadRequest())
        return kind(message, field=next((violation.field for violation in request.field_violations), ""))
    return kind(message)


def _findings(details: list[AnyMessage]) -> tuple[Finding, ...]:
    """Every finding that refused, as far as the status could carry them."""
    return tuple(finding_from(finding) for finding in _of(signing_pb2.Finding, details))


def _whole(message: str, metadata: Mapping[str, str]) -> str:
    """The sentence; it says so where findings are missing that did not fit into the answer."""
    left_out = metadata.get("left_out")
    return message if left_out is None else f"{message} ({left_out} more findings refuse; Explain shows them)"


def _of(kind: type[Detail], details: list[AnyMessage]) -> Iterator[Detail]:
    for packed in details:
        detail = kind()
        if packed.Unpack(detail):
            yield detail
