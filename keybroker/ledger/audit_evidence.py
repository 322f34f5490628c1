"""What do the tables of evidence hold? For an auditor: every row, octets by their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.verify_rows import AttesterRow, EvidenceRows, PersonActRow, RestoreRow, StatementRow, UsedRow

_PAGE = {"yield_per": 500}


def evidence_rows(connection: Connection) -> EvidenceRows:
    """Each table is read when its rows are asked for."""
    return EvidenceRows(
        attesters=_attesters(connection),
        statements=_statements(connection),
        used=_used(connection),
        person_acts=_person_acts(connection),
        restores=_restores(connection),
    )


def _attesters(connection: Connection) -> Iterator[AttesterRow]:
    for row in connection.execute(select(tables.attester), execution_options=_PAGE):
        yield AttesterRow(
            kid=row.kid,
            name=row.name,
            party=row.party,
            certificate=sha256(row.certificate).hexdigest(),
            kinds=row.kinds,
            since=row.since,
            until=row.until,
            withdrawn_at=row.withdrawn_at,
        )


def _statements(connection: Connection) -> Iterator[StatementRow]:
    for row in connection.execute(select(tables.statement), execution_options=_PAGE):
        yield StatementRow(
            leaf_index=row.leaf_index,
            kind=row.kind,
            attester=row.attester,
            sha256=row.sha256.hex(),
            compact=sha256(row.compact).hexdigest(),
            withdrawn_index=row.withdrawn_index,
        )


def _used(connection: Connection) -> Iterator[UsedRow]:
    for row in connection.execute(select(tables.statement_used), execution_options=_PAGE):
        yield UsedRow(identity=row.identity, sha256=row.sha256.hex(), leaf_index=row.leaf_index)


def _person_acts(connection: Connection) -> Iterator[PersonActRow]:
    for row in connection.execute(select(tables.person_act), execution_options=_PAGE):
        yield PersonActRow(leaf_index=row.leaf_index, subject=row.subject, person=row.person, at=row.at)


def _restores(connection: Connection) -> Iterator[RestoreRow]:
    for row in connection.execute(select(tables.restore), execution_options=_PAGE):
        yield RestoreRow(leaf_index=row.leaf_index, at=row.at, lost=row.lost)
