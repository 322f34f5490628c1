"""What does the certificate chain behind a key say, once every signature in it was verified?

Profile: SMKI Organisation Certificates (handbook 3.2), RFC 5280, RFC 5480. Read strictly; whether the certificate may
be used now is for the rules. Policy OIDs and the nesting of validity periods are not looked at.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from keybroker.errors import ConfigurationInvalid
from keybroker.policy.model import CertificateFacts
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.terms import EntityIdentifier, RemotePartyRole

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_ROLE = re.compile(r"[0-9A-F]{2}")
_SUBJECTS = (
    (NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.X500_UNIQUE_IDENTIFIER),
    (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.X500_UNIQUE_IDENTIFIER),
)
_KNOWN_CRITICAL = frozenset({ExtensionOID.KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.CERTIFICATE_POLICIES})
_LONGEST_CHAIN = 4
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A CA certificate that the configuration trusts, for live or for test."""

    der: bytes
    test: bool


def read_chain(der: Sequence[bytes], anchors: Sequence[Anchor], *, revoked_at: datetime | None) -> CertificateFacts:
    """Verify every signature from the end entity up to a configured anchor, and say what the end entity states.

    ``der`` is the end-entity certificate, then its issuers in order; the anchor may be left out or stand last.
    Raises: CertificateUnfit.
    """
    # 1. The end entity by its own profile.
    facts = read_end_entity(der[0] if der else b"")
    # 2. The anchor, exactly one: that which the chain ends with, or which issued its last certificate.
    listed = {anchor.der for anchor in anchors}
    below = tuple(der[:-1] if len(der) > 1 and der[-1] in listed else der)
    if len(below) > _LONGEST_CHAIN:
        raise CertificateUnfit(f"expected at most {_LONGEST_CHAIN} certificates below the anchor, found {len(below)}")
    chain = [_load(octets) for octets in below]
    anchor = _find_anchor(chain[-1], anchors)
    # 3. Every link.
    issuers = [*chain[1:], _load(anchor.der)]
    # A live deployment trusts nobody whose key is public, whatever its configuration lists.
    published = [issuer for issuer in issuers if is_published_test_key(_point(issuer))]
    _expect(anchor.test or not published, "an issuer that is no published test CA")
    for depth, (subject, issuer) in enumerate(zip(chain, issuers, strict=True)):
        _check_issuer(issuer, depth=depth)
        _check_link(subject, issuer)
    return replace(facts, der=below, revoked_at=revoked_at, test_anchor=anchor.test)


def read_end_entity(der: bytes) -> CertificateFacts:
    """Read one Organisation Certificate by its profile alone: no signature is verified, no anchor known.

    Raises: CertificateUnfit.
    """
    certificate = _load(der)
    _check_common(certificate)
    subject = tuple(attribute.oid for attribute in certificate.subject)
    _expect(
        subject in _SUBJECTS and len(certificate.subject.rdns) == len(subject), "subject [CN], OU, UID in that order"
    )
    constraints = _find(certificate, x509.BasicConstraints)
    _expect(constraints is None or not constraints.value.ca, "an end entity, not a CA")
    return CertificateFacts(
        der=(der,),
        subject_key_identifier=_subject_key_identifier(certificate),
        role=_role(certificate),
        eui=_eui(certificate),
        serial=certificate.serial_number,
        digital_signature=_is_for_digital_signature(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        revoked_at=None,
        test_anchor=False,
    )


def public_point(der: bytes) -> bytes:
    """The certificate's public key as an uncompressed P-256 point: 65 octets, 04 || x || y.

    Raises: CertificateUnfit.
    """
    return _point(_load(der))


def certificate_identity(der: bytes) -> bytes:
    """SHA-256 of issuer and serial number (20 octets), which name a certificate: its octets do not, for from a valid
    ECDSA signature anybody can make another. 32 octets. Raises: CertificateUnfit.
    """
    certificate = _load(der)
    serial = certificate.serial_number
    if not 0 < serial < 2**160:
        raise _unfit("a positive serial number of at most 20 octets")
    return hashlib.sha256(certificate.issuer.public_bytes() + serial.to_bytes(20, "big")).digest()


def subject_key_identifier(point: bytes) -> bytes:
    """RFC 5280 section 4.2.1.2 method (2): 0100 and the last 60 bits of SHA-1 of the point. 8 octets."""
    last = hashlib.sha1(point, usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | last[0] & 0x0F]) + last[1:]


