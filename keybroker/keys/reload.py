"""Does a person order that the running broker takes this configuration? SEC G3.23, G3.24.

Such an order is taken in beforehand (``keybroker evidence add order``) and held. Every worker takes the configuration
by the same order: the first that does has used it, the others follow, and after the next reload it counts no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select, update

from keybroker.clause import clause
from keybroker.errors import PersonMayNotAct
from keybroker.gates.people import PeopleSettings, check_may_act
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act
from keybroker.keys.orders import administrator, remember_act, serves_united_kingdom, without_order
from keybroker.keys.standing import read_held, read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.record import order_target
from keybroker.ledger.turn import Turn
from keybroker.policy.model import Policy
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Order
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import CallerKind, KeyPurpose, PartyName

SUBJECT = "configuration"
"""What a reload acts on (``PersonAct.subject``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """``digest`` is ``Sources.digest`` of the new configuration; ``policies`` and ``people`` are those in force."""

    digest: bytes
    policies: Mapping[KeyPurpose, Policy]
    people: PeopleSettings


def told_reload(digest: bytes) -> dict[str, Json]:
    """What records say of a reload, and what an order for it names (``order_target``)."""
    return {"act": "Reload", "configuration": digest.hex()}


@clause("G3.23", "G3.24")
def check_reload_ordered(ledger: Reader, asked: Reload, at: datetime) -> None:
    """Is an order held by which this configuration may be taken now? Writes nothing.

    Raises: PersonMayNotAct, LedgerFault.
    """
    with ledger.read() as connection:
        _order(connection, asked, at)


@clause("G3.23", "G3.24")
def record_reload(journal: Journal, asked: Reload, at: datetime) -> Receipt:
    """A worker takes the configuration: recorded with the order by which it does, which is used from then on.

    Raises: PersonMayNotAct, LedgerFault.
    """
    worker = Actor(identity=f"worker:{journal.worker}", kind=CallerKind.BROKER, party=PartyName(""))

    def work(turn: Turn) -> Receipt:
        order = _order(turn.connection, asked, at)
        body = {**told_reload(asked.digest), "order": order.sha256.hex(), "person": order.attester}
        first = _is_held(turn, order)
        receipt = record_act(turn, journal, worker, at, body, moves=first)
        if first:
            _settle(turn, order, receipt, at)
        return receipt

    return journal.ledger.transact(work)


def _order(connection: Connection, asked: Reload, at: datetime) -> Statement:
    """The newest order for this configuration by a person who may act now. Raises: PersonMayNotAct."""
    act = told_reload(asked.digest)
    standing = read_standing(connection)
    demand = administrator(in_united_kingdom=serves_united_kingdom(connection, asked.policies))
    refused = None
    for order in _orders(connection, standing, act, at):
        try:
            check_may_act(order.attester, act=demand, standing=standing, settings=asked.people, at=at)
        except PersonMayNotAct as refusal:
            refused = refused or refusal
        else:
            return order
    if refused is not None:
        raise refused
    missing = without_order(act)
    give = f"{missing.sentence}; give it with: keybroker evidence add order FILE"
    raise PersonMayNotAct(give, findings=missing.findings)


def _orders(connection: Connection, standing: Standing, act: Mapping[str, Json], at: datetime) -> Iterator[Statement]:
    """Orders for this act, the newest first: those that are held, and the one that the last reload used."""
    table, name, target = tables.statement, act["act"], order_target(act)
    counts = or_(table.c.withdrawn_index.is_(None), table.c.withdrawn_index == _last_reload(connection))
    rows = select(table).where(table.c.kind == StatementKind.ORDER.value, counts)
    for row in connection.execute(rows.order_by(table.c.leaf_index.desc())):
        statement = read_held(row)
        order = statement.payload
        named = isinstance(order, Order) and (order.act, order.target) == (name, target)
        if named and standing.why_void(statement, at) is None:
            yield statement


def _last_reload(connection: Connection) -> int:
    table = tables.person_act
    last = select(func.max(table.c.leaf_index)).where(table.c.subject == SUBJECT)
    index: int | None = connection.execute(last).scalar()
    return -1 if index is None else index


def _is_held(turn: Turn, order: Statement) -> bool:
    table = tables.statement
    own = (table.c.sha256 == order.sha256) & table.c.withdrawn_index.is_(None)
    return turn.connection.execute(select(table.c.leaf_index).where(own)).first() is not None


def _settle(turn: Turn, order: Statement, receipt: Receipt, at: datetime) -> None:
    """It is held no more: the record of the reload took it; and who acted is remembered."""
    table = tables.statement
    own = update(table).where(table.c.sha256 == order.sha256)
    turn.connection.execute(own.values(withdrawn_index=receipt.leaf_index))
    remember_act(turn, SUBJECT, order.attester, receipt, at)
