"""``keybroker smets1``: protect an instruction for a SMETS1 Device, open what it answers."""

from __future__ import annotations

from typing import Annotated

import typer

from keybroker.cli.asking import process_or_explain
from keybroker.cli.connection import open_broker
from keybroker.cli.octets import check_writable, read_octets
from keybroker.cli.options import (
    Anchors,
    Certificate,
    ExplainOnly,
    File,
    Json,
    KeyName,
    Output,
    PrivateKey,
    RequestId,
    Target,
    eui,
)
from keybroker.cli.output import show_facts, show_json
from keybroker.client import SigningRequest
from keybroker.terms import ContentKind

Device = Annotated[str, typer.Option(help="The Device's EUI-64.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Instructions to SMETS1 Devices and their answers.", no_args_is_help=True)
    group.command("protect")(protect)
    group.command("open")(open_response)
    group.command("begin")(begin)
    group.command("end")(end)
    app.add_typer(group, name="smets1")


def protect(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device: Device,
    output: Output = None,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Protect the xDLMS APDU in FILE under a SMETS1 Symmetric Key, with the next invocation counter."""
    request = _request(ContentKind.SMETS1_INSTRUCTION, key, read_octets(file), device, request_id)
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        process_or_explain(broker, request, output, named="protected instruction", explain=explain, as_json=as_json)


def open_response(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device: Device,
    output: Output = None,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Open the protected APDU in FILE. Exit status 1 where its tag is not right."""
    request = _request(ContentKind.SMETS1_RESPONSE, key, read_octets(file), device, request_id)
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        process_or_explain(
            broker, request, output, named="opened response", explain=explain, as_json=as_json, private=True
        )


def begin(
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device: Device,
    handshake: Annotated[
        int, typer.Option(help="The record of our signature in the handshake, as its receipt says.", min=0)
    ],
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """Have a key made for one TLS session with a SMETS1 Device, for an s1sp-smets1 KEY; says its label."""
    named = eui(device, "--device")
    with open_broker(target, certificate, private_key, anchors) as broker:
        session = broker.begin_smets1_session(key=key, device=named, handshake_record=handshake, request_id=request_id)
    if as_json:
        show_json(session)
        return
    show_facts(
        {
            "key": session.key,
            "until": session.until.isoformat(),
            "request id": session.request_id,
            "record": session.receipt.leaf_index,
            "given again": session.given_again,
        }
    )


def end(
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """End a session: its key (the label that begin said) is destroyed, and that is recorded."""
    with open_broker(target, certificate, private_key, anchors) as broker:
        receipt = broker.end_smets1_session(key=key, request_id=request_id)
    if as_json:
        show_json({"key": key, "receipt": receipt})
    else:
        show_facts({"key": key, "destroyed, says record": receipt.leaf_index})


def _request(kind: ContentKind, key: str, octets: bytes, device: str, request_id: str | None) -> SigningRequest:
    named = eui(device, "--device")
    return SigningRequest(kind=kind, key=key, octets=octets, request_id=request_id, device=named)
