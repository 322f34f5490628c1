"""How do what was signed and its signature stand together? The outermost SEQUENCE of Certificate, CRL and PKCS#10.

SEQUENCE { to be signed, AlgorithmIdentifier, BIT STRING of the signature's DER }: RFC 5280 sections 4.1 and 5.1, RFC
2986 section 4.2; ecdsa-with-SHA256 without parameters and Ecdsa-Sig-Value: RFC 5758 section 3.2, RFC 3279 section
2.2.3.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.content.der import read_unsigned
from keybroker.content.der_members import Members
from keybroker.content.length import write_length
from keybroker.errors import ContentMalformed

ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
"""AlgorithmIdentifier 1.2.840.10045.4.3.2, its parameters absent."""

_SOURCE = "RFC 5280 section 4.1.1"
_SIZE = 32


class SignedObject(NamedTuple):
    """Its three parts; ``signature`` is r || s, 64 octets. ``content`` is the offset of the part that was signed."""

    content: int
    to_be_signed: bytes
    algorithm: bytes
    signature: bytes


def assemble_signed_object(to_be_signed: bytes, signature: bytes) -> bytes:
    """The whole of a Certificate, CRL or PKCS#10 request. ``signature`` is r || s, 64 octets."""
    value = encode(0x03, b"\x00" + ecdsa_sig_value(signature))
    return encode(0x30, to_be_signed + ECDSA_WITH_SHA256 + value)


def ecdsa_sig_value(signature: bytes) -> bytes:
    """Ecdsa-Sig-Value in DER, as X.509 and TLS have it (RFC 8422 section 5.4), of r || s (64 octets)."""
    r, s = int.from_bytes(signature[:_SIZE], "big"), int.from_bytes(signature[_SIZE:], "big")
    return encode_dss_signature(r, s)


def read_signed_object(octets: bytes) -> SignedObject:
    """The parts of one, whole and in DER. Raises: ContentMalformed."""
    parts = Members.of_whole(octets, "a SEQUENCE of what is signed, algorithm and signature", _SOURCE)
    signed = parts.take(0x30, "a SEQUENCE that is signed")
    algorithm = parts.take(0x30, "an AlgorithmIdentifier")
    value = parts.take(0x03, "a BIT STRING with the signature")
    parts.expect_end()
    if octets[value.content] != 0:
        raise ContentMalformed(
            offset=value.content,
            expected="a signature of whole octets",
            found=f"{octets[value.content]} unused bits",
            source=_SOURCE,
        )
    return SignedObject(
        content=signed.offset,
        to_be_signed=octets[signed.offset : signed.end],
        algorithm=octets[algorithm.offset : algorithm.end],
        signature=_read_signature(octets, value.content + 1, value.end),
    )


def signature_verifies(public_point: bytes, message: bytes, signature: bytes) -> bool:
    """Is ``signature`` (r || s, 64 octets) an ECDSA P-256 signature with SHA-256 of ``message`` under the point?

    ``public_point`` is uncompressed and on the curve. A fact about octets; what follows from it is for a rule.
    """
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_point)
    try:
        key.verify(ecdsa_sig_value(signature), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def encode(tag: int, content: bytes) -> bytes:
    """One DER element: a tag of one octet, the fewest length octets, the content (X.690 section 10.1)."""
    return bytes([tag]) + write_length(len(content)) + content


def _read_signature(octets: bytes, start: int, end: int) -> bytes:
    """Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } in DER, to r || s."""
    source = "RFC 3279 section 2.2.3"
    numbers = Members.of_whole(octets, "an Ecdsa-Sig-Value", source, start=start, end=end)
    halves = []
    for name in ("r", "s"):
        element = numbers.take(0x02, f"the INTEGER {name}")
        number = read_unsigned(octets, element)
        if number >= 1 << 8 * _SIZE:
            raise ContentMalformed(
                offset=element.content, expected=f"{name} of at most 32 octets", found="more", source=source
            )
        halves.append(number.to_bytes(_SIZE, "big"))
    numbers.expect_end()
    return b"".join(halves)
