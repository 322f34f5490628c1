"""Which TLS 1.2 handshake is this, so far? Every message from ClientHello to ClientKeyExchange, in the one legal order.

What a client signs in its CertificateVerify (RFC 5246 section 7.4.8) is all of them, headers included. Read: the order,
every length, both hellos, the server's offer of signature algorithms, and both peers' own certificates (as octets). Key
exchange messages are read as far as their framing; what they agree is the handshake's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from keybroker.content.tls_reader import Reader
from keybroker.errors import ContentMalformed

_SOURCE = "RFC 5246 section 7.4"
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 1, 2, 11, 13, 14
_is_legal_order = re.compile(b"\x01\x02\x0b\x16?\x0c?\x0d\x0e\x0b\x10").fullmatch
"""ClientHello, ServerHello, Certificate, [CertificateStatus], [ServerKeyExchange], CertificateRequest, ServerHelloDone,
the client's Certificate, ClientKeyExchange: RFC 5246 section 7.3, RFC 6066 section 8. HelloRequest is never among what
is signed (section 7.4.1.1).
"""
_TLS_1_2 = 0x0303
_SUPPORTED_VERSIONS = 43
_ECDSA_SECP256R1_SHA256 = 0x0403
_MOST_TOLD = 64
"""Octets of what was found: it is told in records and replies."""


class Message(NamedTuple):
    """One handshake message: its type, the offset of its body and of the octet after it."""

    type: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHandshake:
    """``client_certificate`` and ``server_certificate`` are each peer's own, DER as it came."""

    client_random: bytes
    server_random: bytes
    cipher_suite: int
    client_certificate: bytes
    server_certificate: bytes


def read_client_handshake(octets: bytes, start: int) -> ClientHandshake:
    """Read ``octets`` from ``start`` to the end. Raises: ContentMalformed."""
    messages = _messages(octets, start)
    types = bytes(message.type for message in messages)
    if not _is_legal_order(types):
        raise _malformed(
            start,
            "the messages from ClientHello to ClientKeyExchange of a client that is asked for a certificate",
            f"types {', '.join(map(str, types[:_MOST_TOLD])) or 'of none'}",
        )
    bodies = {message.type: Reader(octets, message.start, message.end, _SOURCE) for message in messages[:-2]}
    client_random = _client_hello(bodies[_CLIENT_HELLO])
    server_random, suite = _server_hello(bodies[_SERVER_HELLO])
    server_certificate = _certificate(bodies[_CERTIFICATE])
    _check_request(bodies[_CERTIFICATE_REQUEST])
    bodies[_SERVER_HELLO_DONE].expect_end()
    client, exchange = (Reader(octets, message.start, message.end, _SOURCE) for message in messages[-2:])
    client_certificate = _certificate(client)
    exchange.take_rest(least=1, told="what ClientKeyExchange brings")
    return ClientHandshake(
        client_random=client_random,
        server_random=server_random,
        cipher_suite=suite,
        client_certificate=client_certificate,
        server_certificate=server_certificate,
    )


def _messages(octets: bytes, start: int) -> list[Message]:
    reader = Reader(octets, start, len(octets), _SOURCE)
    messages = []
    while not reader.at_end:
        kind = reader.number(1, "a message type")
        body = reader.vector(3, "a handshake message")
        messages.append(Message(kind, body.at, body.end))
    return messages


def _client_hello(body: Reader) -> bytes:
    _check_version(body)
    random = body.octets(32, "client random")
    body.vector(1, "a session_id of at most 32 octets", most=32)
    body.vector(2, "cipher suites", least=2, multiple=2)
    body.vector(1, "compression methods", least=1)
    _extensions(body)
    return random


def _server_hello(body: Reader) -> tuple[bytes, int]:
    _check_version(body)
    random = body.octets(32, "server random")
    body.vector(1, "a session_id of at most 32 octets", most=32)
    suite = body.number(2, "a cipher suite")
    if body.number(1, "a compression method") != 0:
        raise _malformed(body.at - 1, "no compression (RFC 7525 section 3.3)", "a compression method")
    if _SUPPORTED_VERSIONS in _extensions(body):
        # RFC 8446 section 4.2.1: by this a server chooses TLS 1.3, whose CertificateVerify covers something else.
        raise _malformed(body.at, "a ServerHello of TLS 1.2", "supported_versions")
    return random, suite


def _check_version(body: Reader) -> None:
    version = body.number(2, "a protocol version")
    if version != _TLS_1_2:
        raise _malformed(body.at - 2, "TLS 1.2 (0303)", f"{version:04X}")


def _extensions(body: Reader) -> frozenset[int]:
    """Each at most once, and nothing after them; they may be absent altogether (RFC 5246 section 7.4.1.4)."""
    if body.at_end:
        return frozenset()
    extensions = body.vector(2, "extensions")
    body.expect_end()
    found: set[int] = set()
    while not extensions.at_end:
        at, kind = extensions.at, extensions.number(2, "an extension type")
        extensions.vector(2, "an extension")
        if kind in found:
            raise _malformed(at, "each extension once", f"extension {kind} again")
        found.add(kind)
    return frozenset(found)


def _certificate(body: Reader) -> bytes:
    """The first of a certificate_list that is not empty: the peer's own."""
    certificates = body.vector(3, "a certificate_list", least=1)
    body.expect_end()
    own = b""
    while not certificates.at_end:
        one = certificates.vector(3, "a certificate", least=1)
        own = own or one.take_rest()
    return own


def _check_request(body: Reader) -> None:
    body.vector(1, "certificate types", least=1)
    algorithms = body.vector(2, "supported_signature_algorithms", least=2, multiple=2)
    names = body.vector(2, "certificate_authorities")
    body.expect_end()
    while not names.at_end:
        names.vector(2, "a distinguished name", least=1)
    at, offered = algorithms.at, algorithms.take_rest()
    if _ECDSA_SECP256R1_SHA256 not in (int.from_bytes(offered[i : i + 2], "big") for i in range(0, len(offered), 2)):
        told = offered[:_MOST_TOLD].hex().upper() + ("..." if len(offered) > _MOST_TOLD else "")
        raise _malformed(at, "ecdsa_secp256r1_sha256 (0403) among what the server takes", told)


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
