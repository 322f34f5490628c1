"""What do the Threshold Anomaly Detection Procedures' files say, and is it what was signed? SEC G6.1(a), (b).

A detached signature is a statement a line, made of exactly that file. Here they are compared, before any of it is taken
in; whoever takes it in verifies each statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, assert_never

from pydantic import ValidationError

from keybroker.clause import clause
from keybroker.errors import StatementRefused
from keybroker.keys.quarantine import ACTED, Quarantined
from keybroker.keys.quarantine_report import REPORT_CHECKED
from keybroker.keys.thresholds import TAKEN_IN
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.payloads import QuarantineAction, QuarantineReport, ThresholdNotification
from keybroker.statement.said import Said
from keybroker.statement.threshold_files import (
    Row,
    check_same,
    read_actions,
    read_report,
    read_thresholds,
    write_actions,
    write_report,
)


class FileKind(StrEnum):
    """Which of the three files."""

    THRESHOLDS = "thresholds"
    REPORT = "report"
    ACTIONS = "actions"


STATED: Mapping[FileKind, type[Said]] = {
    FileKind.THRESHOLDS: ThresholdNotification,
    FileKind.REPORT: QuarantineReport,
    FileKind.ACTIONS: QuarantineAction,
}
"""What the statements of each file are."""
ACTS: Mapping[FileKind, str] = {
    FileKind.THRESHOLDS: TAKEN_IN,
    FileKind.REPORT: REPORT_CHECKED,
    FileKind.ACTIONS: ACTED,
}
"""What records call the act of taking it in, also where it is refused before anything is taken in."""


def report_file(found: Iterable[Quarantined]) -> bytes:
    """The Quarantined Communications Report File of these."""
    return write_report(map(_reported, found))


def actions_file(found: Iterable[Quarantined]) -> bytes:
    """The Quarantined Communications Action File by which a User has all of these deleted, to be edited."""
    return write_actions(map(_deletion, found))


def read_file(which: FileKind, octets: bytes) -> list[dict[str, Any]]:
    """What each statement of this file says, but for aud, iat, exp and nonce. Raises: ValueError."""
    match which:
        case FileKind.THRESHOLDS:
            return [read_thresholds(octets)]
        case FileKind.REPORT:
            return [read_report(octets)]
        case FileKind.ACTIONS:
            return read_actions(octets)
        case _:
            assert_never(which)


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def check_detached(which: FileKind, octets: bytes, statements: Sequence[bytes] | None) -> None:
    """Each statement says what the file does, and there is one for all that it says. None: no signature is beside it.

    Raises: StatementRefused.
    """
    try:
        read = read_file(which, octets)
    except ValueError as error:
        raise _refusal(f"expected a {which} file, found one that is none: {str(error)[:300]}") from error
    if statements is None or len(statements) != len(read):
        found = "none" if statements is None else f"one of {len(statements)}"
        raise _refusal(f"expected a detached signature of {len(read)} statements beside the file, found {found}")
    try:
        for stated, each in zip(statements, read, strict=True):
            check_same(STATED[which].model_validate(read_compact(stated).claims), each)
    except StatementUnfit as unfit:
        raise StatementRefused(str(unfit), flaw=unfit.flaw.value, clause="G6.1(b)") from unfit
    except ValidationError as error:
        raise _refusal("expected a statement of this file, found one that is malformed") from error


def _refusal(told: str) -> StatementRefused:
    return StatementRefused(told, flaw=Flaw.PAYLOAD.value, clause="G6.1(b)")


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
