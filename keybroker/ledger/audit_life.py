"""What do the tables of keys, their history and their copies hold? For an auditor: every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.verify_life_rows import CopyRow, KeyRow, LifeRows, TransitionRow

_PAGE = {"yield_per": 500}


def life_rows(connection: Connection) -> LifeRows:
    """Each table is read when its rows are asked for."""
    return LifeRows(keys=_keys(connection), transitions=_transitions(connection), copies=_copies(connection))


def _keys(connection: Connection) -> Iterator[KeyRow]:
    for row in connection.execute(select(tables.key), execution_options=_PAGE):
        yield KeyRow(
            label=row.label,
            purpose=row.purpose,
            party=row.party,
            state=row.state,
            provenance=row.provenance,
            public_key=None if row.public_key is None else row.public_key.hex(),
            eui=None if row.eui is None else row.eui.hex("-").upper(),
            revoked_at=row.revoked_at,
            renews=row.renews,
            activated_at=row.activated_at,
            uses_before=row.uses_before,
        )


def _transitions(connection: Connection) -> Iterator[TransitionRow]:
    for row in connection.execute(select(tables.key_transition), execution_options=_PAGE):
        yield TransitionRow(**{each.name: getattr(row, each.name) for each in fields(TransitionRow)})


def _copies(connection: Connection) -> Iterator[CopyRow]:
    for row in connection.execute(select(tables.key_copy), execution_options=_PAGE):
        yield CopyRow(**{each.name: getattr(row, each.name) for each in fields(CopyRow)})
