"""``keybroker ssc``: state that the Supply Sensitive Check was applied, or serve as a small check system."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.octets import read_octets
from keybroker.cli.options import File, Json
from keybroker.cli.output import show_json
from keybroker.cli.ssc_check import KINDS, NotConfirmed, Rule, read_asked, state_checked, stating
from keybroker.cli.ssc_rules import (
    load_rule,
    no_mass_disconnection,
    not_a_vulnerable_customer,
    read_devices,
    who_asked,
)
from keybroker.cli.ssc_server import Checks, TlsFiles, make_server
from keybroker.cli.stating import read_stater
from keybroker.terms import ContentKind, EntityIdentifier

Origin = Annotated[str, typer.Option(help="The broker's ledger, as its receipts name it.")]
Chain = Annotated[
    list[str],
    typer.Option(
        "--chain",
        help="Every system (party/system) from this check system to the broker, in order; its node's name last.",
    ),
]
StatingCertificate = Annotated[
    Path, typer.Option("--certificate", help="The check system's certificate, as the broker enrolled it.", exists=True)
]
StatingKey = Annotated[Path, typer.Option("--private-key", help="Its private key, PEM.", exists=True)]
Kind = Annotated[str, typer.Option("--kind", help="pre-command or service-request.")]
Variant = Annotated[str, typer.Option(help="The Service Reference Variant, where the octets may be of several.")]
ConfirmedBy = Annotated[str, typer.Option(help="Which person or rule confirmed that the effect on supply is intended.")]
ValidSeconds = Annotated[int, typer.Option(help="How long the statement may be used.", min=1, max=86_400)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The Supply Sensitive Check (SEC G3.25).", no_args_is_help=True)
    group.command("confirm")(confirm)
    group.command("serve")(serve)
    app.add_typer(group, name="ssc")


def confirm(
    file: File,
    origin: Origin,
    chain: Chain,
    certificate: StatingCertificate,
    private_key: StatingKey,
    confirmed_by: ConfirmedBy,
    kind: Kind = ContentKind.PRE_COMMAND,
    variant: Variant = "",
    valid_seconds: ValidSeconds = 300,
    as_json: Json = False,
) -> None:
    """Print a statement that what is in FILE was checked just now: for keybroker sign --check.

    Whoever calls this has applied the check; nothing here asks whether the effect on supply is intended.
    """
    state = _stating(origin, chain, certificate, private_key, valid_seconds)
    try:
        asked = read_asked(_kind(kind), read_octets(file), variant=variant, by="", at=datetime.now(UTC))
        statement = state_checked(asked, state, confirmed_by=confirmed_by)
    except NotConfirmed as refusal:
        raise _refused(refusal, as_json=as_json) from refusal
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        show_json({"statement": statement, "variant": asked.variant, "sensitivity": asked.sensitivity})
    else:
        print(statement)


def serve(
    origin: Origin,
    chain: Chain,
    certificate: StatingCertificate,
    private_key: StatingKey,
    asker: Annotated[list[str] | None, typer.Option(help="Who may ask; nobody where none is named.")] = None,
    vulnerable: Annotated[
        Path | None, typer.Option(help="Devices of vulnerable customers, one EUI-64 a line.", exists=True)
    ] = None,
    most_per_hour: Annotated[
        int, typer.Option(help="Confirmations within an hour that may take supply away.", min=0)
    ] = 10,
    rule: Annotated[list[str] | None, typer.Option(help="A rule of your own, package.module:function.")] = None,
    valid_seconds: ValidSeconds = 300,
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65_535)] = 0,
    tls_certificate: Annotated[Path | None, typer.Option(help="For mutual TLS: its certificate, PEM.")] = None,
    tls_private_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    tls_anchors: Annotated[Path | None, typer.Option(help="Authorities of those that may ask, PEM.")] = None,
) -> None:
    """A small check system on this machine alone (127.0.0.1), for trying out and as an example to write your own by."""
    own = [_rule(each) for each in rule or ()]
    devices = _devices(vulnerable)
    shown = [who_asked(asker or ()), not_a_vulnerable_customer(devices), *own, no_mass_disconnection(most_per_hour)]
    state = _stating(origin, chain, certificate, private_key, valid_seconds)
    tls = _tls(tls_certificate, tls_private_key, tls_anchors)
    with make_server(Checks(rules=shown, state=state), port=port, tls=tls) as server:
        scheme = "http" if tls is None else "https"
        print(f"{scheme}://127.0.0.1:{server.server_port}/check", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _stating(origin: str, chain: list[str], certificate: Path, private_key: Path, seconds: int) -> partial[str]:
    """Raises: BadParameter for files that are not a certificate and its P-256 key."""
    by = read_stater(certificate, private_key)
    return stating(origin=origin, chain=chain, certificate=by.certificate, private_key=by.sign, valid_seconds=seconds)


def _kind(kind: str) -> ContentKind:
    if kind not in KINDS:
        raise typer.BadParameter(f"expected {' or '.join(KINDS)}, found {kind}", param_hint="--kind")
    return ContentKind(kind)


def _rule(path: str) -> Rule:
    try:
        return load_rule(path)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rule") from error


def _devices(file: Path | None) -> frozenset[EntityIdentifier]:
    try:
        return read_devices(file) if file is not None else frozenset()
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--vulnerable") from error


def _tls(certificate: Path | None, private_key: Path | None, anchors: Path | None) -> TlsFiles | None:
    if certificate is None and private_key is None and anchors is None:
        return None
    if certificate is None or private_key is None or anchors is None:
        raise typer.BadParameter("expected --tls-certificate, --tls-private-key and --tls-anchors, or none of them")
    return TlsFiles(certificate=certificate, private_key=private_key, anchors=anchors)


def _refused(refusal: NotConfirmed, *, as_json: bool) -> typer.Exit:
    facts = {"reason": refusal.reason, "refusal": True, "sentence": refusal.sentence, "clause": "G3.25"}
    if as_json:
        show_json({"error": facts})
    else:
        print(f"refused: {refusal.reason}\n  {refusal.sentence}", file=sys.stderr)
    return typer.Exit(ExitStatus.REFUSED)
