"""``keybroker explain``: what would the broker say to this, rule by rule? Verbs for other uses take ``--explain``."""

from __future__ import annotations

import typer

from keybroker.cli.asking import explain_and_show
from keybroker.cli.connection import open_broker
from keybroker.cli.options import (
    Anchors,
    Certificate,
    File,
    Json,
    KeyName,
    OriginatorCertificates,
    PrivateKey,
    Target,
)
from keybroker.cli.sign import (
    Checks,
    DeclaredKind,
    HandshakeForm,
    Kind,
    ServiceRequest,
    SignerCertificates,
    SigningRequestFile,
    to_be_signed,
)


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
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
    as_json: Json = False,
) -> None:
    """Decode, decide and look at the gates without touching the key; show every rule with its clause.

    Exit status 0 when it would be signed, 1 when it would be refused. For MACs, decryption, prepayment tokens and
    SMETS1: --explain at their own commands.
    """
    beside = (service_request, signer_certificate, csr, originator_certificate, check)
    request = to_be_signed(file, kind, handshake, beside, key=key)
    with open_broker(target, certificate, private_key, anchors) as broker:
        explain_and_show(broker, request, as_json=as_json, would="be signed")
