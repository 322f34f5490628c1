"""Which ephemeral key does a TLS 1.2 server sign? Both randoms and ServerECDHParams, and nothing else may be meant.

Source: RFC 8422 section 5.4 (curve_type, NamedCurve, ECPoint); RFC 5246 section 7.4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.content.der import check_der
from keybroker.content.tls_messages import read_client_handshake
from keybroker.content.tls_reader import Reader
from keybroker.errors import ContentMalformed

_SOURCE = "RFC 8422 section 5.4"
_RANDOMS = 64
_NAMED_CURVE = 3
_CURVES: dict[int, tuple[str, int, ec.EllipticCurve | None]] = {
    23: ("secp256r1", 65, ec.SECP256R1()),
    24: ("secp384r1", 97, ec.SECP384R1()),
    29: ("x25519", 32, None),
}
"""NamedCurve: name, octets of the ephemeral point, and its curve. Any 32 octets are an x25519 point (RFC 7748)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchange:
    """ServerECDHParams: the name of the curve, and the server's ephemeral point as it stands in TLS."""

    curve: str
    point: bytes


def read_server_key_exchange(octets: bytes) -> KeyExchange:
    """Both randoms and ServerECDHParams, from the second octet to the end. Raises: ContentMalformed."""
    reader = Reader(octets, 1, len(octets), _SOURCE)
    reader.octets(_RANDOMS, "both randoms")
    at = reader.at
    if reader.number(1, "a curve type") != _NAMED_CURVE:
        raise _unread(at, "named_curve (3)", str(octets[at]))
    number = reader.number(2, "a named curve")
    if number not in _CURVES:
        raise _unread(at + 1, "secp256r1 (23), secp384r1 (24) or x25519 (29)", str(number))
    name, size, curve = _CURVES[number]
    point = reader.vector(1, f"a point of {size} octets", least=size, most=size)
    reader.expect_end()
    if curve is not None:
        _check_point(octets, point.at, curve)
    _check_no_other_reading(octets)
    return KeyExchange(curve=name, point=point.take_rest())


def _check_point(octets: bytes, at: int, curve: ec.EllipticCurve) -> None:
    if octets[at] != 0x04:
        raise _unread(at, "an uncompressed point (04)", f"{octets[at]:02X}")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, octets[at:])
    except ValueError as error:
        raise _unread(at, f"a point on {curve.name}", "one that is not") from error


# Domain separation. A TLS key signs handshakes and its own Certificate Signing Request, by its purpose, and nothing
# else; this is the second line of defence. The signed octets of each kind of content cannot be those of another:
# - TLS 1.3: 64 spaces, then "TLS 1.3, ". GBCS begins 09, DER 30, XML "<", a TLS 1.2 transcript 01; a checkpoint's first
#   line is this ledger's name, and a ServerKeyExchange has 03, not "T", after 64 octets.
# - TLS 1.2 CertificateVerify: begins 01 00, a ClientHello. None of the others does but a ServerKeyExchange by choice.
# - TLS 1.2 ServerKeyExchange: begins with 64 octets that the two peers choose, so that it could begin like anything.
#   But it goes on 03 00, and has 100, 133 or 165 octets: neither a checkpoint nor XML holds a zero octet. What is left
#   (a GBCS message from its second octet, whole DER, a TLS 1.2 transcript) is tried here and refused. Honest
#   peers meet it once in some 2**23 handshakes, with x25519 (what begins 30 62 and chances to be whole DER), far more
#   rarely with the other curves; the next handshake has other randoms.
def _check_no_other_reading(octets: bytes) -> None:
    content = octets[1:]
    header = bytes(content[at] for at in (0, 1, 10, 19, 28))
    if header == b"\x09\x01\x08\x08\x00" or _is_der(content) or _is_client_handshake(content):
        raise _unread(1, "randoms by which nothing else can be meant", "those of a GBCS message, of DER or a handshake")


def _is_der(octets: bytes) -> bool:
    try:
        check_der(octets, 0, len(octets))
    except ContentMalformed:
        return False
    return True


def _is_client_handshake(octets: bytes) -> bool:
    try:
        read_client_handshake(octets, 0)
    except ContentMalformed:
        return False
    return True


def _unread(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
