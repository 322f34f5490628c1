"""``keybroker prepayment-token``: a prepayment token of so many pence or pounds, for a Device."""

from __future__ import annotations

from typing import Annotated

import typer

from keybroker.cli.asking import explain_and_show
from keybroker.cli.connection import open_broker
from keybroker.cli.octets import read_der
from keybroker.cli.options import (
    Anchors,
    Certificate,
    DeviceCertificates,
    ExplainOnly,
    Json,
    KeyName,
    PrivateKey,
    RequestId,
    Target,
    eui,
)
from keybroker.cli.output import show_facts, show_json
from keybroker.client import PrepaymentToken, TopUpRequest
from keybroker.client.replies import as_token


def register(app: typer.Typer) -> None:
    app.command("prepayment-token")(prepayment_token)


def prepayment_token(
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    device_certificate: DeviceCertificates,
    originator: Annotated[str, typer.Option(help="The Supplier's EUI-64.")],
    device: Annotated[str, typer.Option(help="The Device's EUI-64.")],
    counter: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Originator Counter; its low 32 bits are zero.")],
    pence: Annotated[int | None, typer.Option(min=0, max=0xFFFF, help="The amount; or --pounds.")] = None,
    pounds: Annotated[int | None, typer.Option(min=0, max=0xFFFF, help="The amount; or --pence.")] = None,
    request_id: RequestId = None,
    explain: ExplainOnly = False,
    as_json: Json = False,
) -> None:
    """Make a prepayment token and show it as the customer types it (UTRN), in decimal (PPTD) and as a number (PTUT)."""
    if (pence is None) is (pounds is None):
        raise typer.BadParameter("expected one of --pence and --pounds", param_hint="--pence")
    request = TopUpRequest(
        key=key,
        originator=eui(originator, "--originator"),
        device=eui(device, "--device"),
        counter=counter,
        pence=pence,
        pounds=pounds,
        device_certificates=read_der(device_certificate),
        request_id=request_id,
    )
    with open_broker(target, certificate, private_key, anchors) as broker:
        if explain:
            explain_and_show(broker, request, as_json=as_json)
            return
        token = as_token(broker.send(request))
    if as_json:
        # In JSON a number of 64 bits is text: few readers keep all its digits.
        show_json({**_facts(token), "receipt": token.receipt, "given_again": token.given_again})
        return
    show_facts({**_facts(token), "record": token.receipt.leaf_index, "given again": token.given_again})


def _facts(token: PrepaymentToken) -> dict[str, object]:
    return {"utrn": token.utrn, "pptd": token.pptd, "ptut": str(token.ptut), "request_id": token.request_id}
