"""Which certificates does a development deployment need for mutual TLS? Ordinary X.509, no part of the SMKI."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from keybroker.cli.dev.pki import (
    Authority,
    authority_extension,
    key_identifier,
    key_usage,
    new_private_key,
)
from keybroker.client.certificates import new_serial_number

_YEAR = timedelta(days=365)


def create_tls_authority(*, not_before: datetime) -> Authority:
    """The authority for TLS certificates of one development deployment."""
    key = new_private_key()
    name = _common_name("keybroker TLS TEST")
    certificate = (
        _tls_builder(name, name, key.public_key(), not_before)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, private_key=key)


def tls_server_certificate(
    authority: Authority, public_key: ec.EllipticCurvePublicKey, *, not_before: datetime
) -> x509.Certificate:
    """For a broker on this machine: 127.0.0.1, ::1 and localhost."""
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    return _tls_end_entity(authority, public_key, "broker TEST", names, ExtendedKeyUsageOID.SERVER_AUTH, not_before)


def tls_client_certificate(
    authority: Authority, public_key: ec.EllipticCurvePublicKey, *, uri: str, not_before: datetime
) -> x509.Certificate:
    """For one caller, named by a SAN URI such as ``urn:keybroker:supplier-a:head-end``."""
    names = [x509.UniformResourceIdentifier(uri)]
    common_name = f"{uri.removeprefix('urn:keybroker:')} TEST"[:64]
    return _tls_end_entity(authority, public_key, common_name, names, ExtendedKeyUsageOID.CLIENT_AUTH, not_before)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _tls_builder(
    issuer: x509.Name, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, not_before: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(new_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + 2 * _YEAR)
        .add_extension(x509.SubjectKeyIdentifier(key_identifier(public_key)), critical=False)
    )


def _tls_end_entity(
    authority: Authority,
    public_key: ec.EllipticCurvePublicKey,
    common_name: str,
    names: Sequence[x509.GeneralName],
    usage: ObjectIdentifier,
    not_before: datetime,
) -> x509.Certificate:
    return (
        _tls_builder(authority.certificate.subject, _common_name(common_name), public_key, not_before)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(authority_extension(authority.private_key.public_key()), critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )
