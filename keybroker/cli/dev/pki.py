"""What certificates does a development deployment need? An SMKI-like PKI for keys; ``tls_pki`` is another one for TLS.

It follows the certificate profile of handbook 3.2 (Organisation Certificate Policy): Root OCA, Issuing OCA,
Organisation Certificates with the Remote Party Role as OU and the EUI-64 as x500UniqueIdentifier. Every name carries
TEST. ``device_pki`` has Devices and who certifies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier

from keybroker.client.certificates import new_serial_number
from keybroker.content.public_key import public_key_identifier
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole

TEST_POLICY_OID = "1.2.826.0.1.8641679.1.2.1.4"
"""Test arc of the Organisation Certificate Policy (handbook 3.2)."""

ROOT_NAME, ISSUING_NAME = "R1 TEST", "I1 TEST"
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
    root: Authority | None = None
    """None where the Root's private key was not kept."""
    policy_oid: str = TEST_POLICY_OID
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    """The ARL of the Root and the CRL of the Issuing OCA, both empty."""


def create_smki(*, not_before: datetime, policy_oid: str = TEST_POLICY_OID) -> tuple[x509.Certificate, Smki]:
    """Make Root (OU=00, 50 years) and Issuing OCA (OU=07, 25 years)."""
    root_key, issuing_key = new_private_key(), new_private_key()
    root = sign_oca(root_builder(root_key.public_key(), not_before, policy_oid), root_key, path_length=1)
    below = issuing_builder(issuing_key.public_key(), root_key.public_key(), not_before, policy_oid)
    issuing = sign_oca(below, root_key, path_length=0)
    lists = tuple(
        revocation_list(Authority(certificate=certificate, private_key=key), number=1, this_update=not_before)
        for certificate, key in ((root, root_key), (issuing, issuing_key))
    )
    return root, Smki(
        issuing=Authority(certificate=issuing, private_key=issuing_key),
        root=Authority(certificate=root, private_key=root_key),
        policy_oid=policy_oid,
        lists=lists,
    )


def root_builder(
    public_key: ec.EllipticCurvePublicKey, not_before: datetime, policy_oid: str = TEST_POLICY_OID
) -> x509.CertificateBuilder:
    """The Root OCA Certificate but for what ``sign_oca`` adds."""
    name = _oca_name(RemotePartyRole.ROOT, ROOT_NAME)
    return _builder(name, name, public_key, not_before, 50 * _YEAR, policy_oid)


def issuing_builder(
    public_key: ec.EllipticCurvePublicKey,
    root: ec.EllipticCurvePublicKey,
    not_before: datetime,
    policy_oid: str = TEST_POLICY_OID,
) -> x509.CertificateBuilder:
    """The Issuing OCA Certificate but for what ``sign_oca`` adds."""
    names = _oca_name(RemotePartyRole.ROOT, ROOT_NAME), _oca_name(RemotePartyRole.ISSUING_AUTHORITY, ISSUING_NAME)
    builder = _builder(*names, public_key, not_before, 25 * _YEAR, policy_oid)
    return builder.add_extension(authority_extension(root), critical=False)


def revocation_list(
    issuer: Authority,
    *,
    number: int,
    this_update: datetime,
    revoked: Sequence[int] = (),
    lifetime: timedelta = 10 * _YEAR,
) -> x509.CertificateRevocationList:
    """An ARL or CRL of a development authority, which nobody issues anew: it is current for ten years."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(this_update + lifetime)
        .add_extension(authority_extension(issuer.private_key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.private_key, hashes.SHA256())


def organisation_certificate(
    smki: Smki,
    public_key: ec.EllipticCurvePublicKey,
    *,
    role: RemotePartyRole,
    eui: EntityIdentifier,
    common_name: str,
    not_before: datetime,
    not_after: datetime | None = None,
    usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE,
) -> x509.Certificate:
    """An Organisation Certificate, ten years unless ``not_after`` says more (handbook 3.2).

    ``usage`` is digitalSignature or keyAgreement.
    """
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
        builder.add_extension(usage_extension(usage), critical=True)
        .add_extension(authority_extension(issuing.private_key.public_key()), critical=False)
        .sign(issuing.private_key, hashes.SHA256())
    )


def new_private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8, unencrypted: for files of mode 0600 in a development directory, nothing else."""
    encoding, container = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, container, serialization.NoEncryption())


def private_scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    """32 octets."""
    return key.private_numbers().private_value.to_bytes(32)


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def key_identifier(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Eight octets: 0100 and the low 60 bits of SHA-1 of the point (RFC 5280 §4.2.1.2 method 2)."""
    point = public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return public_key_identifier(point)


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
        .serial_number(new_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + lifetime)
        .add_extension(x509.CertificatePolicies([policy]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(key_identifier(public_key)), critical=False)
    )


def sign_oca(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, path_length: int
) -> x509.Certificate:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def authority_extension(public_key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(key_identifier(public_key), None, None)


def usage_extension(usage: KeyUsage) -> x509.KeyUsage:
    return key_usage(
        digital_signature=usage is KeyUsage.DIGITAL_SIGNATURE, key_agreement=usage is KeyUsage.KEY_AGREEMENT
    )


def key_usage(
    *,
    digital_signature: bool = False,
    key_agreement: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=key_agreement,
        encipher_only=False,
        decipher_only=False,
    )
