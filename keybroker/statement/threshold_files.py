"""How are the Threshold Anomaly Detection Procedures' three files written and read? SEC G6.1(a); Appendix AA.

RECALLED, not taken from the published document: comma-separated text, one line for each threshold or communication,
with a heading line. Whoever has the published form writes another ``Form``; nothing else knows how a line looks. The
detached signature of a file is a statement whose payload says the same, or of a report its SHA-256: it is built anew
from the file and compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from pydantic import ValidationError

from keybroker.clause import clause
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.payloads import Threshold, ThresholdNotification
from keybroker.statement.said import Said

Row = Mapping[str, str]
"""One line, by the names in the heading; what is not there is empty."""

ADT_COLUMNS = (
    "user_id",
    "part",
    "sequence",
    "guidance",
    "measure",
    "variant",
    "code",
    "period_seconds",
    "warning",
    "quarantine",
    "value",
    "least",
    "most",
    "tested",
)
"""Anomaly Detection Thresholds File; the first four are the same in every line. An empty user_id: the DCC's own."""
REPORT_COLUMNS = ("record", "user_id", "request", "octets_sha256", "thresholds", "state", "at")
"""Quarantined Communications Report File."""
ACTION_COLUMNS = ("record", "user_id", "octets_sha256", "action")
"""Quarantined Communications Action File."""

_NUMBERS = frozenset({"period_seconds", "warning", "quarantine", "least", "most"})
_HEAD = ADT_COLUMNS[:4]
_MOST_OCTETS = 1 << 20


class Form(Protocol):
    """How lines become octets and octets lines."""

    def write(self, columns: Sequence[str], rows: Iterable[Row]) -> bytes:
        """The file."""
        ...

    def read(self, columns: Sequence[str], octets: bytes) -> list[Row]:
        """Its lines. Raises: ValueError for anything but these columns."""
        ...


class Csv:
    """RFC 4180, in UTF-8, a heading line first, lines ending in CR LF; read strictly, and only as it is written."""

    def write(self, columns: Sequence[str], rows: Iterable[Row]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", extrasaction="raise", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()

    def read(self, columns: Sequence[str], octets: bytes) -> list[Row]:
        if len(octets) > _MOST_OCTETS:
            raise ValueError(f"expected at most {_MOST_OCTETS} octets, found {len(octets)}")
        reader = csv.reader(io.StringIO(octets.decode("utf-8"), newline=""), strict=True)
        try:
            lines = list(reader)
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
        if not lines or tuple(lines[0]) != tuple(columns):
            raise ValueError(f"expected the heading {','.join(columns)}")
        if any(len(line) != len(columns) for line in lines):
            raise ValueError(f"expected {len(columns)} fields in every line")
        return [dict(zip(columns, line, strict=True)) for line in lines[1:]]


CSV = Csv()


def write_thresholds(notification: ThresholdNotification, form: Form = CSV) -> bytes:
    """The ADT File of a notification."""
    head = {
        "user_id": notification.user or "",
        "part": notification.part,
        "sequence": str(notification.sequence),
        "guidance": notification.guidance,
    }
    return form.write(ADT_COLUMNS, [head | _line(each) for each in notification.thresholds])


def read_thresholds(octets: bytes, form: Form = CSV) -> dict[str, Any]:
    """What a ThresholdNotification made of this file says, but for aud, iat, exp and nonce. Raises: ValueError."""
    rows = form.read(ADT_COLUMNS, octets)
    heads = {tuple(row[name] for name in _HEAD) for row in rows}
    if len(heads) != 1:
        raise ValueError(f"expected one User ID, part, sequence and guidance in every line, found {len(heads)}")
    ((user, part, sequence, guidance),) = heads
    return {
        "user": user or None,
        "part": part,
        "sequence": _number(sequence),
        "guidance": guidance,
        "thresholds": [_threshold(row) for row in rows],
    }


def write_actions(rows: Iterable[Row], form: Form = CSV) -> bytes:
    """The Quarantined Communications Action File."""
    return form.write(ACTION_COLUMNS, rows)


def read_actions(octets: bytes, form: Form = CSV) -> list[dict[str, Any]]:
    """What each QuarantineAction made of this file says, but for aud, iat, exp and nonce. Raises: ValueError."""
    return [
        {
            "record": _number(row["record"]),
            "user": row["user_id"],
            "octets_sha256": row["octets_sha256"],
            "action": row["action"],
        }
        for row in form.read(ACTION_COLUMNS, octets)
    ]


def write_report(rows: Iterable[Row], form: Form = CSV) -> bytes:
    """The Quarantined Communications Report File."""
    return form.write(REPORT_COLUMNS, rows)


def read_report(octets: bytes, form: Form = CSV) -> dict[str, Any]:
    """What a QuarantineReport of this file says, but for aud, iat, exp and nonce. Raises: ValueError."""
    return {"file_sha256": sha256(octets).hexdigest(), "communications": len(form.read(REPORT_COLUMNS, octets))}


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def check_same(said: Said, read: Mapping[str, Any]) -> None:
    """The statement says what the file does, no more and no less. Raises: StatementUnfit."""
    common = said.model_dump(include={"aud", "iat", "exp", "nonce"})
    try:
        from_file = type(said).model_validate({**read, **common})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:4])
        raise StatementUnfit(Flaw.PAYLOAD, expected="a file that can be stated", found=told[:300]) from error
    if from_file != said:
        raise StatementUnfit(Flaw.PAYLOAD, expected="a statement of exactly this file", found="one of another")


def _line(threshold: Threshold) -> dict[str, str]:
    said = threshold.model_dump()
    line = {name: "" if value is None else str(value) for name, value in said.items()}
    return line | {"tested": "yes" if threshold.tested else "no"}


def _threshold(row: Row) -> dict[str, Any]:
    """Raises: ValueError."""
    if row["tested"] not in ("yes", "no"):
        raise ValueError(f"tested: expected yes or no, found {row['tested']!r}")
    said: dict[str, Any] = {name: row[name] or None for name in ADT_COLUMNS if name not in _HEAD}
    numbers = {name: _number(row[name]) for name in _NUMBERS if row[name]}
    return said | numbers | {"tested": row["tested"] == "yes"}


def _number(text: str) -> int:
    """Raises: ValueError for what is no plain decimal."""
    number = int(text) if text.isascii() else -1
    if str(number) != text:
        raise ValueError(f"expected a decimal number, found {text!r}")
    return number
