"""What do the tables of ceremonies and their steps hold? For an auditor: every row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import encode
from keybroker.ledger.verify_ceremonies import CeremonyRow, CeremonyRows, HeldKeyRow, StepRow

_PAGE = {"yield_per": 500}


def ceremony_rows(connection: Connection) -> CeremonyRows:
    """Each table is read when its rows are asked for."""
    return CeremonyRows(ceremonies=_ceremonies(connection), keys=_keys(connection), steps=_steps(connection))


def _ceremonies(connection: Connection) -> Iterator[CeremonyRow]:
    for row in connection.execute(select(tables.ceremony), execution_options=_PAGE):
        yield CeremonyRow(**{each.name: getattr(row, each.name) for each in fields(CeremonyRow)})


def _keys(connection: Connection) -> Iterator[HeldKeyRow]:
    for row in connection.execute(select(tables.ceremony_key), execution_options=_PAGE):
        yield HeldKeyRow(label=row.label, name=row.name)


def _steps(connection: Connection) -> Iterator[StepRow]:
    for row in connection.execute(select(tables.ceremony_step), execution_options=_PAGE):
        held = {each.name: getattr(row, each.name) for each in fields(StepRow)}
        yield StepRow(**{**held, "given": _canonical(row.given), "signatures": _canonical(row.signatures)})


def _canonical(text: str | None) -> str | None:
    """As records write it; what nothing of ours wrote stays as it is, and differs."""
    try:
        return None if text is None else encode(json.loads(text)).decode()
    except (ValueError, TypeError, AttributeError):
        return text
