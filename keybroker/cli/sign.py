"""``keybroker sign``: have a message, a certificate, a list, a request, a DUIS message or a handshake signed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.asking import sign_and_show
from keybroker.cli.connection import open_broker
from keybroker.cli.octets import check_writable, read_der, read_octets
from keybroker.cli.options import (
    Anchors,
    Certificate,
    File,
    Json,
    KeyName,
    OriginatorCertificates,
    Output,
    PrivateKey,
    RequestId,
    Target,
)
from keybroker.client import (
    HandshakeRequest,
    Request,
    SigningRequest,
    Tls12CertificateVerify,
    Tls12ServerKeyExchange,
    Tls13CertificateVerify,
    TlsRole,
)
from keybroker.terms import ContentKind


class Kind(StrEnum):
    """The kinds that the API signs."""

    PRE_COMMAND = ContentKind.PRE_COMMAND
    COMMAND = ContentKind.COMMAND
    CERTIFICATE = ContentKind.CERTIFICATE
    CERTIFICATE_REVOCATION_LIST = ContentKind.CERTIFICATE_REVOCATION_LIST
    CERTIFICATE_SIGNING_REQUEST = ContentKind.CERTIFICATE_SIGNING_REQUEST
    SERVICE_REQUEST = ContentKind.SERVICE_REQUEST
    TLS_HANDSHAKE = ContentKind.TLS_HANDSHAKE


class Handshake(StrEnum):
    """What the file of a TLS handshake holds: transcript hash, both randoms and params, or all handshake messages."""

    TLS13_CLIENT = "tls13-client"
    TLS13_SERVER = "tls13-server"
    TLS12_SERVER_KEY_EXCHANGE = "tls12-server-key-exchange"
    TLS12_CERTIFICATE_VERIFY = "tls12-certificate-verify"


DeclaredKind = Annotated[Kind, typer.Option("--kind", help="What the file is; never guessed.")]
ServiceRequest = Annotated[
    Path | None, typer.Option(help="The signed DUIS XML that gave rise to a Pre-Command or Command.", exists=True)
]
SignerCertificates = Annotated[
    list[Path] | None,
    typer.Option(
        "--signer-certificate", help="The certificate behind that XML's signature, then its issuers.", exists=True
    ),
]
SigningRequestFile = Annotated[
    Path | None, typer.Option("--csr", help="For a certificate: the PKCS#10 request of its subject.", exists=True)
]
Checks = Annotated[
    list[Path] | None,
    typer.Option(
        "--check", help="A Supply Sensitive Check's statement, as keybroker ssc confirm prints it.", exists=True
    ),
]
HandshakeForm = Annotated[Handshake | None, typer.Option("--handshake", help="For a TLS handshake: what the file is.")]


def register(app: typer.Typer) -> None:
    app.command("sign")(sign)


def sign(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    kind: DeclaredKind = Kind.PRE_COMMAND,
    service_request: ServiceRequest = None,
    signer_certificate: SignerCertificates = None,
    csr: SigningRequestFile = None,
    originator_certificate: OriginatorCertificates = None,
    check: Checks = None,
    handshake: HandshakeForm = None,
    output: Output = None,
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """Sign what is in FILE and show the signature and its receipt."""
    beside = (service_request, signer_certificate, csr, originator_certificate, check)
    request = to_be_signed(file, kind, handshake, beside, key=key, request_id=request_id)
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        sign_and_show(broker, request, output, as_json=as_json)


Beside = tuple[Path | None, Sequence[Path] | None, Path | None, Sequence[Path] | None, Sequence[Path] | None]
"""Service Request, signer's certificates, signing request, originator's certificates, checks."""


def to_be_signed(
    file: Path, kind: Kind, handshake: Handshake | None, beside: Beside, *, key: str, request_id: str | None = None
) -> Request:
    """What the command line asks. Raises: BadParameter for what the kind has no place for."""
    if (kind is Kind.TLS_HANDSHAKE) is (handshake is None):
        raise typer.BadParameter("expected with --kind tls-handshake, and only there", param_hint="--handshake")
    octets = read_octets(file)
    if handshake is not None:
        return HandshakeRequest(key=key, content=_handshake(handshake, octets), request_id=request_id)
    service_request, signers, csr, originators, checks = beside
    request = SigningRequest(
        kind=ContentKind(kind),
        key=key,
        octets=octets,
        request_id=request_id,
        service_request=b"" if service_request is None else service_request.read_bytes(),
        signer_certificates=read_der(signers or ()),
        certificate_signing_request=b"" if csr is None else b"".join(read_der([csr])),
        originator_certificates=read_der(originators or ()),
        supply_sensitive_checks=tuple(
            each.read_text(encoding="ascii", errors="replace").strip() for each in checks or ()
        ),
    )
    try:
        request.item("")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return request


def _handshake(
    form: Handshake, octets: bytes
) -> Tls13CertificateVerify | Tls12ServerKeyExchange | Tls12CertificateVerify:
    match form:
        case Handshake.TLS13_CLIENT:
            return Tls13CertificateVerify(role=TlsRole.CLIENT, transcript_hash=octets)
        case Handshake.TLS13_SERVER:
            return Tls13CertificateVerify(role=TlsRole.SERVER, transcript_hash=octets)
        case Handshake.TLS12_SERVER_KEY_EXCHANGE:
            return Tls12ServerKeyExchange(client_random=octets[:32], server_random=octets[32:64], params=octets[64:])
        case Handshake.TLS12_CERTIFICATE_VERIFY:
            return Tls12CertificateVerify(handshake_messages=octets)
