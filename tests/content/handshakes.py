"""TLS handshakes for tests: the messages that a TLS 1.2 client signs, and what a server signs. Composed here."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.decoding import decode
from keybroker.content.tls_handshake import TlsHandshake
from keybroker.terms import ContentKind

CLIENT_RANDOM, SERVER_RANDOM = bytes(range(32)), bytes(range(32, 64))


def vector(size: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return len(body).to_bytes(size, "big") + body


def message(kind: int, *body: bytes) -> bytes:
    return bytes([kind]) + vector(3, *body)


def extension(kind: int, body: bytes = b"") -> bytes:
    return kind.to_bytes(2, "big") + vector(2, body)


GROUPS = vector(2, extension(10, b"\x00\x02\x00\x17"))
RENEGOTIATION = vector(2, extension(0xFF01, b"\x00"))


def client_hello(*, version: bytes = b"\x03\x03", extensions: bytes = GROUPS) -> bytes:
    return message(1, version, CLIENT_RANDOM, vector(1), vector(2, b"\xc0\x2b\xc0\x23"), vector(1, b"\x00"), extensions)


def server_hello(
    *, version: bytes = b"\x03\x03", compression: bytes = b"\x00", extensions: bytes = RENEGOTIATION
) -> bytes:
    return message(2, version, SERVER_RANDOM, vector(1, bytes(32)), b"\xc0\x2b", compression, extensions)


def certificates(*der: bytes) -> bytes:
    return message(11, vector(3, *(vector(3, each) for each in der)))


def certificate_request(*, algorithms: bytes = b"\x04\x03\x05\x03", names: bytes = b"") -> bytes:
    return message(13, vector(1, b"\x40"), vector(2, algorithms), vector(2, names))


SERVER_CERTIFICATE = certificates(b"server", b"its issuer")
STATUS = message(22, b"\x01", vector(3, b"ocsp"))
SERVER_KEY_EXCHANGE = message(12, b"\x03\x00\x17", vector(1, b"\x04" + bytes(64)), b"\x04\x03", vector(2, b"sig"))
DONE = message(14)
CLIENT_KEY_EXCHANGE = message(16, vector(1, b"\x04" + bytes(64)))


def client_handshake(*, certificate: bytes = b"client", **changes: bytes) -> bytes:
    """The messages of a client with this certificate; ``changes`` take the place of one, by name."""
    messages = {
        "client_hello": client_hello(),
        "server_hello": server_hello(),
        "server_certificate": SERVER_CERTIFICATE,
        "status": b"",
        "key_exchange": SERVER_KEY_EXCHANGE,
        "request": certificate_request(),
        "done": DONE,
        "client_certificate": certificates(certificate),
        "client_key_exchange": CLIENT_KEY_EXCHANGE,
    }
    return b"".join((messages | changes).values())


@cache
def point(curve: str) -> bytes:
    """A public point of that curve, as TLS has it."""
    if curve == "x25519":
        return x25519.X25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    curves: dict[str, ec.EllipticCurve] = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}
    public = ec.generate_private_key(curves[curve]).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


NUMBERS = {"secp256r1": 23, "secp384r1": 24, "x25519": 29}


def params(curve: str = "secp256r1", octets: bytes | None = None) -> bytes:
    """ServerECDHParams."""
    return b"\x03" + NUMBERS[curve].to_bytes(2, "big") + vector(1, point(curve) if octets is None else octets)


def server_key_exchange(randoms: bytes = CLIENT_RANDOM + SERVER_RANDOM, exchange: bytes | None = None) -> bytes:
    """What the decoder reads: which, both randoms, and ServerECDHParams."""
    return b"\x03" + randoms + (params() if exchange is None else exchange)


def handshake(octets: bytes) -> TlsHandshake:
    content = decode(ContentKind.TLS_HANDSHAKE, octets)
    assert isinstance(content, TlsHandshake)
    return content
