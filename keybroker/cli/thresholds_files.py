"""How do the Threshold Anomaly Detection Procedures' files go out and come in? SEC G6.1(a).

Three files: thresholds, a report of what is quarantined, and what a User says of each. The detached signature of FILE
is FILE.jws: a statement a line, made of exactly that file.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import ValidationError

from keybroker.cli.evidence_held import held
from keybroker.cli.key_acts import acting
from keybroker.cli.octets import read_der
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_facts, show_json
from keybroker.config import Configuration, read_configuration
from keybroker.config.one_party import check_own_thresholds
from keybroker.errors import StatementRefused
from keybroker.keys.quarantine import Quarantined, act_on, in_quarantine
from keybroker.keys.thresholds import notifications, take_in_notification
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import open_for_reading
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import LONGEST
from keybroker.statement.making import make_statement, signer
from keybroker.statement.payloads import KINDS, QuarantineAction, ThresholdNotification
from keybroker.statement.threshold_files import (
    check_same,
    read_actions,
    read_thresholds,
    write_actions,
    write_report,
    write_thresholds,
)

SIGNATURE = ".jws"


class FileKind(StrEnum):
    """Which of the three files."""

    THRESHOLDS = "thresholds"
    REPORT = "report"
    ACTIONS = "actions"


Which = Annotated[FileKind, typer.Argument(help="thresholds, report or actions.")]
_File = Annotated[Path, typer.Argument(help="The file; its signature is beside it, FILE.jws.", exists=True)]


def export(
    which: Which,
    config: Config,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")],
    of: Annotated[str, typer.Option("--of", help="Whose thresholds: a User ID, or dcc.")] = "dcc",
    as_json: Json = False,
) -> None:
    """Write the thresholds in force, a report of what is quarantined, or an actions file that deletes all of it."""
    configuration = read_configuration(config)
    octets, signature = _exported(configuration, which, of)
    output.write_bytes(octets)
    if signature:
        _beside(output).write_text(signature + "\n", encoding="ascii")
    facts: dict[str, object] = {"file": output, "octets": len(octets), "signed": bool(signature)}
    show_json(facts) if as_json else show_facts(facts)


def take_in(which: Which, file: _File, config: Config, as_json: Json = False) -> None:
    """Take in a thresholds or an actions file: each statement of FILE.jws must say what the file does."""
    configuration = read_configuration(config)
    statements = _beside(file).read_bytes().split()
    model, read = _read(which, file)
    if len(statements) != len(read):
        raise typer.BadParameter(f"expected {len(read)} statements in {_beside(file)}, found {len(statements)}")
    for octets, each in zip(statements, read, strict=True):
        _check_detached(octets, model, each)
        if which is FileKind.THRESHOLDS:
            check_own(configuration, octets)
    with acting(configuration, "operator") as (journal, actor):
        do = take_in_notification if which is FileKind.THRESHOLDS else act_on
        receipts: list[Receipt] = [do(journal, actor, octets, configuration.clock.now()) for octets in statements]
    if as_json:
        show_json({"file": file, "receipts": receipts})
    else:
        show_facts({"file": file, "records": [receipt.leaf_index for receipt in receipts]})


def check_own(configuration: Configuration, octets: bytes) -> None:
    """May this notification be given here by whoever signed it? Raises: NotPermitted."""
    with held(configuration) as standing:
        check_own_thresholds(configuration.party, octets, standing, of_the_dcc=configuration.people.is_of_the_dcc)


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
    (der, *_), key = read_der([certificate]), _private_key(private_key)
    sign, at = signer(key), configuration.clock.now()
    made = [
        make_statement(_said(model, each, configuration.ledger_origin, at), certificate=der, sign=sign) for each in read
    ]
    _beside(file).write_text("".join(f"{each}\n" for each in made), encoding="ascii")
    facts: dict[str, object] = {"file": _beside(file), "statements": len(made)}
    show_json(facts) if as_json else show_facts(facts)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SIGNATURE)


def _exported(configuration: Configuration, which: FileKind, of: str) -> tuple[bytes, str]:
    """The file, and its signature where it is somebody's statement."""
    ledger = open_for_reading(
        configuration.ledger_url, origin=configuration.ledger_origin, deployment=configuration.deployment
    )
    try:
        held, found = notifications(ledger, configuration.clock.now()), in_quarantine(ledger)
    finally:
        ledger.close()
    match which:
        case FileKind.REPORT:
            return write_report(_report(found)), ""
        case FileKind.ACTIONS:
            return write_actions(_deletions(configuration, found)), ""
        case FileKind.THRESHOLDS:
            mine = [each for each in held if each.in_force and each.whose == of]
            if not mine:
                raise typer.BadParameter(f"no thresholds of {of} are in force", param_hint="--of")
            return write_thresholds(mine[0].notification), mine[0].statement.compact


def _report(found: Sequence[Quarantined]) -> Iterator[Mapping[str, str]]:
    for each in found:
        yield {
            "record": str(each.record),
            "user_id": each.user,
            "request": each.name,
            "octets_sha256": each.octets_sha256,
            "thresholds": "; ".join(each.counts),
            "state": each.state.value,
            "at": each.at.isoformat(),
        }


def _deletions(configuration: Configuration, found: Sequence[Quarantined]) -> Iterator[QuarantineAction]:
    """What a User edits: everything would be deleted that is not changed to ``release``."""
    at = configuration.clock.now()
    for each in found:
        read = {
            "user": each.user,
            "record": each.record,
            "octets_sha256": each.octets_sha256,
            "action": "delete",
        }
        said = _said(QuarantineAction, read, configuration.ledger_origin, at)
        if isinstance(said, QuarantineAction):
            yield said


def _read(
    which: FileKind, file: Path
) -> tuple[type[ThresholdNotification] | type[QuarantineAction], list[dict[str, Any]]]:
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


def _check_detached(
    octets: bytes, model: type[ThresholdNotification] | type[QuarantineAction], read: Mapping[str, Any]
) -> None:
    """Raises: StatementRefused where the statement says anything else than the file."""
    try:
        check_same(model.model_validate(read_compact(octets).claims), read)
    except StatementUnfit as unfit:
        raise StatementRefused(str(unfit), flaw=unfit.flaw.value, clause="G6.1(b)") from unfit
    except ValidationError as error:
        told = "expected a statement of this file, found one that is malformed"
        raise StatementRefused(told, flaw="STATEMENT_PAYLOAD_MALFORMED", clause="G6.1(b)") from error


def _said(
    model: type[ThresholdNotification] | type[QuarantineAction], read: Mapping[str, Any], origin: str, at: datetime
) -> ThresholdNotification | QuarantineAction:
    """Raises: BadParameter for what cannot be stated."""
    issued, longest = int(at.timestamp()), int(LONGEST[KINDS[model]].total_seconds())
    common = {"aud": origin, "iat": issued, "exp": issued + longest, "nonce": secrets.token_urlsafe(24)}
    try:
        return model.model_validate({**read, **common})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:4])
        raise typer.BadParameter(told, param_hint="FILE") from error


def _private_key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError) as error:  # TypeError: an encrypted key
        raise typer.BadParameter(f"expected a private key in PEM, found none in {file}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise typer.BadParameter("expected a P-256 key", param_hint="--private-key")
    return key
