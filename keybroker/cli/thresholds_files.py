"""How do the Threshold Anomaly Detection Procedures' files go out and come in? SEC G6.1(a).

Three files: thresholds, a report of what is quarantined, and what a User says of each. The detached signature of FILE
is FILE.jws: a statement a line, made of exactly that file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from keybroker.clause import clause
from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_facts, show_json
from keybroker.cli.stating import read_stater, said
from keybroker.config import Configuration, read_configuration, reading
from keybroker.config.one_party import check_own_thresholds
from keybroker.errors import StatementRefused
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.quarantine import ACTED, Quarantined, act_on, in_quarantine
from keybroker.keys.standing import read_standing
from keybroker.keys.thresholds import TAKEN_IN, notifications, take_in_notification
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import LONGEST
from keybroker.statement.payloads import KINDS, QuarantineAction, ThresholdNotification
from keybroker.statement.threshold_files import (
    Row,
    check_same,
    read_actions,
    read_thresholds,
    write_actions,
    write_report,
    write_thresholds,
)

SIGNATURE = ".jws"
_Model = type[ThresholdNotification] | type[QuarantineAction]
_ACTS: Mapping[_Model, str] = {ThresholdNotification: TAKEN_IN, QuarantineAction: ACTED}
"""What records call the act, also where it is refused before anything is taken in."""


class FileKind(StrEnum):
    """Which of the three files."""

    THRESHOLDS = "thresholds"
    REPORT = "report"
    ACTIONS = "actions"


Which = Annotated[FileKind, typer.Argument(help="thresholds, report or actions.")]
_File = Annotated[Path, typer.Argument(help="The file; its signature is beside it, FILE.jws.", exists=True)]


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def export(
    which: Which,
    config: Config,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")],
    of: Annotated[str, typer.Option("--of", help="Whose thresholds: a User ID, or dcc.")] = "dcc",
    as_json: Json = False,
) -> None:
    """Write the thresholds in force, a report of what was quarantined or deleted, or actions that delete all of it."""
    configuration = read_configuration(config)
    octets, signature = _exported(configuration, which, of)
    output.write_bytes(octets)
    if signature:
        _beside(output).write_text(signature + "\n", encoding="ascii")
    facts: dict[str, object] = {"file": output, "octets": len(octets), "signed": bool(signature)}
    show_json(facts) if as_json else show_facts(facts)


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def take_in(which: Which, file: _File, config: Config, as_json: Json = False) -> None:
    """Take in a thresholds or an actions file: each statement of FILE.jws must say what the file does."""
    configuration = read_configuration(config)
    statements = _beside(file).read_bytes().split()
    model, read = _read(which, file)
    if len(statements) != len(read):
        raise typer.BadParameter(f"expected {len(read)} statements in {_beside(file)}, found {len(statements)}")
    at = configuration.clock.now()
    with acting(configuration, "operator") as (journal, actor):
        # All of them before the first is taken in.
        are_of_this_file = partial(_check_detached, statements, model, read)
        refusals_recorded(journal, actor, {"act": _ACTS[model]}, at, are_of_this_file)
        if which is FileKind.THRESHOLDS:
            receipts = [notify(configuration, journal, actor, octets, at) for octets in statements]
        else:
            receipts = [act_on(journal, actor, octets, configuration.people, at) for octets in statements]
    if as_json:
        show_json({"file": file, "receipts": receipts})
    else:
        show_facts({"file": file, "records": [receipt.leaf_index for receipt in receipts]})


def notify(configuration: Configuration, journal: Journal, actor: Actor, octets: bytes, at: datetime) -> Receipt:
    """Take a notification in, where whoever signed it may give it here.

    Raises: NotPermitted, StatementRefused (each recorded), LedgerFault.
    """
    with journal.ledger.read() as connection:
        standing = read_standing(connection)
    own, of_the_dcc = configuration.party, configuration.people.is_of_the_dcc
    may_be_given = partial(check_own_thresholds, own, octets, standing, of_the_dcc=of_the_dcc)
    refusals_recorded(journal, actor, {"act": _ACTS[ThresholdNotification]}, at, may_be_given)
    return take_in_notification(journal, actor, octets, at)


def state(
    which: Which,
    file: _File,
    certificate: Annotated[Path, typer.Option("--certificate", help="As the broker enrolled it.", exists=True)],
    private_key: Annotated[Path, typer.Option("--private-key", help="Its private key, PEM.", exists=True)],
    config: Config,
    as_json: Json = False,
) -> None:
    """Sign a thresholds or an actions file: write FILE.jws. For trying out; whoever has a token signs there."""
    configuration = read_configuration(config)
    model, read = _read(which, file)
    stater, at, lasts = read_stater(certificate, private_key), configuration.clock.now(), LONGEST[KINDS[model]]
    stated = [said(model, each, origin=configuration.ledger_origin, at=at, lasts=lasts) for each in read]
    made = [stater.state(each) for each in stated]
    _beside(file).write_bytes(b"".join(each + b"\n" for each in made))
    facts: dict[str, object] = {"file": _beside(file), "statements": len(made)}
    show_json(facts) if as_json else show_facts(facts)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SIGNATURE)


def _exported(configuration: Configuration, which: FileKind, of: str) -> tuple[bytes, str]:
    """The file, and its signature where it is somebody's statement."""
    with reading(configuration) as ledger:
        held = notifications(ledger, configuration.clock.now())
        found = in_quarantine(ledger, every=which is FileKind.REPORT)
    match which:
        case FileKind.REPORT:
            return write_report(map(_reported, found)), ""
        case FileKind.ACTIONS:
            return write_actions(map(_deletion, found)), ""
        case FileKind.THRESHOLDS:
            mine = [each for each in held if each.in_force and each.whose == of]
            if not mine:
                raise typer.BadParameter(f"no thresholds of {of} are in force", param_hint="--of")
            return write_thresholds(mine[0].notification), mine[0].statement.compact


