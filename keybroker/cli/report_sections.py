"""Which questions does ``keybroker report`` answer, and in which columns? A table each, the same for every form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from keybroker.cli.output import Jsonable, jsonable
from keybroker.gates.lapses import Lapse
from keybroker.keys.reporting import Report, Told
from keybroker.ledger.report_model import CeremonyRow, PersonRow, RefusalRow, ReviewRow, UseRow, UserRow
from keybroker.policy.endings import KeyEnding
from keybroker.policy.g2_57 import KeyToReplace


class Question(StrEnum):
    """What people ask."""

    USES = "uses"
    REFUSALS = "refusals"
    USERS = "users"
    CEREMONIES = "ceremonies"
    PEOPLE = "people"
    LAPSES = "lapses"
    KEYS = "keys"
    REPLACE = "replace"
    ANOMALIES = "anomalies"
    REVIEWS = "reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One question answered. ``rows`` have their columns' order; ``nothing``: what is said where there is none."""

    question: Question
    title: str
    clause: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Jsonable, ...], ...]
    nothing: str

    def objects(self) -> list[dict[str, Jsonable]]:
        """A row as JSON has it."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class _Asked:
    title: str
    clause: str
    nothing: str
    row: Any
    """The dataclass whose fields are the columns."""
    rows: Callable[[Report], Sequence[object]]


_ASKED: Mapping[Question, _Asked] = {
    Question.USES: _Asked(
        "Use by key purpose",
        "G2.6, G2.56, G3.29",
        "no key was used",
        UseRow,
        attrgetter("answers.uses"),
    ),
    Question.REFUSALS: _Asked(
        "Refusals by reason and caller",
        "G2.29, G3.15",
        "nothing was refused",
        RefusalRow,
        attrgetter("answers.refusals"),
    ),
    Question.USERS: _Asked(
        "Who used which key",
        "G5.9, G5.22",
        "no key was used",
        UserRow,
        attrgetter("answers.users"),
    ),
    Question.CEREMONIES: _Asked(
        "Ceremonies and their people",
        "G2.22F-G2.22I, G2.44B",
        "no ceremony",
        CeremonyRow,
        attrgetter("answers.ceremonies"),
    ),
    Question.PEOPLE: _Asked(
        "What people ordered and signed",
        "G3.23, G4",
        "nobody ordered anything",
        PersonRow,
        attrgetter("answers.people"),
    ),
    Question.LAPSES: _Asked(
        "What lapses, the soonest first",
        "G2.44, G3.23, G4.1",
        "nothing lapses",
        Lapse,
        attrgetter("lapses"),
    ),
    Question.KEYS: _Asked(
        "Keys, those near an end first",
        "G5.13(a), G5.24(a)",
        "no key is held",
        KeyEnding,
        attrgetter("keys"),
    ),
    Question.REPLACE: _Asked(
        "Keys to replace",
        "G2.57",
        "no key is to be replaced",
        KeyToReplace,
        attrgetter("replace"),
    ),
    Question.ANOMALIES: _Asked(
        "Anomalous Events",
        "G2.29, G2.30, G3.15, G3.16",
        "no Anomalous Event",
        Told,
        attrgetter("anomalies"),
    ),
    Question.REVIEWS: _Asked(
        "Reviews of the audit log",
        "G2.26",
        "the audit log was not reviewed",
        ReviewRow,
        attrgetter("answers.reviews"),
    ),
}


def section(report: Report, question: Question) -> Section:
    """What the report answers to one question."""
    asked = _ASKED[question]
    rows = [_flat(row) for row in asked.rows(report)]
    columns = tuple(rows[0]) if rows else tuple(field.name for field in fields(asked.row))
    return Section(
        question=question,
        title=asked.title,
        clause=asked.clause,
        columns=columns,
        rows=tuple(tuple(row.values()) for row in rows),
        nothing=asked.nothing,
    )


def _flat(row: object) -> dict[str, Jsonable]:
    """An event and what became of its message are one line."""
    told = jsonable(row)
    if not isinstance(told, dict):
        raise TypeError("a row is a dataclass")
    inner = told.pop("event", None) if isinstance(row, Told) else None
    return {**inner, **told} if isinstance(inner, dict) else told
