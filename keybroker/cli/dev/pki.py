"""What certificates does a development deployment need? An SMKI-like PKI for keys, and another one for TLS.

The first follows the certificate profile of handbook 3.2 (Organisation Certificate Policy): Root OCA, Issuing OCA,
Organisation Certificates with the Remote Party Role as OU and the EUI-64 as x500UniqueIdentifier. Every name carries
TEST. The second is ordinary X.509 for mutual TLS; nothing of one is trusted by the other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from keybroker.terms import EntityIdentifier, RemotePartyRole

TEST_POLICY_OID = "1.2.826.0.1.8641679.1.2.1.4"
"""Test arc of the Organisation Certificate Policy (handbook 3.2)."""

_YEAR = timedelta(days=365)
_UNUSED_BITS = b"\x00"
_BIT_STRING = _ASN1Type.BitString
_PRINTABLE = _ASN1Type.PrintableString


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate and the private key that signs under it."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Smki:
    """The Issuing OCA, and the certificate policy that its certificates name."""

    issuing: Authority
    policy_oid: str = TEST_POLICY_OID


def create_smki(*, not_before: datetime, policy_oid: str = TEST_POLICY_OID) -> tuple[x509.Certificate, Smki]:
    """Make Root (OU=00, 50 years) and Issuing OCA (OU=07, 25 years); the root's private key is not kept."""
    root_key, issuing_key = new_private_key(), new_private_key()
    root_name = _oca_name(RemotePartyRole.ROOT, "R1 TEST")
    issuing_name = _oca_name(RemotePartyRole.ISSUING_AUTHORITY, "I1 TEST")
    root_builder = _builder(root_name, root_name, root_key.public_key(), not_before, 50 * _YEAR, policy_oid)
    root = _sign_oca(root_builder, root_key, path_length=1)
    issuing_builder = _builder(root_name, issuing_name, issuing_key.public_key(), not_before, 25 * _YEAR, policy_oid)
    issuing = _sign_oca(
        issuing_builder.add_extension(_authority(root_key.public_key()), critical=False), root_key, path_length=0
    )
    return root, Smki(issuing=Authority(certificate=issuing, private_key=issuing_key), policy_oid=policy_oid)


def organisation_certificate(
    smki: Smki,
    public_key: ec.EllipticCurvePublicKey,
    *,
    role: RemotePartyRole,
    eui: EntityIdentifier,
    common_name: str,
    not_before: datetime,
    not_after: datetime | None = None,
) -> x509.Certificate:
    """An Organisation Certificate for digital signature, ten years unless ``not_after`` says more (handbook 3.2)."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.ou),
            x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, _UNUSED_BITS + eui.octets, _BIT_STRING),
        ]
    )
    lifetime = (not_after - not_before) if not_after else 10 * _YEAR
    issuing = smki.issuing
    builder = _builder(issuing.certificate.subject, subject, public_key, not_before, lifetime, smki.policy_oid)
    return (
        builder.add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(_authority(issuing.private_key.public_key()), critical=False)
        .sign(issuing.private_key, hashes.SHA256())
    )


def create_tls_authority(*, not_before: datetime) -> Authority:
    """The authority for TLS certificates of one development deployment."""
    key = new_private_key()
    name = _common_name("keybroker TLS TEST")
    certificate = (
        _tls_builder(name, name, key.public_key(), not_before)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
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


def new_private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8, unencrypted: for files of mode 0600 in a development directory, nothing else."""
    encoding, container = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, container, serialization.NoEncryption())


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def key_identifier(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Eight octets: 0100 and the low 60 bits of SHA-1 of the point (RFC 5280 §4.2.1.2 method 2)."""
    point = public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    low = hashlib.sha1(point, usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | low[0] & 0x0F]) + low[1:]


def _oca_name(role: RemotePartyRole, common_name: str) -> x509.Name:
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.ou)
    return x509.Name([unit, x509.NameAttribute(NameOID.COMMON_NAME, common_name, _PRINTABLE)])


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    lifetime: timedelta,
    policy_oid: str,
) -> x509.CertificateBuilder:
    policy = x509.PolicyInformation(ObjectIdentifier(policy_oid), None)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(_serial())
        .not_valid_before(not_before)
        .not_valid_after(not_before + lifetime)
        .add_extension(x509.CertificatePolicies([policy]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(key_identifier(public_key)), critical=False)
    )


def _sign_oca(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, path_length: int
) -> x509.Certificate:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _serial() -> int:
    """Sixteen octets, positive, and sixteen in DER too: the first is 0x40 to 0x7F."""
    octets = secrets.token_bytes(16)
    return int.from_bytes(bytes([0x40 | octets[0] & 0x3F]) + octets[1:])


def _authority(public_key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(key_identifier(public_key), None, None)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


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
        .serial_number(_serial())
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
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(_authority(authority.private_key.public_key()), critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )
