"""The public API, all three ways: unary calls, batches, and one bidirectional stream, over mutual TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from keybroker.pb import signing_pb2, signing_pb2_grpc
from keybroker.pb import status_pb2 as item_status_pb2
from scripts.replay_parts.cases import Case
from scripts.replay_parts.expectation import USERS

_BATCH = 128
_STREAM_MESSAGE = 32
_IN_FLIGHT = 16
_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for a case: a signature with its message and receipt, or a reason with the rules that refused."""

    signed_message: bytes = b""
    signature: bytes = b""
    leaf_index: int = -1
    leaf_hash: bytes = b""
    counter_reused: int = 0
    reason: str | None = None
    rules: frozenset[str] = frozenset()
    sentence: str = ""


Answers = dict[int, Answer]
"""By the number of the case."""


def send_unary(channel: grpc.Channel, cases: Sequence[Case], prefix: str) -> Answers:
    """One call a case, sixteen in flight."""
    stub = signing_pb2_grpc.SigningServiceStub(channel)
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        return dict(pool.map(lambda case: (case.number, _call(stub, case, prefix)), cases))


def send_batches(channel: grpc.Channel, cases: Sequence[Case], prefix: str) -> Answers:
    """SignBatch; the outcomes come in the order of the items."""
    stub = signing_pb2_grpc.SigningServiceStub(channel)
    answers: Answers = {}
    for group in _groups(cases, _BATCH):
        request = signing_pb2.SignBatchRequest(items=[_item(case, prefix) for case in group])
        outcomes = stub.SignBatch(request, timeout=_SECONDS).outcomes
        answers.update({case.number: _of_outcome(outcome) for case, outcome in zip(group, outcomes, strict=True)})
    return answers


def send_stream(channel: grpc.Channel, cases: Sequence[Case], prefix: str) -> Answers:
    """One SignStream; the outcomes come in any order, named by request_id."""
    stub = signing_pb2_grpc.SigningServiceStub(channel)
    by_id = {_request_id(case, prefix): case.number for case in cases}

    def requests() -> Iterator[signing_pb2.SignStreamRequest]:
        for group in _groups(cases, _STREAM_MESSAGE):
            yield signing_pb2.SignStreamRequest(items=[_item(case, prefix) for case in group])

    answers: Answers = {}
    for response in stub.SignStream(requests(), timeout=_SECONDS):
        answers.update({by_id[outcome.request_id]: _of_outcome(outcome) for outcome in response.outcomes})
    return answers


WAYS: dict[str, Callable[[grpc.Channel, Sequence[Case], str], Answers]] = {
    "unary": send_unary,
    "batch": send_batches,
    "stream": send_stream,
}


def _groups(cases: Sequence[Case], size: int) -> Iterator[Sequence[Case]]:
    return (cases[start : start + size] for start in range(0, len(cases), size))


def _request_id(case: Case, prefix: str) -> str:
    return f"{prefix}-{case.number}"


def _item(case: Case, prefix: str) -> signing_pb2.SignItem:
    if case.key.role in USERS:
        return signing_pb2.SignItem(sign_pre_command=_pre_command(case, prefix))
    return signing_pb2.SignItem(sign_command=_command(case, prefix))


def _pre_command(case: Case, prefix: str) -> signing_pb2.SignPreCommandRequest:
    check = case.checks.get(prefix)
    return signing_pb2.SignPreCommandRequest(
        request_id=_request_id(case, prefix),
        key=case.key.label,
        pre_command=case.octets,
        supply_sensitive_checks=() if check is None else (check,),
    )


def _command(case: Case, prefix: str) -> signing_pb2.SignCommandRequest:
    asked = case.asked.get(prefix)
    return signing_pb2.SignCommandRequest(
        request_id=_request_id(case, prefix),
        key=case.key.label,
        command=case.octets,
        service_request=asked.service_request if asked is not None else b"",
        signer_certificates=asked.certificates if asked is not None else (),
    )


def _call(stub: signing_pb2_grpc.SigningServiceStub, case: Case, prefix: str) -> Answer:
    try:
        if case.key.role in USERS:
            return _of_signed(stub.SignPreCommand(_pre_command(case, prefix), timeout=_SECONDS).signed)
        return _of_signed(stub.SignCommand(_command(case, prefix), timeout=_SECONDS).signed)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        if status is None:
            return Answer(reason=f"no google.rpc.Status: {error}")
        return _of_status(status)


def _of_outcome(outcome: signing_pb2.SignOutcome) -> Answer:
    return _of_signed(outcome.signed) if outcome.HasField("signed") else _of_status(outcome.error)


def _of_signed(signed: signing_pb2.Signed) -> Answer:
    return Answer(
        signed_message=signed.signed_message,
        signature=signed.signature,
        leaf_index=signed.receipt.leaf_index,
        leaf_hash=signed.receipt.leaf_hash,
        counter_reused=signed.counter_reused,
    )


def _of_status(status: status_pb2.Status | item_status_pb2.Status) -> Answer:
    reason, rules = "", set[str]()
    for detail in status.details:
        info, failure = error_details_pb2.ErrorInfo(), error_details_pb2.PreconditionFailure()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(failure):
            rules.update(violation.subject for violation in failure.violations)
    return Answer(
        reason=reason or f"code {status.code} without ErrorInfo", rules=frozenset(rules), sentence=status.message
    )
