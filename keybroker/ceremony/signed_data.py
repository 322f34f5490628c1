"""Who signed these octets, and when does he say that he did? CMS SignedData of one person over one document. Pure.

RFC 5652 §5 with the octets inside, exactly one signer (ECDSA on P-256 with SHA-256), his certificate, and exactly four
signed attributes: contentType, messageDigest, signingTime and signingCertificateV2 (RFC 5035 §3). The content type is
ours, so that nothing signed here reads as a mail, a program or a certificate, and nothing signed elsewhere as a step of
a ceremony:

    id-keybroker-document OBJECT IDENTIFIER ::= { 2 25 230666139860275758802546766591033180319 }

the UUID b509ffa1-d552-4f79-967c-1fe96669205e, drawn for it (X.667 §6.3). The private key is the signer's own affair:
``prepare`` gives what it signs, ``assemble`` takes the signature.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256 as HASH

from keybroker.ceremony.cms_form import (
    CONTEXT_0,
    CONTEXT_4,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    SHA256,
    content_info,
    content_of,
    element,
    issuer_and_serial,
    oid,
    reading,
    unfit,
)
from keybroker.content.der_members import Members
from keybroker.statement.attester import public_key_of

LONGEST = 4 * 1024 * 1024
"""Octets of a whole SignedData."""

_DOCUMENT = oid("2.25.230666139860275758802546766591033180319")
_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.47")
_ECDSA_WITH_SHA256 = element(SEQUENCE, oid("1.2.840.10045.4.3.2"))
_SHA256 = element(SEQUENCE, SHA256)
_VERSION_1, _VERSION_3 = element(INTEGER, b"\x01"), element(INTEGER, b"\x03")
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_FIRST_GENERALIZED_YEAR = 2050


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOctets:
    """``octets`` as they were signed; ``at``: when the signer says that it was, in whole seconds. ``name``: under which
    name his certificate was expected, None where only one was."""

    octets: bytes
    certificate: bytes
    at: datetime
    name: str | None = None


def prepare(octets: bytes, certificate_der: bytes, at: datetime) -> bytes:
    """What is to be signed: the signed attributes as a DER SET OF (RFC 5652 §5.4). Raises: CmsUnfit."""
    issuer, serial = issuer_and_serial(certificate_der)
    names = element(SEQUENCE, element(CONTEXT_4, issuer))
    identified = element(
        SEQUENCE, element(OCTET_STRING, sha256(certificate_der).digest()), element(SEQUENCE, names, serial)
    )
    return element(
        SET,
        *sorted(
            (
                _attribute(_CONTENT_TYPE, _DOCUMENT),
                _attribute(_MESSAGE_DIGEST, element(OCTET_STRING, sha256(octets).digest())),
                _attribute(_SIGNING_TIME, _time(at)),
                # SHA-256 is the default of hashAlgorithm, so DER leaves it out (RFC 5035 §4).
                _attribute(_SIGNING_CERTIFICATE_V2, element(SEQUENCE, element(SEQUENCE, identified))),
            )
        ),
    )


def assemble(octets: bytes, certificate_der: bytes, attributes: bytes, signature_der: bytes) -> bytes:
    """The whole SignedData; ``attributes`` as ``prepare`` gave them, ``signature_der`` over them. Raises: CmsUnfit."""
    signer = element(
        SEQUENCE,
        _VERSION_1,
        element(SEQUENCE, *issuer_and_serial(certificate_der)),
        _SHA256,
        bytes([CONTEXT_0]) + attributes[1:],
        _ECDSA_WITH_SHA256,
        element(OCTET_STRING, signature_der),
    )
    signed = element(
        SEQUENCE,
        _VERSION_3,
        element(SET, _SHA256),
        element(SEQUENCE, _DOCUMENT, element(CONTEXT_0, element(OCTET_STRING, octets))),
        element(CONTEXT_0, certificate_der),
        element(SET, signer),
    )
    return content_info(_SIGNED_DATA, signed)


def verify(der: bytes, *, certificates: Mapping[str, bytes] | bytes) -> SignedOctets:
    """Whose signature stands here: his of exactly this certificate, or of exactly one of these by name.

    Raises: CmsUnfit, also where the certificate was not valid when the signer says that he signed.
    """
    if len(der) > LONGEST:
        raise unfit(f"at most {LONGEST} octets", str(len(der)))
    octets, certificate, at, signature = reading(lambda: _read(der), "a SignedData of ours")
    name = _expected(certificate, certificates)
    attributes = prepare(octets, certificate, at)
    if assemble(octets, certificate, attributes, signature) != der:
        raise unfit("a SignedData exactly as it is written here, with one signer", "another")
    _check_signature(certificate, attributes, signature, at)
    return SignedOctets(octets=octets, certificate=certificate, at=at, name=name)


def openssl_commands(
    signed: str, certificate: str, document: str, *, sha256_of_certificate: str, at: datetime
) -> tuple[str, ...]:
    """What a witness types to check one signature without us; each command is one line.

    ``signed``: the SignedData, ``certificate``: the signer's in PEM, ``document``: where the octets are written. The
    first command must show ``sha256_of_certificate``, which was read aloud; the second must say "successful". The
    certificate is judged at the moment of signing, so that it may lapse afterwards; one that was issued by an authority
    is trusted for itself (``-partial_chain``).
    """
    signed, certificate, document = map(shlex.quote, (signed, certificate, document))
    return (
        f"openssl x509 -in {certificate} -outform DER | openssl dgst -sha256 -r  # {sha256_of_certificate}",
        (
            f"openssl cms -verify -binary -inform DER -in {signed} -purpose any -CAfile {certificate}"
            f" -partial_chain -attime {int(at.timestamp())} -out {document}"
        ),
    )


def _attribute(kind: bytes, value: bytes) -> bytes:
    return element(SEQUENCE, kind, element(SET, value))


def _time(at: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime from then on (RFC 5652 §11.3)."""
    moment = at.astimezone(UTC)
    if moment.year < _FIRST_GENERALIZED_YEAR:
        return element(_UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    return element(_GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())


def _read(der: bytes) -> tuple[bytes, bytes, datetime, bytes]:
    """What varies: octets, certificate, signing time, signature; the rest is compared. Raises: ContentMalformed."""
    signed = content_of(der)
    signed.take(INTEGER, "a version")
    signed.take(SET, "digest algorithms")
    encapsulated = signed.inside(signed.take(SEQUENCE, "an encapsulated content"))
    encapsulated.take(OID, "a content type")
    explicit = encapsulated.inside(encapsulated.take(CONTEXT_0, "the content itself"))
    octets = explicit.take(OCTET_STRING, "the octets")
    certificates = signed.inside(signed.take(CONTEXT_0, "the signer's certificate"))
    certificate = certificates.take(SEQUENCE, "the signer's certificate")
    signers = signed.inside(signed.take(SET, "signers"))
    signer = signers.inside(signers.take(SEQUENCE, "a signer"))
    signer.take(INTEGER, "a version")
    signer.take(SEQUENCE, "issuer and serial number")
    signer.take(SEQUENCE, "a digest algorithm")
    at = _signing_time(der, signer.inside(signer.take(CONTEXT_0, "signed attributes")))
    signer.take(SEQUENCE, "a signature algorithm")
    signature = signer.take(OCTET_STRING, "a signature")
    return (
        der[octets.content : octets.end],
        der[certificate.offset : certificate.end],
        at,
        der[signature.content : signature.end],
    )


def _signing_time(der: bytes, attributes: Members) -> datetime:
    for each in attributes.take_rest(SEQUENCE, "an attribute"):
        attribute = attributes.inside(each)
        kind = attribute.take(OID, "the attribute's type")
        values = attribute.inside(attribute.take(SET, "the attribute's values"))
        if der[kind.offset : kind.end] == _SIGNING_TIME:
            value = values.take_any("a time")
            return _moment(der[value.content : value.end].decode("ascii", errors="replace"))
    raise unfit("signed attributes with signingTime", "none")


def _moment(text: str) -> datetime:
    try:
        # UTCTime of 19YY is read as 20YY, and differs when it is written again: nobody signed here in 19YY.
        whole = text if len(text) > len("YYMMDDhhmmssZ") else f"20{text}"
        return datetime.strptime(whole, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise unfit("a signingTime in UTC", text) from error


def _expected(certificate: bytes, certificates: Mapping[str, bytes] | bytes) -> str | None:
    """The name under which exactly this certificate was expected. Raises: CmsUnfit."""
    if isinstance(certificates, bytes):
        if certificate != certificates:
            raise unfit("exactly the signer's certificate", "another")
        return None
    names = [name for name, each in certificates.items() if each == certificate]
    if len(names) != 1:
        raise unfit("the certificate of exactly one of those who may sign", f"that of {len(names)}")
    return names[0]


def _check_signature(certificate: bytes, attributes: bytes, signature: bytes, at: datetime) -> None:
    try:
        public_key_of(certificate).verify(signature, attributes, ECDSA(HASH()))
        loaded = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise unfit("a certificate of a P-256 key", "another") from error
    except InvalidSignature as error:
        raise unfit("a signature by the key of this certificate", "another") from error
    if not loaded.not_valid_before_utc <= at <= loaded.not_valid_after_utc:
        raise unfit("a certificate valid when it was signed", f"one that is not at {at:%Y-%m-%dT%H:%M:%SZ}")
