"""``keybroker ledger verify``: is the ledger, or an evidence package, whole; what would today's rules refuse?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli import ledger_verify_package as of_package
from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.ledger_rejudge import rejudged, show, told
from keybroker.cli.options import Json
from keybroker.cli.output import console, show_facts, show_json
from keybroker.cli.progress import progress_of
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration, reading, witness_places
from keybroker.errors import LedgerBroken
from keybroker.ledger.audit import verify
from keybroker.ledger.cosignatures import check_cosignatures
from keybroker.ledger.model import Head

_OF_PACKAGES = "Of an evidence package"


def verify_all(
    package: Annotated[
        Path | None, typer.Argument(help="An evidence package instead, a directory or a .tar file.", exists=True)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar="KEYBROKER_CONFIG", help="The broker's keybroker.toml; a package needs none.",
            dir_okay=False,
        ),
    ] = None,
    with_token: Annotated[
        bool, typer.Option("--with-token", help="Compare with the head kept in the token too; asks for the PIN.")
    ] = False,
    rejudge: Annotated[
        bool,
        typer.Option(
            "--rejudge",
            help="Judge every use again by today's decoder and rules, and list what they refuse; a package always is.",
        ),
    ] = False,
    manifest_sha256: Annotated[
        str | None, typer.Option(help="The digest of the manifest, told by the exporter.", rich_help_panel=_OF_PACKAGES)
    ] = None,
    checkpoint_key: Annotated[
        list[str] | None, typer.Option(help="NAME+ID+KEY; repeatable.", rich_help_panel=_OF_PACKAGES)
    ] = None,
    receipt: Annotated[
        list[str] | None, typer.Option(help="INDEX:HEX; repeatable.", rich_help_panel=_OF_PACKAGES)
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Recompute every record, signature, the tree and the tables, and name the first thing wrong. Writes nothing.

    Cosignatures are verified under the keys of the witnesses that are configured. Of a PACKAGE the verifier of this
    version says what is wrong, and every use is judged again.

    Exit status 0 when the ledger is whole, 3 when it is broken, 1 when a use would be refused today.
    Without --with-token an older database file put back whole is not noticed.
    """
    if package is not None:
        if with_token:
            raise typer.BadParameter("a package is compared with no token", param_hint="--with-token")
        held = of_package.Held(manifest_sha256=manifest_sha256, keys=checkpoint_key or (), receipts=receipt or ())
        of_package.verify_package(package, held, as_json=as_json)
        return
    if manifest_sha256 or checkpoint_key or receipt:
        raise typer.BadParameter("expected with them an evidence package", param_hint="PACKAGE")
    if config is None:
        raise typer.BadParameter("expected an evidence package, or --config", param_hint="PACKAGE")
    _verify_ledger(read_configuration(config), with_token=with_token, rejudge=rejudge, as_json=as_json)


def _verify_ledger(configuration: Configuration, *, with_token: bool, rejudge: bool, as_json: bool) -> None:
    anchor = _kept_in_token(configuration) if with_token else None
    with reading(configuration) as ledger, progress_of("recomputing the ledger", "records") as progress:
        verified = verify(ledger, configuration.clock.now(), anchor=anchor, progress=progress)
        cosigned = check_cosignatures(ledger, [place.key for place in witness_places(configuration)])
        again = rejudged(configuration, ledger, progress) if rejudge else None
    facts = {**_facts(verified), "cosignatures": cosigned}
    if as_json:
        more = {} if again is None else {"rejudged": told(again)}
        show_json({"whole": True, "compared_with_token": anchor is not None, **facts, **more})
    else:
        console().print("whole and consistent", style="bold green")
        compared = "yes" if anchor is not None else "no (--with-token)"
        show_facts({**facts, "compared with token": compared})
        if again is not None:
            show(again)
    if again is not None and again.refused:
        raise typer.Exit(ExitStatus.REFUSED)


def _kept_in_token(configuration: Configuration) -> Head:
    with opened_token(configuration) as token:
        anchor = token.read_anchor()
    if anchor is None:
        raise LedgerBroken("expected the ledger's head in the token, found none")
    return anchor


def _facts(verified: object) -> dict[str, object]:
    names = ("origin", "deployment", "tree_size", "root_hash", "kinds", "signatures", "open_intents", "aged")
    return {name: getattr(verified, name) for name in names}
