"""Who else is on the wire? Connections that are idle, slow, cut, malformed or oversized, as a caller or as nobody.

python -m scripts.soak_parts.strangers idle DIRECTORY COUNT      opens so many, says how many, holds until it is told
"""

from __future__ import annotations

import os
import random
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc

from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.pb import signing_pb2, signing_pb2_grpc
from scripts.broker_parts.running import open_channel

CALLER = "load-controller-a"
"""Loads nothing else, so that its share of a queue is its own."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = bytes.fromhex("000000 04 00 00000000")
_SECONDS = 3.0
_OPENING_SECONDS = 90.0
"""For idle connections; what was not opened by then is not."""


def tls_connection(deployment: Deployment, *, certificate: bool = True) -> ssl.SSLSocket:
    """A TLS connection that speaks h2, as a caller or without a certificate. Raises: OSError."""
    context = ssl.create_default_context(cafile=str(deployment.anchors))
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if certificate:
        context.load_cert_chain(deployment.certificate(CALLER), deployment.private_key(CALLER))
    host, _, port = deployment.target.rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=_SECONDS), server_hostname=host)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _malformed(chance: random.Random) -> Mapping[str, bytes]:
    """What comes after the handshake (RFC 9113)."""
    start = _PREFACE + _SETTINGS
    return {
        "no preface": chance.randbytes(2000),
        "another protocol": b"GET / HTTP/1.1\r\nHost: keybroker\r\n\r\n",
        "a frame longer than allowed": start + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(70_000),
        "header block of noise": start + _frame(1, 5, 1, chance.randbytes(200)),
        "window beyond its end": start + _frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3,
        "continuation without headers": start + _frame(9, 4, 1, b"\x82") * 10,
        "headers without end": start + _frame(1, 0, 1, b"\x82") + _frame(9, 0, 1, b"\x82" * 100) * 500,
        "many settings": start + _frame(4, 0, 0, bytes.fromhex("000400000000") * 10) * 500,
        "many pings": start + _frame(6, 0, 0, bytes(8)) * 2000,
        "streams opened and reset": start
        + b"".join(_frame(1, 4, n, b"\x82") + _frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 4001, 2)),
        "data on stream zero": start + _frame(0, 0, 0, b"data"),
        "push promise": start + _frame(5, 4, 1, b"\0\0\0\2\x82"),
        "even stream": start + _frame(1, 5, 2, b"\x82\x86"),
        "noise": start + chance.randbytes(50_000),
    }


def send_malformed(deployment: Deployment, chance: random.Random) -> None:
    """Each of them on a connection of its own; the broker may answer as it likes, or not."""
    for octets in _malformed(chance).values():
        with suppress(OSError), tls_connection(deployment) as connection:
            connection.sendall(octets)
            connection.recv(4096)
    with suppress(OSError), tls_connection(deployment, certificate=False) as connection:
        connection.sendall(_PREFACE)
        connection.recv(4096)


def cut_connections(deployment: Deployment, chance: random.Random) -> None:
    """In the middle of a handshake, or of a request, by a reset."""
    host, _, port = deployment.target.rpartition(":")
    for _ in range(40):
        with suppress(OSError):
            if chance.random() < 0.5:
                connection: socket.socket = socket.create_connection((host, int(port)), timeout=_SECONDS)
                connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(100))
            else:
                connection = tls_connection(deployment)
                connection.sendall(_PREFACE + _SETTINGS + _frame(1, 4, 1, b"\x82")[: chance.randrange(1, 10)])
            # Not a close in order: a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


def send_oversized(deployment: Deployment) -> None:
    """Metadata of 64 KiB and a message of 16 MiB: each is refused, and nothing else suffers."""
    request = signing_pb2.SignPreCommandRequest(request_id="oversized", key=CALLER, pre_command=bytes(16 << 20))
    with open_channel(deployment, CALLER) as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        small = signing_pb2.SignPreCommandRequest(request_id="oversized", key=CALLER)
        many = tuple((f"x-{number}", "x" * 100) for number in range(500))
        calls: list[Callable[[], object]] = [
            lambda: stub.SignPreCommand(small, metadata=(("x-large", "x" * 65536),), timeout=_SECONDS),
            lambda: stub.SignPreCommand(small, metadata=many, timeout=_SECONDS),
            lambda: stub.SignPreCommand(request, timeout=_SECONDS),
        ]
        for call in calls:
            try:
                call()
            except grpc.RpcError:
                continue
            raise SystemExit("soak: a request that is too large was answered")


@contextmanager
def slow_clients(deployment: Deployment) -> Iterator[None]:
    """Streams that send and never read, and handshakes that never go on, for as long as the block lasts."""
    host, _, port = deployment.target.rpartition(":")
    with ExitStack() as stack:
        for number in range(4):
            stub = signing_pb2_grpc.SigningServiceStub(stack.enter_context(open_channel(deployment, CALLER)))
            call = stub.SignStream(_sent_without_end(number))
            stack.callback(call.cancel)
        for _ in range(50):
            with suppress(OSError):
                stack.enter_context(socket.create_connection((host, int(port)), timeout=_SECONDS)).sendall(b"\x16")
        yield


def _sent_without_end(number: int) -> Iterator[signing_pb2.SignStreamRequest]:
    """Refused, each of them, with an answer that nobody reads."""
    for count in range(20_000):
        asked = signing_pb2.SignPreCommandRequest(request_id=f"slow-{number}-{count}", key=CALLER, pre_command=b"\0")
        yield signing_pb2.SignStreamRequest(items=[signing_pb2.SignItem(sign_pre_command=asked)])
        time.sleep(0.01)


def hold_idle(deployment: Deployment, count: int) -> None:
    """Open so many connections and hold them until standard input ends; says how many there are."""
    held: list[ssl.SSLSocket] = []
    last = time.monotonic() + _OPENING_SECONDS
    while len(held) < count and time.monotonic() < last:
        try:
            connection = tls_connection(deployment)
            connection.sendall(_PREFACE + _SETTINGS)
            held.append(connection)
        except OSError:
            break
    print(len(held), flush=True)
    sys.stdin.read()
    # Without a farewell to each: the kernel closes them all at once.
    os._exit(0)


def main(arguments: list[str]) -> None:
    _, directory, count = arguments
    hold_idle(open_deployment(Path(directory)), int(count))


if __name__ == "__main__":
    main(sys.argv[1:])
