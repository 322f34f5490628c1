"""What do the tables beside the records hold of ceremonies? Plans, keys that are held, steps and what was signed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import DONE, OPEN
from keybroker.terms import KeyState

_ceremony, _key, _step = tables.ceremony, tables.ceremony_key, tables.ceremony_step


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """``entry``, ``signatures`` (base64 by name) and ``leaf_index`` are None while it is begun and not concluded."""

    step: str
    given: Mapping[str, Json]
    begun_index: int
    entry: str | None
    signatures: Mapping[str, str] | None
    leaf_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCeremony:
    """``plan`` is its very text."""

    name: str
    kind: str
    side: str
    state: str
    plan: str
    steps: tuple[StoredStep, ...]


def find_ceremony(connection: Connection, name: str) -> StoredCeremony | None:
    """One of them with its steps in order, None where there is none of that name."""
    row = connection.execute(select(_ceremony).where(_ceremony.c.name == name)).one_or_none()
    if row is None:
        return None
    rows = connection.execute(select(_step).where(_step.c.name == name).order_by(_step.c.number))
    return StoredCeremony(
        name=row.name,
        kind=row.kind,
        side=row.side,
        state=row.state,
        plan=row.plan,
        steps=tuple(map(_stored, rows)),
    )


def every_ceremony(connection: Connection) -> tuple[tuple[str, str, str], ...]:
    """Name, kind and state of each, the oldest first."""
    columns = select(_ceremony.c.name, _ceremony.c.kind, _ceremony.c.state).order_by(_ceremony.c.leaf_index)
    return tuple((row.name, row.kind, row.state) for row in connection.execute(columns))


def done_plans(connection: Connection, kind: str) -> tuple[str, ...]:
    """The very texts of the plans of this kind that were carried out, the oldest first."""
    done = select(_ceremony.c.plan).where(_ceremony.c.kind == kind, _ceremony.c.state == DONE)
    return tuple(connection.execute(done.order_by(_ceremony.c.leaf_index)).scalars())


def busy_keys(connection: Connection) -> dict[str, str]:
    """Keys that a ceremony is under way with: label to name."""
    held = select(_key.c.label, _key.c.name).join(_ceremony, _ceremony.c.name == _key.c.name)
    return {row.label: row.name for row in connection.execute(held.where(_ceremony.c.state == OPEN))}


def all_in_state(connection: Connection, name: str, state: KeyState) -> bool:
    """Is each key that it holds in that state?"""
    table = tables.key
    held = select(table.c.state).join(_key, _key.c.label == table.c.label).where(_key.c.name == name)
    return set(connection.execute(held).scalars()) == {state.value}


def last_entry(connection: Connection, name: str) -> str:
    """SHA-256, in hexadecimal, of the entry that was concluded last in it; empty before the first."""
    concluded = select(_step.c.entry).where(_step.c.name == name, _step.c.entry.is_not(None))
    entry = connection.execute(concluded.order_by(_step.c.number.desc()).limit(1)).scalar()
    return "" if entry is None else sha256(entry.encode()).hexdigest()


def any_concluded(connection: Connection) -> bool:
    """Was a step of any ceremony ever concluded here?"""
    concluded = select(_step.c.number).where(_step.c.entry.is_not(None)).limit(1)
    return connection.execute(concluded).first() is not None


def write_ceremony(connection: Connection, told: Mapping[str, Any], leaf_index: int, labels: Iterable[str]) -> None:
    """It is open; ``told`` are its name, kind, side and plan."""
    connection.execute(insert(_ceremony).values(**told, state=OPEN, leaf_index=leaf_index))
    connection.execute(insert(_key), [{"label": label, "name": told["name"]} for label in labels])


def write_given_up(connection: Connection, name: str, number: int) -> None:
    """A step that was begun and not concluded is so no more: another takes its number."""
    own = (_step.c.name == name, _step.c.number == number, _step.c.entry.is_(None))
    connection.execute(delete(_step).where(*own))


def write_begun(
    connection: Connection, name: str, number: int, step: str, given: Mapping[str, Json], begun_index: int
) -> None:
    row = {"name": name, "number": number, "step": step, "given": json.dumps(dict(given)), "begun_index": begun_index}
    connection.execute(insert(_step).values(row))


def write_concluded(
    connection: Connection, name: str, number: int, entry: str, signatures: Mapping[str, str], leaf_index: int
) -> None:
    signed = json.dumps(dict(signatures), sort_keys=True)
    values = {"entry": entry, "signatures": signed, "leaf_index": leaf_index}
    connection.execute(update(_step).where(_step.c.name == name, _step.c.number == number).values(values))


def write_state(connection: Connection, name: str, state: str) -> None:
    connection.execute(update(_ceremony).where(_ceremony.c.name == name).values(state=state))


def _stored(row: Any) -> StoredStep:
    return StoredStep(
        step=row.step,
        given=json.loads(row.given),
        begun_index=row.begun_index,
        entry=row.entry,
        signatures=None if row.signatures is None else json.loads(row.signatures),
        leaf_index=row.leaf_index,
    )
