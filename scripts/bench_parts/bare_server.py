"""The yardstick: a grpc.aio server over mutual TLS that hashes, signs inline and answers.

No reading, no rules, no record: it signs whatever it is sent, so it may only ever see the benchmark's own
throw-away token. Prints "ready" and its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pkcs11

from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.pb import signing_pb2

Sign = Callable[[bytes], bytes]


def _handlers(sign: Sign) -> grpc.GenericRpcHandler:
    """SigningService, of which SignPreCommand alone answers."""

    async def sign_pre_command(
        request: signing_pb2.SignPreCommandRequest, _: object
    ) -> signing_pb2.SignPreCommandResponse:
        message = request.pre_command
        signature = sign(hashlib.sha256(message[1:]).digest())
        signed = signing_pb2.Signed(signed_message=message + b"\x40" + signature, signature=signature)
        return signing_pb2.SignPreCommandResponse(signed=signed)

    method = grpc.unary_unary_rpc_method_handler(
        sign_pre_command,
        request_deserializer=signing_pb2.SignPreCommandRequest.FromString,
        response_serializer=signing_pb2.SignPreCommandResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("keybroker.v1.SigningService", {"SignPreCommand": method})


def _open_signer(library: str, token_label: str, key_label: str, pin: str) -> Sign:
    session = pkcs11.lib(library).get_token(token_label=token_label).open(user_pin=pin)
    key: Any = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=key_label)

    def sign(digest: bytes) -> bytes:
        return bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))

    return sign


async def _serve(deployment: Deployment, sign: Sign) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handlers(sign),))
    tls = deployment.directory / "tls"
    pair = ((tls / "server.key").read_bytes(), (tls / "server.pem").read_bytes())
    anchors = deployment.anchors.read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], anchors, require_client_auth=True))
    await server.start()
    print(f"ready {port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


def main() -> None:
    directory, library, token_label, key_label = sys.argv[1:]
    sign = _open_signer(library, token_label, key_label, os.environ["KEYBROKER_PIN"])
    asyncio.run(_serve(open_deployment(Path(directory)), sign))


if __name__ == "__main__":
    main()
