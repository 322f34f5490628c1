"""How do the Threshold Anomaly Detection Procedures' files go out and come in? SEC G6.1(a).

Three files: thresholds, a report of what was quarantined or deleted, and what a User says of each. The detached
signature of FILE is FILE.jws: a statement a line, made of exactly that file (``keys.procedure_files``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keybroker.clause import clause
from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_facts, show_json
from keybroker.cli.stating import read_stater, said
from keybroker.config import Configuration, read_configuration, reading
from keybroker.config.one_party import check_own_thresholds
from keybroker.gates.thresholds import DCC
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.procedure_files import (
    ACTS,
    STATED,
    FileKind,
    actions_file,
    check_detached,
    read_file,
    report_file,
)
from keybroker.keys.quarantine import act_on, in_quarantine
from keybroker.keys.quarantine_report import check_report
from keybroker.keys.standing import read_standing
from keybroker.keys.thresholds import TAKEN_IN, notifications, take_in_notification
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.kind import LONGEST
from keybroker.statement.payloads import KINDS
from keybroker.statement.threshold_files import write_thresholds

SIGNATURE = ".jws"

Which = Annotated[FileKind, typer.Argument(help="thresholds, report or actions.")]
_File = Annotated[
    Path, typer.Argument(help="The file; its signature is beside it, FILE.jws.", exists=True, dir_okay=False)
]
_Mine = Annotated[
    Path | None, typer.Option("--certificate", help="Of a report: yours, as it was enrolled.", dir_okay=False)
]
_MyKey = Annotated[Path | None, typer.Option("--private-key", help="Its private key, PEM.", dir_okay=False)]
_Origin = Annotated[
    str | None, typer.Option("--ledger-origin", help="Of the broker that takes the file in; else this one's.")
]


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def export(
    which: Which,
    config: Config,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")],
    of: Annotated[str | None, typer.Option("--of", help="Whose: a User ID, or dcc.")] = None,
    certificate: _Mine = None,
    private_key: _MyKey = None,
    ledger_origin: _Origin = None,
    as_json: Json = False,
) -> None:
    """Write the thresholds in force, a report of what was quarantined or deleted, or actions that delete all of it.

    Thresholds go out with the signature that set them; a report with yours; actions are signed by their User.
    """
    configuration = read_configuration(config)
    if (certificate is None) is not (private_key is None) or (certificate and which is not FileKind.REPORT):
        raise typer.BadParameter("expected --certificate and --private-key both, and of a report alone")
    octets, signature = _exported(configuration, which, of)
    output.write_bytes(octets)
    if signature:
        _beside(output).write_text(signature + "\n", encoding="ascii")
    if certificate is not None and private_key is not None:
        _sign(configuration, which, output, certificate, private_key, ledger_origin)
    facts: dict[str, object] = {"file": output, "octets": len(octets), "signed": bool(signature or certificate)}
    show_json(facts) if as_json else show_facts(facts)


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def take_in(which: Which, file: _File, config: Config, as_json: Json = False) -> None:
    """Take in a thresholds or an actions file: each statement of FILE.jws must say what the file does.

    Of a report: check that it is whole, and whose. Nothing comes into force by it.
    """
    configuration = read_configuration(config)
    octets, statements, at = file.read_bytes(), _statements_beside(file), configuration.clock.now()
    with acting(configuration, "operator") as (journal, actor):
        # All of them before the first is taken in.
        are_of_this_file = partial(check_detached, which, octets, statements)
        refusals_recorded(journal, actor, {"act": ACTS[which]}, at, are_of_this_file)
        receipts, facts = _taken_in(configuration, journal, actor, which, statements or (), at)
    if as_json:
        show_json({"file": file, **facts, "receipts": receipts})
    else:
        show_facts({"file": file, **facts, "records": [receipt.leaf_index for receipt in receipts]})


def notify(configuration: Configuration, journal: Journal, actor: Actor, octets: bytes, at: datetime) -> Receipt:
    """Take a notification in, where whoever signed it may give it here.

    Raises: NotPermitted, StatementRefused (each recorded), LedgerFault.
    """
    with journal.ledger.read() as connection:
        standing = read_standing(connection)
    own, of_the_dcc = configuration.party, configuration.people.is_of_the_dcc
    may_be_given = partial(check_own_thresholds, own, octets, standing, of_the_dcc=of_the_dcc)
    refusals_recorded(journal, actor, {"act": TAKEN_IN}, at, may_be_given)
    return take_in_notification(journal, actor, octets, at)


def state(
    which: Which,
    file: _File,
    certificate: Annotated[Path, typer.Option("--certificate", help="As the broker enrolled it.", exists=True)],
    private_key: Annotated[Path, typer.Option("--private-key", help="Its private key, PEM.", exists=True)],
    config: Config,
    ledger_origin: _Origin = None,
    as_json: Json = False,
) -> None:
    """Sign a file: write FILE.jws. With keys in files; whoever has a token signs there."""
    configuration = read_configuration(config)
    made = _sign(configuration, which, file, certificate, private_key, ledger_origin)
    facts: dict[str, object] = {"file": _beside(file), "statements": made}
    show_json(facts) if as_json else show_facts(facts)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SIGNATURE)


def _statements_beside(file: Path) -> list[bytes] | None:
    """None: there is no signature."""
    beside = _beside(file)
    return beside.read_bytes().split() if beside.exists() else None


def _sign(
    configuration: Configuration, which: FileKind, file: Path, certificate: Path, private_key: Path, origin: str | None
) -> int:
    """Write FILE.jws; of how many statements. Raises: BadParameter."""
    try:
        read = read_file(which, file.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="FILE") from error
    model, stater, at = STATED[which], read_stater(certificate, private_key), configuration.clock.now()
    lasts, whose = LONGEST[KINDS[model]], origin or configuration.ledger_origin
    made = [stater.state(said(model, each, origin=whose, at=at, lasts=lasts)) for each in read]
    _beside(file).write_bytes(b"".join(each + b"\n" for each in made))
    return len(made)


def _taken_in(
    configuration: Configuration,
    journal: Journal,
    actor: Actor,
    which: FileKind,
    statements: Iterable[bytes],
    at: datetime,
) -> tuple[list[Receipt], dict[str, object]]:
    """The receipts, and what else is told. Raises: as the taking in of each statement does."""
    match which:
        case FileKind.THRESHOLDS:
            return [notify(configuration, journal, actor, each, at) for each in statements], {}
        case FileKind.ACTIONS:
            return [act_on(journal, actor, each, configuration.people, at) for each in statements], {}
        case FileKind.REPORT:
            (found,) = [check_report(journal, actor, each, at) for each in statements]
            whose = {"attester": found.attester, "party": found.party, "communications": found.communications}
            return [found.receipt], whose


def _exported(configuration: Configuration, which: FileKind, of: str | None) -> tuple[bytes, str]:
    """The file, and its signature where it has one already."""
    with reading(configuration) as ledger:
        held = notifications(ledger, configuration.clock.now())
        every = in_quarantine(ledger, every=which is FileKind.REPORT)
    found = [each for each in every if of is None or each.user == of]
    match which:
        case FileKind.REPORT:
            return report_file(found), ""
        case FileKind.ACTIONS:
            return actions_file(found), ""
        case FileKind.THRESHOLDS:
            mine = [each for each in held if each.in_force and each.whose == (of or DCC)]
            if not mine:
                raise typer.BadParameter(f"no thresholds of {of or DCC} are in force", param_hint="--of")
            return write_thresholds(mine[0].notification), mine[0].statement.compact
