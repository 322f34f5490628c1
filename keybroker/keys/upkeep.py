"""Who backed the ledger up, and when was it last? SEC G2.16. Each back-up is a record of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import from_seconds
from keybroker.ledger.turn import Turn
from keybroker.ledger.upkeep_form import BACK_UP, BackedUp, read_backed_up


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBackUp:
    """``leaf_index`` is of the record that says so, ``at`` its moment in whole seconds."""

    leaf_index: int
    at: datetime
    backed_up: BackedUp


def record_back_up(journal: Journal, actor: Actor, backed_up: BackedUp, at: datetime) -> Receipt:
    """Write down that a back-up was made. Raises: LedgerFault."""
    return journal.ledger.transact(lambda turn: record_upkeep(turn, journal, actor, backed_up.told(), at))


def record_upkeep(turn: Turn, journal: Journal, actor: Actor, told: dict[str, Json], at: datetime) -> Receipt:
    """An act on the ledger itself, in this turn, and where it stands."""
    receipt = record_act(turn, journal, actor, at, told)
    row = {"leaf_index": receipt.leaf_index, "act": told["act"], "at": int(at.timestamp())}
    turn.connection.execute(insert(tables.upkeep).values(row))
    return receipt


def back_ups(ledger: Reader) -> Sequence[RecordedBackUp]:
    """Every back-up that the records tell of, the oldest first. Raises: LedgerFault."""
    upkeep, record = tables.upkeep.c, tables.record.c
    told = (
        select(upkeep.leaf_index, upkeep.at, record.octets)
        .join(tables.record, record.leaf_index == upkeep.leaf_index)
        .where(upkeep.act == BACK_UP)
        .order_by(upkeep.leaf_index)
    )
    with ledger.read() as connection:
        return [_recorded(row.leaf_index, row.at, row.octets) for row in connection.execute(told)]


def last_back_up(connection: Connection) -> datetime | None:
    """When the last one was made, in whole seconds; None where none was. Raises: what reading raises."""
    at = tables.upkeep.c.at
    found = connection.execute(select(func.max(at)).where(tables.upkeep.c.act == BACK_UP)).scalar()
    return None if found is None else from_seconds(found)


def _recorded(leaf_index: int, at: int, octets: bytes) -> RecordedBackUp:
    act = decode(octets)["body"]
    told = act if isinstance(act, dict) else {}
    return RecordedBackUp(leaf_index=leaf_index, at=from_seconds(at), backed_up=read_backed_up(leaf_index, told))
