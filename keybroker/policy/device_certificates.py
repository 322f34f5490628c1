"""What does a Device Certificate say? Its profile (handbook 3.2), and the chain behind it.

A Device is named by the EUI-64 in its subjectAltName, a hardwareModuleName (RFC 4108 section 5), and by nothing else:
its subject is empty. Whether the certificate may be relied on now is ``policy.relying``'s question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from keybroker.content.der_members import Members
from keybroker.errors import ContentMalformed
from keybroker.policy.certificate_chain import VerifiedChain, verify_links
from keybroker.policy.certificates import (
    CertificateUnfit,
    check_common,
    expect,
    find_extension,
    load_certificate,
    point_of,
    usage_of,
)
from keybroker.policy.trust import Anchor
from keybroker.terms import EntityIdentifier, KeyUsage

_HARDWARE_MODULE_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
_EUI_OCTETS = 8
_KNOWN_CRITICAL = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCertificateFacts:
    """``public_point`` is uncompressed, 65 octets; ``not_after`` is 9999-12-31 where the Device's life is the end."""

    eui: EntityIdentifier
    public_point: bytes
    usage: KeyUsage
    not_before: datetime
    not_after: datetime


def read_device_chain(der: Sequence[bytes], anchors: Sequence[Anchor]) -> tuple[DeviceCertificateFacts, VerifiedChain]:
    """Verify every signature from the Device's certificate up to a Device anchor. Raises: CertificateUnfit."""
    facts = read_device_certificate(der[0] if der else b"")
    return facts, verify_links(der, anchors, known_critical=_KNOWN_CRITICAL)


def read_device_certificate(der: bytes) -> DeviceCertificateFacts:
    """Read one Device Certificate by its profile alone: no signature is verified. Raises: CertificateUnfit."""
    certificate = load_certificate(der)
    check_common(certificate, _KNOWN_CRITICAL)
    expect(not list(certificate.subject), "a Device's empty subject")
    issuer = tuple(attribute.oid for attribute in certificate.issuer)
    expect(issuer == (NameOID.COMMON_NAME,), "an issuer of a common name alone")
    constraints = find_extension(certificate, x509.BasicConstraints)
    expect(constraints is None or not constraints.value.ca, "a Device, no CA")
    policies = find_extension(certificate, x509.CertificatePolicies)
    expect(policies is not None and policies.critical, "critical certificate policies")
    expect(find_extension(certificate, x509.AuthorityKeyIdentifier) is not None, "an authority key identifier")
    return DeviceCertificateFacts(
        eui=_eui(certificate),
        public_point=point_of(certificate),
        usage=usage_of(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _eui(certificate: x509.Certificate) -> EntityIdentifier:
    """The one name in a critical subjectAltName (RFC 5280 section 4.2.1.6: critical where the subject is empty)."""
    names = find_extension(certificate, x509.SubjectAlternativeName)
    if names is None or not names.critical:
        raise CertificateUnfit("certificate: expected a critical subjectAltName")
    stated = list(names.value)
    if len(stated) != 1 or not isinstance(stated[0], x509.OtherName) or stated[0].type_id != _HARDWARE_MODULE_NAME:
        raise CertificateUnfit("certificate: expected one hardwareModuleName as subjectAltName")
    return EntityIdentifier(_serial_number(stated[0].value))


def _serial_number(value: bytes) -> bytes:
    """HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }, strictly in DER."""
    try:
        parts = Members.of_whole(value, "a HardwareModuleName", "RFC 4108 section 5")
        parts.take(0x06, "a hardware type")
        serial = parts.take(0x04, "a serial number")
        parts.expect_end()
    except ContentMalformed as error:
        raise CertificateUnfit(f"certificate: hardwareModuleName {error.sentence}") from error
    octets = value[serial.content : serial.end]
    expect(len(octets) == _EUI_OCTETS, "an EUI-64 of 8 octets as hardware serial number")
    return octets
