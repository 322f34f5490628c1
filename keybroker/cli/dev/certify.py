"""``keybroker dev certify``: the stand-in of the authority, which certifies a request in a development deployment.

A live deployment's requests go to the SMKI. Here the test SMKI's own keys sign, in files: for rehearsals.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from keybroker.cli.dev import pki
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole


def certify(
    directory: Annotated[Path, typer.Argument(help="The development deployment.", file_okay=False)],
    request: Annotated[Path, typer.Argument(help="The request for a certificate, PEM.", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write certificate and issuer here, PEM.")],
) -> None:
    """Certify a request as the test SMKI would: an organisation's by the Issuing OCA, an Issuing OCA's by the Root."""
    asked = x509.load_pem_x509_csr(request.read_bytes())
    public_key = asked.public_key()
    if not asked.is_signature_valid or not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise ConfigurationInvalid("expected a request signed with a P-256 key, found another", where=str(request))
    not_before = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
    if _role(asked) is RemotePartyRole.ISSUING_AUTHORITY:
        chain = _authority(directory / "pki", public_key, not_before)
    else:
        chain = _organisation(directory / "pki", asked, public_key, not_before)
    output.write_bytes(pki.certificate_pem(*chain))


def _authority(
    directory: Path, public_key: ec.EllipticCurvePublicKey, not_before: datetime
) -> tuple[x509.Certificate, ...]:
    root = _private(directory / "root.key")
    builder = pki.issuing_builder(public_key, root.public_key(), not_before)
    return (pki.sign_oca(builder, root, path_length=0),)


def _organisation(
    directory: Path, asked: x509.CertificateSigningRequest, public_key: ec.EllipticCurvePublicKey, not_before: datetime
) -> tuple[x509.Certificate, ...]:
    issuing = x509.load_pem_x509_certificate((directory / "issuing.pem").read_bytes())
    authority = pki.Authority(certificate=issuing, private_key=_private(directory / "issuing.key"))
    names = asked.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    if not names:
        raise ConfigurationInvalid("expected an organisation's request, found one without its EUI")
    value = names[0].value
    eui = value if isinstance(value, bytes) else str(value).encode()
    certificate = pki.organisation_certificate(
        pki.Smki(issuing=authority),
        public_key,
        role=_role(asked),
        eui=EntityIdentifier(eui[-8:]),
        common_name="certified by dev TEST",
        not_before=not_before,
        usage=_usage(asked),
    )
    return certificate, issuing


def _role(asked: x509.CertificateSigningRequest) -> RemotePartyRole:
    (unit,) = asked.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return RemotePartyRole(int(str(unit.value), 16))


def _usage(asked: x509.CertificateSigningRequest) -> KeyUsage:
    usage = asked.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE).value
    agrees = isinstance(usage, x509.KeyUsage) and usage.key_agreement
    return KeyUsage.KEY_AGREEMENT if agrees else KeyUsage.DIGITAL_SIGNATURE


def _private(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationInvalid("expected a P-256 key", where=str(file))
    return key
