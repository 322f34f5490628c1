"""What evidence is held, as it is committed? It stands beside the register and shares its version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select

from keybroker.clause import clause
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.store import from_seconds
from keybroker.statement.attester import Attester
from keybroker.statement.compact import read_compact
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import MODELS
from keybroker.statement.standing import PersonAct, Standing
from keybroker.statement.statement import Statement


def read_standing(connection: Connection) -> Standing:
    """Every attester, every statement that is held and was not withdrawn, and every act by order or in a
    ceremony."""
    held = select(tables.statement).where(tables.statement.c.withdrawn_index.is_(None))
    restored = connection.execute(select(func.max(tables.restore.c.at))).scalar()
    return Standing(
        attesters={each.kid: each for each in map(_attester, connection.execute(select(tables.attester)))},
        statements=tuple(read_held(row) for row in connection.execute(held.order_by(tables.statement.c.leaf_index))),
        acts=(*_by_order(connection), *_in_ceremonies(connection)),
        restored_at=None if restored is None else from_seconds(restored),
    )


def _by_order(connection: Connection) -> Iterator[PersonAct]:
    for row in connection.execute(select(tables.person_act).order_by(tables.person_act.c.leaf_index)):
        yield PersonAct(person=row.person, subject=row.subject, at=from_seconds(row.at))


_act, _step, _held = tables.key_transition.c, tables.ceremony_step.c, tables.ceremony_key.c
_WORD = (
    select(_step.entry)
    .where(_step.name == _act.ceremony, _step.leaf_index < _act.leaf_index)
    .order_by(_step.leaf_index.desc())
    .limit(1)
    .scalar_subquery()
)
"""The entry by whose word the act was done: the last that was concluded before it (``life.check_word``)."""
_BY_WORD = (
    # By the few keys that ceremonies held: the history of sessions' keys is long, and is not to be read each time.
    select(_act.label, _act.at, _WORD.label("entry"))
    .where(_act.label.in_(select(_held.label)), _act.ceremony.is_not(None))
    .order_by(_act.leaf_index, _act.label)
)


# SEC G3.23: whoever signed for the step in which such a key was made, renewed or destroyed is one of those who
# configured or maintained what holds it, as whoever orders such an act is.
@clause("G3.23", "G3.24")
def _in_ceremonies(connection: Connection) -> Iterator[PersonAct]:
    """No table of their own: history and steps are recomputed from the records, and name them in every ledger."""
    for row in connection.execute(_BY_WORD):
        for person in _people(row.entry):
            yield PersonAct(person=person, subject=f"key:{row.label}", at=datetime.fromisoformat(row.at))


@lru_cache(maxsize=1024)
def _people(entry: str) -> tuple[str, ...]:
    people = decode(entry.encode())["people"]
    return tuple(map(str, people)) if isinstance(people, list) else ()


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
