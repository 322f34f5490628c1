"""``keybroker witness``: remember a ledger from another machine, cosign what extends it, shout at what does not."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.options import Json
from keybroker.cli.output import console, show_facts, show_json
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.note_keys import write_vkey
from keybroker.witness.book import Book
from keybroker.witness.settings import SETTINGS, make_key, public_of, read_key, read_settings, write_settings

Directory = Annotated[
    Path, typer.Option("--directory", help="The witness's own: settings, key, what it cosigned, evidence.")
]
Place = Annotated[str, typer.Option(help="host:port; an IPv6 address in brackets.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="A witness of a ledger, on another machine.", no_args_is_help=True)
    group.command("init")(init)
    group.command("run")(run)
    group.command("show")(show)
    app.add_typer(group, name="witness")


def init(
    directory: Directory,
    name: Annotated[str, typer.Option(help="The witness's name: a URL without scheme, such as witness.example/w1.")],
    origin: Annotated[str, typer.Option(help="The ledger's origin, as its checkpoints name it.")],
    ledger_key: Annotated[
        list[str],
        typer.Option("--ledger-key", help="Verifier key of the ledger's audit-checkpoint key; once for each."),
    ],
    listen: Place,
    silence_seconds: Annotated[float, typer.Option(help="Without a checkpoint for so long, it shouts.")],
    clock_seconds: Annotated[float, typer.Option(help="By how much the broker's clock may differ from this one.")],
    metrics: Annotated[str | None, typer.Option(help="host:port of its metrics; none where not given.")] = None,
    certificate: Annotated[str | None, typer.Option(help="For HTTPS: PEM file, relative to the directory.")] = None,
    private_key: Annotated[str | None, typer.Option(help="Its private key, PEM.")] = None,
    as_json: Json = False,
) -> None:
    """Make a witness: its key (key.pem, yours alone) and witness.toml. What is there is not written over."""
    if (certificate is None) != (private_key is None):
        raise typer.BadParameter("expected --certificate and --private-key, or neither")
    if (directory / SETTINGS).exists():
        raise ConfigurationInvalid("is there already: make another witness elsewhere", where=str(directory / SETTINGS))
    told: dict[str, object] = {
        "name": name,
        "listen": listen,
        "silence_seconds": silence_seconds,
        "clock_seconds": clock_seconds,
        "ledger": {"origin": origin, "vkeys": ledger_key},
    }
    told |= {"metrics": metrics} if metrics is not None else {}
    told |= {"tls": {"certificate": certificate, "private_key": private_key}} if certificate is not None else {}
    settings = write_settings(directory, told)
    vkey = write_vkey(public_of(settings.name, make_key(directory)))
    if as_json:
        show_json({"vkey": vkey, "directory": directory})
        return
    show_facts({"verifier key": vkey, "settings": directory / SETTINGS})
    console().print("give the verifier key to the broker's [witnesses], and to whoever verifies receipts")


def run(directory: Directory) -> None:
    """Serve until it is told to stop; its log is lines of JSON on standard output.

    Exit status 0 when it was stopped, 75 not now (the port, the disk), 78 configuration.
    """
    arguments = [sys.executable, "-m", "keybroker.witness", str(directory.absolute())]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own module; signals reach it directly


def show(directory: Directory, as_json: Json = False) -> None:
    """What it cosigned last, its verifier key, what it holds against the ledger; exit status 1 where that is a fork.

    Changes nothing, and may be asked while the witness runs.
    """
    settings = read_settings(directory)
    public = public_of(settings.name, read_key(directory))
    book = Book(directory, settings, public)
    book.read()
    checkpoint, against = book.checkpoint, book.against()
    facts: dict[str, object] = {
        "name": settings.name,
        "vkey": write_vkey(public),
        "origin": settings.ledger.origin,
        "tree_size": None if checkpoint is None else checkpoint.tree_size,
        "root_hash": None if checkpoint is None else checkpoint.root_hash,
        "cosigned_at": datetime.fromtimestamp(book.last_at, UTC) if checkpoint is not None else None,
        "forked": book.is_forked,
        "against": [file.name for file in against],
    }
    if as_json:
        show_json(facts)
    else:
        show_facts({**facts, "against": ", ".join(file.name for file in against) or "nothing"})
    if book.is_forked:
        raise typer.Exit(ExitStatus.REFUSED)
