"""What does an Organisation or OCA Certificate say? Read strictly, by its profile; no signature is verified here.

Profile: SMKI Organisation Certificates (handbook 3.2), RFC 5280, RFC 5480. The chain behind it is the question of
``certificate_chain``; whether the certificate may be used now is for the rules. Policy OIDs are not looked at.
"""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from keybroker.content.public_key import public_key_identifier
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.model import CertificateFacts
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_ROLE = re.compile(r"[0-9A-F]{2}")
_SUBJECTS = (
    (NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.X500_UNIQUE_IDENTIFIER),
    (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.X500_UNIQUE_IDENTIFIER),
)
KNOWN_CRITICAL = frozenset({ExtensionOID.KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.CERTIFICATE_POLICIES})
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""All that the library raises for octets that it cannot, or will not, read."""


class CertificateUnfit(ConfigurationInvalid):
    """A certificate or chain that the profile, or its own signatures, do not bear out."""

    reason: ClassVar[str] = "CERTIFICATE_UNFIT"


def read_end_entity(der: bytes) -> CertificateFacts:
    """Read one Organisation or OCA Certificate by its profile alone: no signature is verified, no anchor known.

    Raises: CertificateUnfit.
    """
    certificate = load_certificate(der)
    check_common(certificate, KNOWN_CRITICAL)
    constraints = find_extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        return _facts(certificate, role=_authority_role(certificate), eui=None, usage=_authority_usage(certificate))
    subject = tuple(attribute.oid for attribute in certificate.subject)
    expect(
        subject in _SUBJECTS and len(certificate.subject.rdns) == len(subject), "subject [CN], OU, UID in that order"
    )
    return _facts(certificate, role=_role(certificate), eui=_eui(certificate), usage=usage_of(certificate))


def authority_identity(point: bytes) -> bytes:
    """How a CA is known beside its name: SHA-256 of its public point (65 octets)."""
    return hashlib.sha256(point).digest()


def _facts(
    certificate: x509.Certificate, *, role: RemotePartyRole, eui: EntityIdentifier | None, usage: KeyUsage
) -> CertificateFacts:
    return CertificateFacts(
        der=(certificate.public_bytes(Encoding.DER),),
        subject_key_identifier=_subject_key_identifier(certificate),
        role=role,
        eui=eui,
        subject=certificate.subject.public_bytes(),
        serial=certificate.serial_number,
        usage=usage,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        revoked_at=None,
        test_anchor=False,
    )


def _authority_role(certificate: x509.Certificate) -> RemotePartyRole:
    """An OCA is named by its OU, 00 or 07, and a common name, in that order (handbook 3.2)."""
    subject = tuple(attribute.oid for attribute in certificate.subject)
    expected = (NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    expect(subject == expected and len(certificate.subject.rdns) == len(subject), "a CA's subject OU, CN in that order")
    role = _role(certificate)
    expect(role in (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY), "the OU of a CA: 00 or 07")
    return role


def _authority_usage(certificate: x509.Certificate) -> KeyUsage:
    usage = find_extension(certificate, x509.KeyUsage)
    if usage is None or not usage.critical or _usage_bits(usage.value) != {"key_cert_sign", "crl_sign"}:
        raise unfit("a CA's critical key usage keyCertSign and cRLSign")
    return KeyUsage.CERTIFICATE_SIGNING


def public_point(der: bytes) -> bytes:
    """The certificate's public key as an uncompressed P-256 point: 65 octets, 04 || x || y.

    Raises: CertificateUnfit.
    """
    return point_of(load_certificate(der))


def certificate_identity(der: bytes) -> bytes:
    """SHA-256 of issuer and serial number (20 octets), which name a certificate: its octets do not, for from a valid
    ECDSA signature anybody can make another. 32 octets. Raises: CertificateUnfit.
    """
    certificate = load_certificate(der)
    serial = certificate.serial_number
    if not 0 < serial < 2**160:
        raise unfit("a positive serial number of at most 20 octets")
    return hashlib.sha256(certificate.issuer.public_bytes() + serial.to_bytes(20, "big")).digest()


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse whole and touch every part: the library reads lazily, and a wrong inner part shall be found here.

    Raises: CertificateUnfit.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.version, certificate.subject, certificate.issuer, certificate.extensions)
        _ = (certificate.public_key(), certificate.signature_hash_algorithm, certificate.serial_number)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except _UNREADABLE as error:
        raise CertificateUnfit(f"expected a certificate in DER, found one that cannot be read: {error}") from error
    return certificate


def check_common(certificate: x509.Certificate, known_critical: frozenset[x509.ObjectIdentifier]) -> None:
    """What holds of every certificate below an anchor. Raises: CertificateUnfit."""
    expect(certificate.version is x509.Version.v3, "version 3")
    expect(certificate.serial_number > 0, "a positive serial number")
    expect(certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256, "ecdsa-with-SHA256")
    # The library overlooks unused bits in the signature's BIT STRING: there are none (X.690 section 11.2; RFC 5480).
    signature = bytes([0x03, len(certificate.signature) + 1, 0x00]) + certificate.signature
    expect(certificate.public_bytes(Encoding.DER).endswith(signature), "a signature of whole octets")
    for extension in certificate.extensions:
        expect(not extension.critical or extension.oid in known_critical, "no critical extension beyond the profile")
    _subject_key_identifier(certificate)


def point_of(certificate: x509.Certificate) -> bytes:
    """As ``public_point``. Raises: CertificateUnfit."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise unfit("a P-256 public key")
    # The library would also take a compressed point: look for the uncompressed one where it stands, after the subject.
    stated = certificate.subject.public_bytes() + key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expect(stated in certificate.tbs_certificate_bytes, "an uncompressed point")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _subject_key_identifier(certificate: x509.Certificate) -> bytes:
    extension = find_extension(certificate, x509.SubjectKeyIdentifier)
    expected = public_key_identifier(point_of(certificate))
    if extension is None or extension.value.digest != expected:
        raise unfit(f"subject key identifier {expected.hex()} (RFC 5280 method 2)")
    return expected


