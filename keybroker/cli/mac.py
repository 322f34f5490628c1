"""``keybroker mac``, ``check`` and ``decrypt``: Key Agreement keys on Commands and Responses."""

from __future__ import annotations

from pathlib import Path

import typer

from keybroker.cli.asking import process_or_explain
from keybroker.cli.connection import open_broker
from keybroker.cli.octets import check_writable, read_der, read_octets
from keybroker.cli.options import (
    Anchors,
    Certificate,
    DeviceCertificates,
    ExplainOnly,
    File,
    Json,
    KeyName,
    OriginatorCertificates,
    Output,
    PrivateKey,
    RequestId,
    Target,
)
from keybroker.client import SigningRequest
from keybroker.terms import ContentKind


def register(app: typer.Typer) -> None:
    app.command("mac")(mac)
    app.command("check")(check)
    app.command("decrypt")(decrypt)


def mac(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device_certificate: DeviceCertificates,
    originator_certificate: OriginatorCertificates = None,
    output: Output = None,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Put the Access Control Broker's MAC on a Command: FILE is its inner part, from 0xDF through its signature."""
    request = SigningRequest(
        kind=ContentKind.COMMAND_BEFORE_MAC,
        key=key,
        octets=read_octets(file),
        request_id=request_id,
        device_certificates=read_der(device_certificate),
        originator_certificates=read_der(originator_certificate or ()),
    )
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        process_or_explain(broker, request, output, named="command", explain=explain, as_json=as_json)


def check(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device_certificate: DeviceCertificates,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Check the MAC of a Response or Alert. Exit status 0 when it is right, 1 when it is not."""
    request = _from_device(ContentKind.PROTECTED_RESPONSE, file, device_certificate, key, request_id)
    with open_broker(target, certificate, private_key, anchors) as broker:
        process_or_explain(broker, request, named="MAC", explain=explain, as_json=as_json)


def decrypt(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device_certificate: DeviceCertificates,
    output: Output = None,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Decipher what is encrypted in a Response or Alert; several items go to OUTPUT.1, OUTPUT.2 and so on."""
    request = _from_device(ContentKind.ENCRYPTED_RESPONSE, file, device_certificate, key, request_id)
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        process_or_explain(broker, request, output, named="plaintexts", explain=explain, as_json=as_json, private=True)


def _from_device(
    kind: ContentKind, file: Path, certificates: list[Path], key: str, request_id: str | None
) -> SigningRequest:
    return SigningRequest(
        kind=kind,
        key=key,
        octets=read_octets(file),
        request_id=request_id,
        device_certificates=read_der(certificates),
    )
