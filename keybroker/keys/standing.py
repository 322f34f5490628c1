"""What evidence is held, as it is committed? It stands beside the register and shares its version."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select

from keybroker.ledger import tables
from keybroker.ledger.store import from_seconds
from keybroker.statement.attester import Attester
from keybroker.statement.compact import read_compact
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import MODELS
from keybroker.statement.standing import PersonAct, Standing
from keybroker.statement.statement import Statement


def read_standing(connection: Connection) -> Standing:
    """Every attester, every statement that is held and was not withdrawn, and every act by order."""
    held = select(tables.statement).where(tables.statement.c.withdrawn_index.is_(None))
    restored = connection.execute(select(func.max(tables.restore.c.at))).scalar()
    return Standing(
        attesters={each.kid: each for each in map(_attester, connection.execute(select(tables.attester)))},
        statements=tuple(read_held(row) for row in connection.execute(held.order_by(tables.statement.c.leaf_index))),
        acts=tuple(
            PersonAct(person=row.person, subject=row.subject, at=from_seconds(row.at))
            for row in connection.execute(select(tables.person_act).order_by(tables.person_act.c.leaf_index))
        ),
        restored_at=None if restored is None else from_seconds(restored),
    )


def _attester(row: Any) -> Attester:
    return Attester(
        kid=row.kid,
        name=row.name,
        party=row.party,
        certificate=row.certificate,
        kinds=frozenset(StatementKind(kind) for kind in row.kinds.split()),
        since=from_seconds(row.since),
        until=from_seconds(row.until),
        withdrawn_at=None if row.withdrawn_at is None else from_seconds(row.withdrawn_at),
    )


def read_held(row: Any) -> Statement:
    """One row of ``tables.statement``."""
    return _read(row.leaf_index, row.attester, StatementKind(row.kind), row.compact)


@lru_cache(maxsize=4096)
def _read(leaf_index: int, attester: str, kind: StatementKind, compact: bytes) -> Statement:
    """It verified when it was taken in, and its record holds it whole; only what it says is read again."""
    unverified = read_compact(compact)
    return Statement(
        kind=kind,
        attester=attester,
        kid=unverified.kid,
        payload=MODELS[kind].model_validate(unverified.claims),
        compact=unverified.compact,
        sha256=unverified.sha256,
        leaf_index=leaf_index,
    )