def _role(certificate: x509.Certificate) -> RemotePartyRole:
    (unit,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    text = str(unit.value)
    expect(_ROLE.fullmatch(text) is not None, "an OU of two upper-case hexadecimal digits")
    try:
        return RemotePartyRole(int(text, 16))
    except ValueError as error:
        raise unfit("an OU that is a Remote Party Role") from error


def _eui(certificate: x509.Certificate) -> EntityIdentifier:
    (identifier,) = certificate.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    octets = identifier.value
    # X.690 8.6.2.2: the first octet counts the unused bits; an EUI-64 leaves none.
    if not isinstance(octets, bytes) or len(octets) != 9 or octets[0] != 0:
        raise unfit("an x500UniqueIdentifier of 8 whole octets")
    return EntityIdentifier(octets[1:])


def usage_of(certificate: x509.Certificate) -> KeyUsage:
    """An end entity's: for signatures or for key agreement. Raises: CertificateUnfit."""
    usage = find_extension(certificate, x509.KeyUsage)
    if usage is None or not usage.critical:
        raise unfit("a critical key usage")
    bits = _usage_bits(usage.value)
    expect(bits in ({"digital_signature"}, {"key_agreement"}), "exactly one of digitalSignature and keyAgreement")
    return KeyUsage.DIGITAL_SIGNATURE if "digital_signature" in bits else KeyUsage.KEY_AGREEMENT


def _usage_bits(usage: x509.KeyUsage) -> set[str]:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    bits = {name for name in names if getattr(usage, name)}
    # The last two bits have a meaning, and in this library a value, only beside keyAgreement.
    if usage.key_agreement and (usage.encipher_only or usage.decipher_only):
        bits.add("encipher_or_decipher_only")
    return bits


def issued_in_name(subject: bytes, issuer: bytes) -> bool:
    """Does one certificate name the other's subject as its issuer? Nothing is verified. Raises: CertificateUnfit."""
    return load_certificate(subject).issuer == load_certificate(issuer).subject


def find_extension(certificate: x509.Certificate, kind: type[_Extension]) -> x509.Extension[_Extension] | None:
    """The extension of that kind, None where the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def expect(holds: bool, expected: str) -> None:
    """Raises: CertificateUnfit, which says what was expected."""
    if not holds:
        raise unfit(expected)


def unfit(expected: str) -> CertificateUnfit:
    """What was expected of a certificate, to be raised."""
    return CertificateUnfit(f"certificate: expected {expected}")
