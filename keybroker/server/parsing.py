"""How many items may a message have before it is a message? Bounded before it is parsed: each may be of two octets.

Protocol buffers makes some 140 octets of memory of every item, so 4 MiB of empty ones would be 280 MiB, for every
call that waits. A message that has too many is parsed only so far that the refusal finds it so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, final

import grpc

from keybroker.pb import signing_pb2 as pb

M = TypeVar("M", pb.SignBatchRequest, pb.SignStreamRequest)

_SHORT = 1 << 16
"""Octets that are parsed as they are: what they can become is a few MiB."""

_VARINT, _FIXED64, _OCTETS, _FIXED32 = 0, 1, 2, 5


def parse_bounded(kind: type[M], octets: bytes, most: int) -> M:
    """The message, or one field more than ``most`` of it; then either items are too many or fields are unknown, and
    ``Calls.check_form`` refuses it. Raises: DecodeError."""
    return kind.FromString(octets if len(octets) <= _SHORT else octets[: end_of_fields(octets, most + 1)])


def end_of_fields(octets: bytes, most: int) -> int:
    """Where the first ``most`` fields of a message end; all of it where it has fewer, or cannot be read."""
    at = 0
    try:
        for _ in range(most):
            if at >= len(octets):
                break
            tag, at = _varint(octets, at)
            at = _end_of_value(octets, tag & 7, at)
    except IndexError:
        return len(octets)
    return at


def _end_of_value(octets: bytes, wire_type: int, at: int) -> int:
    if wire_type == _OCTETS:
        length, at = _varint(octets, at)
        return at + length
    if wire_type == _VARINT:
        return _varint(octets, at)[1]
    # A group's fields are counted as if they stood outside of it.
    return at + {_FIXED64: 8, _FIXED32: 4}.get(wire_type, 0)


def _varint(octets: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = octets[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("no varint is so long")


@final
class BoundedServer:
    """What generated code registers a service with: the server, with our parsers for what holds items."""

    def __init__(self, server: grpc.aio.Server, most: int) -> None:
        self._server = server
        self._parsers: dict[str, Callable[[bytes], Any]] = {
            "SignBatch": lambda octets: parse_bounded(pb.SignBatchRequest, octets, most),
            "SignStream": lambda octets: parse_bounded(pb.SignStreamRequest, octets, most),
        }

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Left out: they would parse without bounds. ``add_registered_method_handlers`` brings the same methods."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        bounded = {name: self._bounded(name, handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, bounded),))
        self._server.add_registered_method_handlers(service, bounded)

    def _bounded(self, name: str, handler: Any) -> Any:
        parser = self._parsers.get(name)
        return handler if parser is None else handler._replace(request_deserializer=parser)
