"""A broker that signs nothing and does as it is told: what a client meets in years, in one second.

It speaks the real protocol over mutual TLS, and keeps what it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from keybroker.cli.dev import pki, tls_pki
from keybroker.client import AsyncBroker
from keybroker.errors import KeybrokerError
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.server.status import item_status

Script = Callable[["ScriptedBroker", Any, list[pb.SignPreCommandRequest]], Awaitable[None]]
"""What it does with one stream message: (broker, stream context, items)."""


def signed(request: pb.SignPreCommandRequest) -> pb.SignOutcome:
    """An outcome that can be told from every other: the "signature" is made of the octets."""
    message = pb.Signed(signed_message=request.pre_command + b"\x40", signature=request.pre_command.rjust(64, b"\0"))
    return pb.SignOutcome(request_id=request.request_id, signed=message)


def refused(request: pb.SignPreCommandRequest, error: KeybrokerError) -> pb.SignOutcome:
    return pb.SignOutcome(request_id=request.request_id, error=item_status(error))


async def sign_all(broker: ScriptedBroker, context: Any, items: list[pb.SignPreCommandRequest]) -> None:
    await context.write(pb.SignStreamResponse(outcomes=[signed(item) for item in items]))


@dataclass
class ScriptedBroker(signing_pb2_grpc.SigningServiceServicer):
    script: Script = sign_all
    messages: list[list[pb.SignPreCommandRequest]] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)
    streams: int = 0

    @property
    def asked(self) -> list[str]:
        """Every request_id that came, in order, repetitions too."""
        return [item.request_id for message in self.messages for item in message]

    async def SignStream(  # type: ignore[override]  # noqa: N802  # as the broker's own, by read and write
        self,
        request_iterator: Any,  # noqa: ARG002
        context: Any,
    ) -> None:
        self.streams += 1
        self.peers.add(context.peer())
        while (message := await context.read()) is not grpc.aio.EOF:
            items = [item.sign_pre_command for item in message.items]
            self.messages.append(items)
            await self.script(self, context, items)


@asynccontextmanager
async def scripted(script: Script = sign_all, **arguments: Any) -> AsyncIterator[tuple[ScriptedBroker, AsyncBroker]]:
    """A scripted broker that listens, and a client of it; ``arguments`` are the client's."""
    not_before = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    authority = tls_pki.create_tls_authority(not_before=not_before)
    server_key, client_key = pki.new_private_key(), pki.new_private_key()
    anchors = pki.certificate_pem(authority.certificate)
    server_certificate = tls_pki.tls_server_certificate(authority, server_key.public_key(), not_before=not_before)
    uri = "urn:keybroker:supplier-a:head-end"
    client_certificate = tls_pki.tls_client_certificate(
        authority, client_key.public_key(), uri=uri, not_before=not_before
    )
    broker, server = ScriptedBroker(script=script), grpc.aio.server()  # type: ignore[abstract]  # streams alone
    signing_pb2_grpc.add_SigningServiceServicer_to_server(broker, server)
    credentials = grpc.ssl_server_credentials(
        [(pki.private_key_pem(server_key), pki.certificate_pem(server_certificate))],
        root_certificates=anchors,
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    client = AsyncBroker(
        f"127.0.0.1:{port}",
        certificate=pki.certificate_pem(client_certificate),
        private_key=pki.private_key_pem(client_key),
        anchors=anchors,
        **arguments,
    )
    try:
        async with asyncio.timeout(20), client:
            yield broker, client
    finally:
        await server.stop(0)