def _reported(found: Quarantined) -> Row:
    return {
        "record": str(found.record),
        "user_id": found.user,
        "request": found.name,
        "octets_sha256": found.octets_sha256,
        "thresholds": "; ".join(found.counts),
        "state": found.state.value,
        "at": found.at.isoformat(),
    }


def _deletion(found: Quarantined) -> Row:
    """What a User edits: everything would be deleted that is not changed to ``release``."""
    return {
        "record": str(found.record),
        "user_id": found.user,
        "octets_sha256": found.octets_sha256,
        "action": "delete",
    }


def _read(which: FileKind, file: Path) -> tuple[_Model, list[dict[str, Any]]]:
    """What each statement of this file says. Raises: BadParameter."""
    octets = file.read_bytes()
    try:
        match which:
            case FileKind.THRESHOLDS:
                return ThresholdNotification, [read_thresholds(octets)]
            case FileKind.ACTIONS:
                return QuarantineAction, read_actions(octets)
            case FileKind.REPORT:
                raise typer.BadParameter("a report is written, and never taken in", param_hint="WHICH")
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="FILE") from error


def _check_detached(statements: Sequence[bytes], model: _Model, read: Sequence[Mapping[str, Any]]) -> None:
    """Raises: StatementRefused where a statement says anything else than the file."""
    try:
        for octets, each in zip(statements, read, strict=True):
            check_same(model.model_validate(read_compact(octets).claims), each)
    except StatementUnfit as unfit:
        raise StatementRefused(str(unfit), flaw=unfit.flaw.value, clause="G6.1(b)") from unfit
    except ValidationError as error:
        told = "expected a statement of this file, found one that is malformed"
        raise StatementRefused(told, flaw="STATEMENT_PAYLOAD_MALFORMED", clause="G6.1(b)") from error
