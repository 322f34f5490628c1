"""Whose key is this? A SubjectPublicKeyInfo with an uncompressed point on P-256, and no other.

Source: RFC 5480 section 2 (id-ecPublicKey, namedCurve secp256r1); SEC 1 section 2.3.3; handbook 3.2.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.content.der import Element
from keybroker.errors import ContentMalformed

_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""All that stands before the point: its algorithm, its curve, and that the BIT STRING has no unused bits."""

_POINT_SIZE = 65
_SOURCE = "RFC 5480 section 2"


def read_public_key(octets: bytes, element: Element) -> bytes:
    """The public point, 65 octets 04 || x || y, on the curve. Raises: ContentMalformed."""
    start = element.offset + len(_PREFIX)
    if not octets.startswith(_PREFIX, element.offset):
        raise _malformed(element.offset, "id-ecPublicKey with the named curve P-256", "another algorithm or curve")
    point = octets[start : element.end]
    if len(point) != _POINT_SIZE or point[0] != 0x04:
        raise _malformed(start, "an uncompressed point, 04 and 64 octets", f"0x{point[:1].hex()}, {len(point)} octets")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise _malformed(start, "a point on P-256", "one that is not") from error
    return point


def public_key_identifier(point: bytes) -> bytes:
    """RFC 5280 section 4.2.1.2 method (2): 0100 and the last 60 bits of SHA-1 of the point. 8 octets."""
    last = hashlib.sha1(point, usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | last[0] & 0x0F]) + last[1:]


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