def _load(der: bytes) -> x509.Certificate:
    """Parse whole and touch every part: the library reads lazily, and a wrong inner part shall be found here."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.version, certificate.subject, certificate.issuer, certificate.extensions)
        _ = (certificate.public_key(), certificate.signature_hash_algorithm, certificate.serial_number)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except _UNREADABLE as error:
        raise CertificateUnfit(f"expected a certificate in DER, found one that cannot be read: {error}") from error
    return certificate


def _check_common(certificate: x509.Certificate) -> None:
    """What holds of every certificate below an anchor."""
    _expect(certificate.version is x509.Version.v3, "version 3")
    _expect(certificate.serial_number > 0, "a positive serial number")
    _expect(certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256, "ecdsa-with-SHA256")
    # The library overlooks unused bits in the signature's BIT STRING: there are none (X.690 section 11.2; RFC 5480).
    signature = bytes([0x03, len(certificate.signature) + 1, 0x00]) + certificate.signature
    _expect(certificate.public_bytes(Encoding.DER).endswith(signature), "a signature of whole octets")
    for extension in certificate.extensions:
        _expect(not extension.critical or extension.oid in _KNOWN_CRITICAL, "no critical extension beyond the profile")
    _subject_key_identifier(certificate)


def _point(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unfit("a P-256 public key")
    # The library would also take a compressed point: look for the uncompressed one where it stands, after the subject.
    stated = certificate.subject.public_bytes() + key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _expect(stated in certificate.tbs_certificate_bytes, "an uncompressed point")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _subject_key_identifier(certificate: x509.Certificate) -> bytes:
    extension = _find(certificate, x509.SubjectKeyIdentifier)
    expected = subject_key_identifier(_point(certificate))
    if extension is None or extension.value.digest != expected:
        raise _unfit(f"subject key identifier {expected.hex()} (RFC 5280 method 2)")
    return expected


def _role(certificate: x509.Certificate) -> RemotePartyRole:
    (unit,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    text = str(unit.value)
    _expect(_ROLE.fullmatch(text) is not None, "an OU of two upper-case hexadecimal digits")
    try:
        return RemotePartyRole(int(text, 16))
    except ValueError as error:
        raise _unfit("an OU that is a Remote Party Role") from error


def _eui(certificate: x509.Certificate) -> EntityIdentifier:
    (identifier,) = certificate.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    octets = identifier.value
    # X.690 8.6.2.2: the first octet counts the unused bits; an EUI-64 leaves none.
    if not isinstance(octets, bytes) or len(octets) != 9 or octets[0] != 0:
        raise _unfit("an x500UniqueIdentifier of 8 whole octets")
    return EntityIdentifier(octets[1:])


def _is_for_digital_signature(certificate: x509.Certificate) -> bool:
    usage = _find(certificate, x509.KeyUsage)
    if usage is None or not usage.critical:
        raise _unfit("a critical key usage")
    bits = _usage_bits(usage.value)
    _expect(bits in ({"digital_signature"}, {"key_agreement"}), "exactly one of digitalSignature and keyAgreement")
    return "digital_signature" in bits


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


def _find_anchor(last: x509.Certificate, anchors: Sequence[Anchor]) -> Anchor:
    """The one configured anchor that issued ``last``. One listed both as test and as live is no anchor at all."""
    found = [anchor for anchor in anchors if _issued(last, _load(anchor.der))]
    if not found:
        raise _unfit(f"an issuer among the configured anchors, found {last.issuer.rfc4514_string()!r}")
    _expect(len({anchor.test for anchor in found}) == 1, "an anchor that is either for test or for live")
    return found[0]


def _issued(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_issuer(issuer: x509.Certificate, *, depth: int) -> None:
    """A CA that may sign certificates, with at most as many CAs below it as it allows. ``depth`` counts those."""
    constraints, usage = _find(issuer, x509.BasicConstraints), _find(issuer, x509.KeyUsage)
    if constraints is None or not constraints.critical or not constraints.value.ca:
        raise _unfit("an issuer that is a CA (critical basicConstraints)")
    if usage is None or not usage.value.key_cert_sign:
        raise _unfit("an issuer with keyCertSign")
    limit = constraints.value.path_length
    _expect(limit is None or depth <= limit, "no more CAs in the chain than its issuers allow")


def _check_link(subject: x509.Certificate, issuer: x509.Certificate) -> None:
    """Names chain, key identifiers chain where they are given, and the signature verifies."""
    _check_common(subject)
    _point(issuer)
    _expect(subject.issuer.public_bytes() == issuer.subject.public_bytes(), "an issuer of the name that is stated")
    authority, identifier = _find(subject, x509.AuthorityKeyIdentifier), _find(issuer, x509.SubjectKeyIdentifier)
    if authority is not None and identifier is not None:
        _expect(authority.value.key_identifier == identifier.value.digest, "the authority key identifier of the issuer")
    _expect(_issued(subject, issuer), "a signature that verifies with the issuer's public key")


def _find(certificate: x509.Certificate, kind: type[_Extension]) -> x509.Extension[_Extension] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _expect(holds: bool, expected: str) -> None:
    if not holds:
        raise _unfit(expected)


def _unfit(expected: str) -> CertificateUnfit:
    return CertificateUnfit(f"certificate: expected {expected}")
