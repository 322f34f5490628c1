"""``keybroker sign``: have one Pre-Command or Command signed."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.connection import open_broker
from keybroker.cli.options import Anchors, Certificate, Json, PrivateKey, Target
from keybroker.cli.output import show_facts, show_json
from keybroker.terms import ContentKind


class Kind(StrEnum):
    """The kinds that the API signs."""

    PRE_COMMAND = ContentKind.PRE_COMMAND
    COMMAND = ContentKind.COMMAND


KeyName = Annotated[str, typer.Option("--key", "-k", help="The key's label in the register.")]
File = Annotated[
    Path,
    typer.Argument(help="The GBCS message: its octets, or the same as hexadecimal text.", exists=True, dir_okay=False),
]
DeclaredKind = Annotated[Kind, typer.Option("--kind", help="What the file is; never guessed.")]


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
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the signed message here.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Ask again under the same name as before.")] = None,
    as_json: Json = False,
) -> None:
    """Sign a Pre-Command (or a Command) and show the signature and its receipt."""
    octets = read_message(file)
    if output is not None:
        _check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        ask = broker.sign_pre_command if kind is Kind.PRE_COMMAND else broker.sign_command
        signed = ask(key=key, octets=octets, request_id=request_id)
    if output is not None:
        output.write_bytes(signed.octets)
    if as_json:
        show_json(signed)
        return
    show_facts(
        {
            "signed message": output or signed.octets,
            "signature": signed.signature,
            "request id": signed.request_id,
            "ledger": signed.receipt.origin,
            "record": signed.receipt.leaf_index,
            "leaf hash": signed.receipt.leaf_hash,
            "given again": signed.given_again,
            "counter used before": signed.counter_reused,
        }
    )


def _check_writable(output: Path) -> None:
    """Before the key is used: a place that cannot be written should not cost a signature."""
    existing = output if output.exists() else output.parent
    if output.is_dir() or not os.access(existing, os.W_OK):
        raise typer.BadParameter(f"expected a file that can be written, found {output}", param_hint="--output")


def read_message(file: Path) -> bytes:
    """A message begins with 0xDF, which is no text: anything of hexadecimal digits and white space is read as such."""
    octets = file.read_bytes()
    try:
        return bytes.fromhex(octets.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return octets
