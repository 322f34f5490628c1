"""What does an ARL or CRL say, once its signature was verified under its issuer? And is it current?

Profile: RFC 5280 section 5, version 2 with AKI and CRLNumber, ecdsa-with-SHA256 (handbook 3.3). A list that is relied
on is read by the very decoder that reads one to be signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from cryptography import x509

from keybroker.content.revocation_list import CertificateList, TbsCertList, read_certificate_list
from keybroker.content.signed_object import signature_verifies
from keybroker.errors import ContentMalformed
from keybroker.policy.certificates import (
    CertificateUnfit,
    authority_identity,
    find_extension,
    load_certificate,
    point_of,
)
from keybroker.policy.trust import RevocationList

_MONTH = timedelta(days=30)


class Currency(StrEnum):
    """How a held list stands to now. ``ending``: less than a quarter of its time is left, and less than 30 days."""

    NOT_YET = "not yet"
    CURRENT = "current"
    ENDING = "ending"
    STALE = "stale"


def currency(held: RevocationList, at: datetime) -> Currency:
    if at < held.this_update:
        return Currency.NOT_YET
    if at > held.next_update:
        return Currency.STALE
    soon = min((held.next_update - held.this_update) / 4, _MONTH)
    return Currency.ENDING if held.next_update - at < soon else Currency.CURRENT


def read_revocation_list(der: bytes, issuers: Iterable[bytes]) -> RevocationList:
    """Verify the list under that one of ``issuers`` (CA certificates, DER) whose name and key identifier it states.

    Raises: CertificateUnfit.
    """
    return _verified(der, tuple(issuers))


# The register is read anew at every act; a list that was verified once is not verified again.
@lru_cache(maxsize=256)
def _verified(der: bytes, issuers: tuple[bytes, ...]) -> RevocationList:
    listed = _read(der)
    content = listed.content
    for issuer in issuers:
        certificate = load_certificate(issuer)
        if _identifier(certificate) == content.authority_key_identifier and _name(certificate) == content.issuer.der:
            _check_issuer(certificate)
            _check_signed(listed, certificate)
            return _facts(content, authority_identity(point_of(certificate)))
    raise CertificateUnfit(f"revocation list: expected one of a CA that is known, found one of {content.issuer}")


def to_be_signed(der: bytes) -> bytes:
    """The part of a list that its issuer signed. Raises: CertificateUnfit."""
    return _read(der).content.octets


def _read(der: bytes) -> CertificateList:
    try:
        return read_certificate_list(der)
    except ContentMalformed as error:
        raise CertificateUnfit(f"revocation list: {error.sentence}") from error


def _check_issuer(certificate: x509.Certificate) -> None:
    constraints, usage = find_extension(certificate, x509.BasicConstraints), find_extension(certificate, x509.KeyUsage)
    _expect(constraints is not None and constraints.value.ca, "an issuer that is a CA")
    _expect(usage is not None and usage.value.crl_sign, "an issuer with cRLSign")


def _check_signed(listed: CertificateList, issuer: x509.Certificate) -> None:
    verified = signature_verifies(point_of(issuer), listed.content.octets, listed.signature)
    _expect(verified, "its issuer's signature")


def _facts(content: TbsCertList, issuer: bytes) -> RevocationList:
    _expect(content.this_update < content.next_update, "nextUpdate after thisUpdate")
    return RevocationList(
        issuer_identity=issuer,
        issuer=str(content.issuer),
        number=content.number,
        this_update=content.this_update,
        next_update=content.next_update,
        revoked={entry.serial: entry.revoked_at for entry in content.revoked},
    )


def _identifier(certificate: x509.Certificate) -> bytes | None:
    extension = find_extension(certificate, x509.SubjectKeyIdentifier)
    return None if extension is None else extension.value.digest


def _name(certificate: x509.Certificate) -> bytes:
    return certificate.subject.public_bytes()


def _expect(holds: bool, expected: str) -> None:
    if not holds:
        raise CertificateUnfit(f"revocation list: expected {expected}")
