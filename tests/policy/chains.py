"""Makes certificates and chains, good ones and ones spoilt in one place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from keybroker.policy.trust import Anchor
from tests import messages

UTF8, BITS = _ASN1Type.UTF8String, _ASN1Type.BitString
OU, CN, UID = NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME, NameOID.X500_UNIQUE_IDENTIFIER
FROM, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2034, 12, 31, 23, 59, 59, tzinfo=UTC)
BIT_NAMES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@cache
def a_private_key(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())


ROOT_KEY, ISSUING_KEY, ORGANISATION_KEY = 11, 12, 13


def name(*attributes: tuple[x509.ObjectIdentifier, Any, Any]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, kind) for oid, value, kind in attributes])


ROOT = name((OU, "00", UTF8), (CN, "TA", UTF8))
ISSUING = name((OU, "07", UTF8), (CN, "T1", UTF8))
EUI = b"\x00" + messages.SUPPLIER.octets
SUBJECT = name((OU, "02", UTF8), (UID, EUI, BITS))


def usage(*bits: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{bit: bit in bits for bit in BIT_NAMES})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A certificate to be made; every field can be given wrong. ``None`` leaves an extension out."""

    serial: int = 0x1234
    subject: x509.Name = SUBJECT
    issuer: x509.Name = ISSUING
    public_key: Any = field(default_factory=lambda: a_private_key(ORGANISATION_KEY).public_key())
    signer: Any = field(default_factory=lambda: a_private_key(ISSUING_KEY))
    usage: x509.KeyUsage | None = field(default_factory=lambda: usage("digital_signature"))
    usage_critical: bool = True
    constraints: x509.BasicConstraints | None = None
    constraints_critical: bool = True
    identifier: bytes | None = b""
    authority: bytes | None = b""
    algorithm: Any = field(default_factory=hashes.SHA256)
    not_before: datetime = FROM
    not_after: datetime = UNTIL
    further: tuple[tuple[x509.ExtensionType, bool], ...] = ()

    def make(self) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.issuer)
            .public_key(self.public_key)
            .serial_number(self.serial)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
        )
        for extension, critical in self.extensions():
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.signer, self.algorithm).public_bytes(Encoding.DER)

    def extensions(self) -> Iterator[tuple[x509.ExtensionType, bool]]:
        if self.usage is not None:
            yield self.usage, self.usage_critical
        if self.identifier is not None:
            yield x509.SubjectKeyIdentifier(self.identifier or identifier_of(self.public_key)), False
        if self.authority is not None:
            authority = self.authority or identifier_of(self.signer.public_key())
            yield x509.AuthorityKeyIdentifier(authority, None, None), False
        if self.constraints is not None:
            yield self.constraints, self.constraints_critical
        yield from self.further


def identifier_of(public_key: Any) -> bytes:
    """RFC 5280 4.2.1.2 (2), computed here anew: 0100 and the last 60 bits of SHA-1 of the point."""
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        return bytes(8)
    point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    number = int.from_bytes(hashlib.sha1(point, usedforsecurity=False).digest(), "big") % 2**60
    return (0b0100 << 60 | number).to_bytes(8, "big")


def a_ca(subject: x509.Name, scalar: int, issuer: x509.Name, signer: int, **changes: Any) -> bytes:
    wanted: dict[str, Any] = {
        "subject": subject,
        "issuer": issuer,
        "public_key": a_private_key(scalar).public_key(),
        "signer": a_private_key(signer),
        "usage": usage("key_cert_sign", "crl_sign"),
        "constraints": x509.BasicConstraints(ca=True, path_length=None),
    }
    return Plan(**(wanted | changes)).make()


def a_root(**changes: Any) -> bytes:
    return a_ca(ROOT, ROOT_KEY, ROOT, ROOT_KEY, **changes)


def an_issuing_ca(**changes: Any) -> bytes:
    return a_ca(ISSUING, ISSUING_KEY, ROOT, ROOT_KEY, **changes)


TEST_ROOT = Anchor(der=a_root(), test=True)
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
