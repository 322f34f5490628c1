"""What did a failed call carry? grpc's exception to a google.rpc.Status, and that to what the client needs."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from keybroker.client.refusals import retry_delay

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireStatus:
    """``code`` is a google.rpc.Code; ``retry_delay`` is in seconds, None where the broker named none."""

    code: int
    message: str
    details: tuple[AnyMessage, ...]
    retry_delay: float | None


def status_of(failure: grpc.aio.AioRpcError) -> WireStatus:
    """The whole status where the broker sent one, else code and message as gRPC has them."""
    for name, value in failure.trailing_metadata() or ():
        if name == _DETAILS and (status := _parsed(value)) is not None:
            details = tuple(status.details)
            return WireStatus(
                code=status.code, message=status.message, details=details, retry_delay=retry_delay(details)
            )
    code: int = failure.code().value[0]
    return WireStatus(code=code, message=failure.details() or failure.code().name, details=(), retry_delay=None)


def _parsed(octets: str | bytes) -> status_pb2.Status | None:
    try:
        return status_pb2.Status.FromString(octets if isinstance(octets, bytes) else octets.encode())
    except DecodeError:
        return None
