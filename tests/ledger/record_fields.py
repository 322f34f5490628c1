"""Which fields does a record hold that docs/ledger.md does not list? For tests of whatever wrote records."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from keybroker.ledger.canonical_json import Json, decode
from tests.architecture.sources import ROOT

_TABLE = "| may tell of | what | fields |"
_quoted = re.compile(r"`([a-z0-9_.*]+)`")
_VARY = (
    "in_force.policies.",
    "body.signatures.",
    "body.renunciation.signatures.",
    "body.given.",
    "body.kinds.",
    "body.looked_at.selection.",
)
"""Whose next name is a purpose, a person's, what a step was given, a kind of record, or what was selected."""


@cache
def listed() -> frozenset[str]:
    """What the document lists."""
    told = (ROOT / "docs" / "ledger.md").read_text().partition(_TABLE)[2].partition("\n\n")[0]
    return frozenset(name for row in told.splitlines() for name in _quoted.findall(row.split(" | ")[-1]))


def unlisted(database: Path) -> dict[str, str]:
    """Fields of a ledger's records that the document does not list, each with one value of it."""
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT octets FROM record WHERE length(octets) > 0").fetchall()
    connection.close()
    fields = {name: str(value) for (octets,) in rows for name, value in _leaves(decode(octets), "")}
    return {name: value for name, value in fields.items() if name not in listed()}


def _leaves(value: Json, name: str) -> Iterator[tuple[str, Json]]:
    match value:
        case dict():
            for key, each in value.items():
                inner = f"{name}.{key}" if name else key
                varies = next((prefix for prefix in _VARY if inner.startswith(prefix)), None)
                yield from _leaves(each, inner if varies is None else f"{varies}*")
        case list():
            for each in value:
                yield from _leaves(each, name)
        case _:
            yield name, value
