"""Who are the Devices of a development deployment? Their private keys lie in files, so that a test can play them.

Device Certificates: handbook 3.2 (empty subject; the EUI-64 as hardwareModuleName; valid until the end of time).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier

from keybroker.cli.dev.pki import (
    Authority,
    authority_extension,
    key_identifier,
    key_usage,
    new_private_key,
    usage_extension,
)
from keybroker.client.certificates import new_serial_number
from keybroker.terms import EntityIdentifier, KeyUsage

DEVICE_POLICY_OID = "1.2.826.0.1.8641679.1.2.1.1"
"""RECALLED (handbook 3.2): the Device Certificate Policy."""
_HARDWARE_MODULE_NAME = ObjectIdentifier("1.3.6.1.5.5.7.8.4")
# RFC 4108 section 5: hwType, here the arc for examples (2.999.1).
_HARDWARE_TYPE = bytes.fromhex("0603883701")
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST", _ASN1Type.PrintableString)])


def create_device_authority(*, not_before: datetime) -> Authority:
    """The root that certifies Devices by itself; its name has four characters, as the real ones' have."""
    key = new_private_key()
    certificate = (
        _builder(key.public_key(), _NAME, not_before, not_before + timedelta(days=50 * 365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, private_key=key)


def device_certificate(
    authority: Authority,
    public_key: ec.EllipticCurvePublicKey,
    *,
    eui: EntityIdentifier,
    usage: KeyUsage,
    not_before: datetime,
) -> x509.Certificate:
    """A Device Certificate for digitalSignature or keyAgreement."""
    name = b"\x30" + bytes([len(_HARDWARE_TYPE) + 10]) + _HARDWARE_TYPE + b"\x04\x08" + eui.octets
    alternative = x509.SubjectAlternativeName([x509.OtherName(_HARDWARE_MODULE_NAME, name)])
    return (
        _builder(public_key, x509.Name([]), not_before, _END_OF_TIME)
        .add_extension(usage_extension(usage), critical=True)
        .add_extension(alternative, critical=True)
        .add_extension(authority_extension(authority.private_key.public_key()), critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )


def _builder(
    public_key: ec.EllipticCurvePublicKey, subject: x509.Name, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    policy = x509.PolicyInformation(ObjectIdentifier(DEVICE_POLICY_OID), None)
    return (
        x509.CertificateBuilder()
        .issuer_name(_NAME)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(new_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.CertificatePolicies([policy]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(key_identifier(public_key)), critical=False)
    )
