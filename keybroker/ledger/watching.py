"""Who looks through the ledger for Anomalous Events, and writes down what was found? SEC G2.29-G2.30, G3.15-G3.16.

It follows the ledger by reading, behind everybody, and takes a turn only to write. Events, how far it looked and the
messages to be sent are one transaction: whenever it dies, whoever begins again reads all the records, knows by them
what was known, and tells of each event once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import final

from sqlalchemy import Connection, insert, select, update

from keybroker.ledger import tables
from keybroker.ledger.anomalies import Detecting
from keybroker.ledger.anomaly_form import Anomaly
from keybroker.ledger.anomaly_settings import AnomalySettings
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.following import bodies, body_at
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.message_queue import enqueue
from keybroker.ledger.model import Entry, RecordKind
from keybroker.ledger.reading import Reader
from keybroker.ledger.turn import Turn
from keybroker.terms import CallerKind, PartyName

_AT_ONCE = 10_000
"""Records looked through before what was found is written: then others are told, and nothing is read twice."""
_UNWRITTEN = 5_000
"""Records that were looked through for nothing before that is written down: so many a new beginning reads again."""


class AnotherWatches(Exception):
    """Somebody else wrote how far the ledger was looked through: begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An Anomalous Event that is on record."""

    leaf_index: int
    anomaly: Anomaly


@final
@dataclass(slots=True, kw_only=True)
class Watch:
    """``messages``: somebody is sent a message on each event. Call ``begin``, then ``look`` every so often."""

    journal: Journal
    settings: AnomalySettings
    messages: bool
    _detecting: Detecting = field(init=False)
    _next: int = 0
    _written: int = 0
    _pending: list[Anomaly] = field(default_factory=list)

    def begin(self, at: datetime, *, live: Callable[[], bool] = lambda: True) -> None:
        """Read what was looked through before. Where nothing was, everything up to now counts as known.

        ``live``: asked now and then; False ends it early. Raises: LedgerFault.
        """
        ledger = self.journal.ledger
        self._detecting = Detecting(settings=self.settings, find=partial(body_at, ledger))
        self._pending = []
        looked_to = find_mark(ledger)
        if looked_to is None:
            looked_to = ledger.transact(partial(_first_mark, size=ledger.head(at).tree_size))
        for index, body in bodies(ledger, 0, looked_to):
            self._detecting.observe(index, body)
            if index % _UNWRITTEN == 0 and not live():
                return
        self._next = self._written = looked_to

    def look(self, at: datetime) -> list[Event]:
        """Look through what is new, and write down what was found. Raises: AnotherWatches, LedgerFault: after
        OutcomeUnknown and AnotherWatches call ``begin`` again; after LedgerUnavailable nothing was written or is lost.
        """
        ledger = self.journal.ledger
        size = ledger.head(at).tree_size
        if not self._pending:
            last = min(size, self._next + _AT_ONCE)
            for index, body in bodies(ledger, self._next, last):
                self._pending += self._detecting.observe(index, body)
                self._next = index + 1
            if self._next == size:
                self._pending += self._detecting.overdue(at)
        if not self._pending and self._next - self._written < _UNWRITTEN:
            return []
        events = ledger.transact(lambda turn: self._write(turn, at))
        self._written, self._pending = self._next, []
        return events

    @property
    def looked_to(self) -> int:
        """Records before this leaf index were looked through."""
        return self._next

    def rest(self) -> None:
        """Write down how far it was looked, at the end. Raises: AnotherWatches, LedgerFault."""
        if self._next > self._written and not self._pending:
            self.journal.ledger.transact(lambda turn: _set_mark(turn.connection, self._written, self._next))
            self._written = self._next

    def _write(self, turn: Turn, at: datetime) -> list[Event]:
        _set_mark(turn.connection, self._written, self._next)
        events = [append_event(turn, self.journal, each, at) for each in self._pending]
        if self.messages:
            enqueue(turn.connection, [each.leaf_index for each in events], at)
        return events


def append_event(turn: Turn, journal: Journal, anomaly: Anomaly, at: datetime) -> Event:
    """The record of one event, in this turn."""
    identity = f"worker:{journal.worker}"
    actor: dict[str, Json] = {"identity": identity, "kind": CallerKind.BROKER.value, "party": ""}
    entry = Entry(kind=RecordKind.ADMINISTRATIVE, party=PartyName(""), body={**anomaly.told(), "actor": actor})
    octets = encode(journal.writer.entry(entry, at))
    receipt = turn.append(kind=entry.kind.value, party=entry.party, octets=octets, leaf_hash=leaf_hash(octets))
    return Event(leaf_index=receipt.leaf_index, anomaly=anomaly)


def find_mark(ledger: Reader) -> int | None:
    """How far the ledger was looked through, None: never. Raises: LedgerFault."""
    with ledger.read() as connection:
        return _mark(connection)


def _mark(connection: Connection) -> int | None:
    found: int | None = connection.execute(select(tables.anomaly_watch.c.looked_to)).scalar()
    return found


def _first_mark(turn: Turn, *, size: int) -> int:
    found = _mark(turn.connection)
    if found is None:
        turn.connection.execute(insert(tables.anomaly_watch).values(id=1, looked_to=size))
    return size if found is None else found


def _set_mark(connection: Connection, before: int, now: int) -> None:
    """Raises: AnotherWatches where another mark stands there."""
    if _mark(connection) != before:
        raise AnotherWatches
    connection.execute(update(tables.anomaly_watch).values(looked_to=now))
