"""What do I send to have a certificate, a request or a revocation list signed? DER of the part that is signed.

For ``sign_certificate`` (TBSCertificate), ``sign_certificate_signing_request`` (CertificationRequestInfo) and
``sign_revocation_list`` (TBSCertList), in the form that a broker accepts: RFC 5280, RFC 2986, SMKI profile (handbook
3.2-3.4). What may be signed the broker says; nothing here decides it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from asn1crypto import core, crl, csr, keys, x509

from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole

ECDSA_WITH_SHA256 = "sha256_ecdsa"
_FIRST_GENERALIZED = 2050
_USAGES = {
    KeyUsage.DIGITAL_SIGNATURE: {"digital_signature"},
    KeyUsage.KEY_AGREEMENT: {"key_agreement"},
    KeyUsage.CERTIFICATE_SIGNING: {"key_cert_sign", "crl_sign"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """[CN], OU, x500UniqueIdentifier."""

    role: RemotePartyRole
    eui: EntityIdentifier
    common_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """OU, CN: OU 00 of the Root OCA, 07 of an Issuing OCA. The CN alone without a role: a TLS or Contingency key."""

    role: RemotePartyRole | None
    common_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA as its certificate states it: its name in DER, and its key identifier."""

    name: bytes
    key_identifier: bytes

    @classmethod
    def of(cls, certificate: bytes) -> Self:
        """The subject of a CA certificate in DER. Raises: ValueError for what is no such certificate."""
        held = x509.Certificate.load(certificate, strict=True)
        if not held.key_identifier:
            raise ValueError("expected a CA certificate with a subject key identifier, found one without")
        return cls(name=bytes(held.subject.dump()), key_identifier=bytes(held.key_identifier))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What every certificate says. ``public_key`` is an uncompressed point, 65 octets; ``serial`` as made by
    ``new_serial_number``; moments are aware, and to the second; ``policies`` are dotted.
    """

    public_key: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """An entry of a revocation list; ``reason`` as asn1crypto names it (``key_compromise``), None for none."""

    serial: int
    revoked_at: datetime
    reason: str | None = None


def new_serial_number() -> int:
    """A random positive number whose INTEGER has exactly 16 octets: its first octet is 0x40 to 0x7F."""
    return secrets.randbits(126) | 1 << 126


def organisation_certificate(certified: Certified, subject: Organisation, usage: KeyUsage, issuer: Issuer) -> bytes:
    """The TBSCertificate of an Organisation Certificate, for an Issuing OCA key."""
    extensions = [*_extensions(certified, usage), _authority_key_identifier(issuer)]
    return _tbs_certificate(certified, _subject(subject), _name_of(issuer), extensions)


def authority_certificate(certified: Certified, subject: Authority, issuer: Issuer, *, path_length: int) -> bytes:
    """The TBSCertificate of an OCA Certificate, for the Root OCA key."""
    constraints = _extension("basic_constraints", {"ca": True, "path_len_constraint": path_length}, critical=True)
    usage = _extensions(certified, KeyUsage.CERTIFICATE_SIGNING)
    extensions = [*usage, constraints, _authority_key_identifier(issuer)]
    return _tbs_certificate(certified, _subject(subject), _name_of(issuer), extensions)


def root_certificate(certified: Certified, subject: Authority, *, apex_oid: str, apex_contingency_key: bytes) -> bytes:
    """The TBSCertificate of the self-signed Root OCA Certificate; ``apex_contingency_key`` is DER (RFC 5934)."""
    extensions = [
        *_extensions(certified, KeyUsage.CERTIFICATE_SIGNING),
        _extension("basic_constraints", {"ca": True}, critical=True),
        x509.Extension({"extn_id": apex_oid, "extn_value": core.ParsableOctetString(apex_contingency_key)}),
    ]
    return _tbs_certificate(certified, _subject(subject), _subject(subject), extensions)


def certification_request_info(public_key: bytes, subject: Organisation | Authority, usage: KeyUsage) -> bytes:
    """The CertificationRequestInfo with which a key asks to be certified for ``usage``."""
    wanted = _extension("key_usage", x509.KeyUsage(_USAGES[usage]), critical=True)
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": _subject(subject),
            "subject_pk_info": _public_key(public_key),
            "attributes": [{"type": "extension_request", "values": [[wanted]]}],
        }
    )
    return bytes(info.dump())


def revocation_list(
    issuer: Issuer, *, number: int, this_update: datetime, next_update: datetime, revoked: Iterable[Revocation] = ()
) -> bytes:
    """The TBSCertList of an ARL or CRL: version 2, AKI and CRLNumber; entries in the order given."""
    entries = [_entry(each) for each in revoked]
    held = crl.TbsCertList(
        {
            "version": "v2",
            "signature": {"algorithm": ECDSA_WITH_SHA256},
            "issuer": _name_of(issuer),
            "this_update": _time(this_update),
            "next_update": _time(next_update),
            # An empty list of entries is left out, not written (RFC 5280 section 5.1.2.6).
            **({"revoked_certificates": entries} if entries else {}),
            "crl_extensions": [
                {
                    "extn_id": "authority_key_identifier",
                    "critical": False,
                    "extn_value": {"key_identifier": issuer.key_identifier},
                },
                {"extn_id": "crl_number", "critical": False, "extn_value": number},
            ],
        }
    )
    return bytes(held.dump())


def _tbs_certificate(
    certified: Certified, subject: x509.Name, issuer: x509.Name, extensions: list[x509.Extension]
) -> bytes:
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": certified.serial,
            "signature": {"algorithm": ECDSA_WITH_SHA256},
            "issuer": issuer,
            "validity": {"not_before": _time(certified.not_before), "not_after": _time(certified.not_after)},
            "subject": subject,
            "subject_public_key_info": _public_key(certified.public_key),
            "extensions": extensions,
        }
    )
    return bytes(tbs.dump())


def _extensions(certified: Certified, usage: KeyUsage) -> list[x509.Extension]:
    policies = [{"policy_identifier": policy} for policy in certified.policies]
    return [
        _extension("key_usage", x509.KeyUsage(_USAGES[usage]), critical=True),
        _extension("key_identifier", _key_identifier(certified.public_key), critical=False),
        _extension("certificate_policies", policies, critical=True),
    ]


def _authority_key_identifier(issuer: Issuer) -> x509.Extension:
    return _extension("authority_key_identifier", {"key_identifier": issuer.key_identifier}, critical=False)


def _extension(name: str, value: object, *, critical: bool) -> x509.Extension:
    return x509.Extension({"extn_id": name, "critical": critical, "extn_value": value})


def _key_identifier(point: bytes) -> bytes:
    """RFC 5280 section 4.2.1.2 method (2): 0100 and the last 60 bits of SHA-1 of the point. 8 octets."""
    last = hashlib.sha1(point, usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | last[0] & 0x0F]) + last[1:]


def _public_key(point: bytes) -> keys.PublicKeyInfo:
    algorithm = {"algorithm": "ec", "parameters": keys.ECDomainParameters("named", "secp256r1")}
    return keys.PublicKeyInfo({"algorithm": algorithm, "public_key": keys.ECPointBitString(point)})


def _subject(subject: Organisation | Authority) -> x509.Name:
    unit = [] if subject.role is None else [("organizational_unit_name", _text("utf8_string", subject.role.ou))]
    if isinstance(subject, Authority):
        return _name([*unit, ("common_name", _text("printable_string", subject.common_name))])
    named = [("common_name", _text("utf8_string", subject.common_name))] if subject.common_name else []
    return _name([*named, *unit, ("unique_identifier", core.OctetBitString(subject.eui.octets))])


def _text(form: str, text: str) -> x509.DirectoryString:
    return x509.DirectoryString(name=form, value=text)


def _name(attributes: list[tuple[str, core.Asn1Value]]) -> x509.Name:
    names = [
        x509.RelativeDistinguishedName([x509.NameTypeAndValue({"type": oid, "value": value})])
        for oid, value in attributes
    ]
    return x509.Name(name="", value=x509.RDNSequence(names))


def _name_of(issuer: Issuer) -> x509.Name:
    return x509.Name.load(issuer.name, strict=True)


def _time(moment: datetime) -> x509.Time:
    """UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5)."""
    whole = moment.replace(microsecond=0)
    return x509.Time("general_time" if moment.year >= _FIRST_GENERALIZED else "utc_time", whole)


def _entry(revocation: Revocation) -> crl.RevokedCertificate:
    reason = [{"extn_id": "crl_reason", "critical": False, "extn_value": revocation.reason}]
    return crl.RevokedCertificate(
        {
            "user_certificate": revocation.serial,
            "revocation_date": _time(revocation.revoked_at),
            **({"crl_entry_extensions": reason} if revocation.reason else {}),
        }
    )
