"""How does a person's certificate look? P-256 that signs, by itself; RSA-3072 that receives, by the person's own key.

So whoever trusts the signing certificate, which was enrolled, sees whose the receiving one is (RFC 5280). A test
person's name says TEST. Pure: the signature is made elsewhere, over ``to_be_signed``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import algos, core, keys, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from keybroker.ceremony.cms_form import unfit
from keybroker.ceremony.enveloped_data import receiving_key_of
from keybroker.statement.attester import public_key_of

Draw = Callable[[int], bytes]
_SERIAL_OCTETS = 16
_ECDSA = {"algorithm": "sha256_ecdsa"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose certificate it is, and from when until when."""

    name: str
    since: datetime
    until: datetime


def signing_certificate(holder: Holder, point: bytes, draw: Draw) -> x509.TbsCertificate:
    """What the new signing key (its public point, 65 octets) signs of itself."""
    name = _name(holder.name)
    key = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "ec", "parameters": keys.ECDomainParameters(("named", "secp256r1"))},
            "public_key": keys.ECPointBitString(point),
        }
    )
    return _to_be_signed(holder, name, name, key, {"digital_signature"}, draw)


def receiving_certificate(
    holder: Holder, numbers: tuple[int, int], signing_certificate_der: bytes, draw: Draw
) -> x509.TbsCertificate:
    """What the person's signing key signs of a new receiving key; ``numbers``: modulus and public exponent."""
    modulus, exponent = numbers
    key = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsa"},
            "public_key": keys.RSAPublicKey({"modulus": modulus, "public_exponent": exponent}),
        }
    )
    issuer = x509.Certificate.load(signing_certificate_der).subject
    return _to_be_signed(holder, _name(f"{holder.name} receives"), issuer, key, {"key_encipherment"}, draw)


def signed(to_be_signed: x509.TbsCertificate, signature_der: bytes) -> bytes:
    """The certificate in DER."""
    whole = {"tbs_certificate": to_be_signed, "signature_algorithm": _ECDSA, "signature_value": signature_der}
    return bytes(x509.Certificate(whole).dump())


def check_receiving(certificate: bytes, signing_certificate_der: bytes) -> None:
    """Is this the receiving certificate of whoever holds the signing certificate? Raises: CmsUnfit."""
    receiving_key_of(certificate)
    loaded = load_der_x509_certificate(certificate)
    try:
        public_key_of(signing_certificate_der).verify(loaded.signature, loaded.tbs_certificate_bytes, ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise unfit("a receiving certificate signed by its holder's own signing key", "another") from error


def _to_be_signed(
    holder: Holder, subject: x509.Name, issuer: x509.Name, key: keys.PublicKeyInfo, usage: set[str], draw: Draw
) -> x509.TbsCertificate:
    # The first octet is 0x40 to 0x7F, so that the number is positive and has exactly 16 octets.
    serial = int.from_bytes(draw(_SERIAL_OCTETS), "big") & (1 << 126) - 1 | 1 << 126
    return x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial,
            "signature": algos.SignedDigestAlgorithm(_ECDSA),
            "issuer": issuer,
            "validity": {"not_before": _time(holder.since), "not_after": _time(holder.until)},
            "subject": subject,
            "subject_public_key_info": key,
            "extensions": [
                {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
                {"extn_id": "key_usage", "critical": True, "extn_value": usage},
            ],
        }
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name.build({"common_name": common_name})


def _time(moment: datetime) -> x509.Time:
    whole = moment.replace(microsecond=0)
    name = "utc_time" if whole.year < 2050 else "general_time"
    return x509.Time({name: core.UTCTime(whole) if name == "utc_time" else core.GeneralizedTime(whole)})
