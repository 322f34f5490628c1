"""Which records and messages may age out, and how do they go? In a turn, some thousands at a time.

SEC G2.17-G2.18, G3.10. A record's leaf hash stays, and with it the tree; its octets go, and SQLite writes zeros where
they stood. Nothing goes that something live rests on: an intent goes with its end and whatever gave that again, or not
at all; not while its request's name is remembered, nor where it took something or a statement came with it (what is
spent stays verifiable), nor before the life of its key is over. Administrative acts, the origin and communications that
were quarantined never go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.model import RecordKind
from keybroker.ledger.turn import Turn
from keybroker.ledger.upkeep_form import MOST_RANGES, Aged
from keybroker.ledger.verify_counters import use_of
from keybroker.ledger.verify_form import moment_of
from keybroker.terms import ContentKind, KeyState

_ENDS = (RecordKind.OUTCOME, RecordKind.CLOSED)
_READS = (RecordKind.READ, RecordKind.START, RecordKind.STOP)
_SPENDS = ("taken", "evidence", "released")
"""What an intent has that spent something, or rests on what a User said."""
_OVER = frozenset(
    state.value for state in (KeyState.RETIRED, KeyState.SUPERSEDED, KeyState.TRANSFERRED, KeyState.DESTROYED)
)
"""A key is never used here again, and nobody counts its uses any more."""
_WINDOW = MOST_RANGES // 4
"""Records looked at in one turn: they make at most three ranges each."""

Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """What is older may go; None: nothing of that sort. ``uses`` are intents, their ends and releases."""

    octets: datetime | None
    reads: datetime | None
    refusals: datetime | None
    uses: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """Every release that has its octets: leaf index and moment, by the outcome that it gave again."""

    by_outcome: Mapping[int, Sequence[tuple[int, datetime]]]


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What one turn takes out."""

    kinds: dict[int, str] = field(default_factory=dict)
    uses: int = 0
    until: int | None = None

    def take(self, index: int, kind: RecordKind) -> None:
        self.kinds[index] = kind.value

    def take_use(self, index: int, body: Body) -> None:
        """The intent itself."""
        self.take(index, RecordKind.INTENT)
        self.uses += use_of(index, dict(body))
        self.until = max(int(moment_of(index, body).timestamp()), self.until or 0)


def read_releases(connection: Connection) -> Releases:
    """Looked for once: there is no other way from an outcome to what gave it again."""
    record, found = tables.record.c, dict[int, list[tuple[int, datetime]]]()
    wanted = select(record.leaf_index, record.octets).where(record.kind == RecordKind.RELEASE.value)
    for index, octets in connection.execute(wanted, execution_options={"yield_per": 500}):
        if octets:
            body = decode(octets)
            found.setdefault(int(str(body["outcome"])), []).append((index, moment_of(index, body)))
    return Releases(by_outcome=found)


def age(turn: Turn, cutoffs: Cutoffs, releases: Releases, *, retain: int, start: int) -> tuple[Aged | None, int | None]:
    """Take out what may go among the next records from leaf index ``start`` on, and messages of that age.

    Answers what went (None: nothing), and where to go on (None: all was looked at). ``retain`` is the record of the
    order. The record of what went is for the caller to write, in this very turn.
    """
    # In pages of our own transaction: what is deleted is overwritten in the file, not only forgotten.
    turn.connection.exec_driver_sql("PRAGMA secure_delete = ON")
    record = tables.record
    rows = list(
        turn.connection.execute(
            select(record).where(record.c.leaf_index >= start).order_by(record.c.leaf_index).limit(_WINDOW)
        )
    )
    batch = _Batch()
    for row in rows:
        if row.octets:
            _look(turn.connection, row, batch, cutoffs, releases)
    _empty(turn.connection, sorted(batch.kinds))
    erased = _erase_octets(turn.connection, cutoffs.octets, rows)
    following = rows[-1].leaf_index + 1 if len(rows) == _WINDOW and not _is_past(rows, cutoffs) else None
    if not batch.kinds and not erased:
        return None, following
    counts: dict[str, int] = {}
    for kind in batch.kinds.values():
        counts[kind] = counts.get(kind, 0) + 1
    aged = Aged(
        retain=retain,
        octets=erased,
        ranges=tuple(_ranges(sorted(batch.kinds))),
        kinds=counts,
        uses=f"{batch.uses:x}",
        until=batch.until,
    )
    return aged, following


def _is_past(rows: Sequence[Any], cutoffs: Cutoffs) -> bool:
    """Is what follows too young? Workers' clocks differ by less than a day."""
    named = [each for each in (cutoffs.octets, cutoffs.reads, cutoffs.refusals, cutoffs.uses) if each is not None]
    last = next((row for row in reversed(rows) if row.octets), None)
    if last is None or not named:
        return not named
    return moment_of(last.leaf_index, decode(last.octets)) > max(named) + timedelta(days=1)


def _look(connection: Connection, row: Any, batch: _Batch, cutoffs: Cutoffs, releases: Releases) -> None:
    """Does this record go? Intents and releases go with the end between them."""
    index, kind = row.leaf_index, RecordKind(row.kind)
    if kind in _ENDS:
        _look_at_use(connection, row, batch, cutoffs.uses, releases)
    elif kind in _READS or kind is RecordKind.REFUSAL:
        body, cutoff = decode(row.octets), cutoffs.reads if kind in _READS else cutoffs.refusals
        if "quarantine" not in body and _is_before(moment_of(index, body), cutoff):
            batch.take(index, kind)


def _look_at_use(connection: Connection, end: Any, batch: _Batch, cutoff: datetime | None, releases: Releases) -> None:
    """A use goes whole: its intent, its end and whatever gave that again, or nothing of it."""
    index, body = end.leaf_index, decode(end.octets)
    intent, given_again = int(str(body["intent"])), releases.by_outcome.get(index, ())
    begun = _body(connection, intent)
    moments = [moment_of(index, body), *(at for _, at in given_again)]
    if not all(_is_before(at, cutoff) for at in moments) or not _goes(connection, intent, begun, cutoff):
        return
    if _is_rested_on(connection, index):
        return
    batch.take_use(intent, begun)
    batch.take(index, RecordKind(end.kind))
    for release, _ in given_again:
        batch.take(release, RecordKind.RELEASE)


def _goes(connection: Connection, intent: int, begun: Body, cutoff: datetime | None) -> bool:
    """May the intent go: old, nothing spent, its name forgotten, and the life of its key over?"""
    if not begun or not _is_before(moment_of(intent, begun), cutoff) or any(name in begun for name in _SPENDS):
        return False
    content = begun["content"]
    if isinstance(content, dict) and content.get("kind") == ContentKind.AUDIT_CHECKPOINT:
        # Whoever holds a checkpoint can ask for ever what the ledger was.
        return False
    named = select(tables.request.c.intent_index).where(tables.request.c.intent_index == intent)
    if connection.execute(named).first() is not None:
        return False
    state = select(tables.key.c.state).where(tables.key.c.label == str(begun["key"]))
    return connection.execute(state).scalar() in _OVER


def _is_rested_on(connection: Connection, outcome: int) -> bool:
    """A session's key was made on the signature of this handshake (SEC G2.44A(d))."""
    made = select(tables.session_key.c.label).where(tables.session_key.c.handshake == outcome)
    return connection.execute(made).first() is not None


def _is_before(at: datetime, cutoff: datetime | None) -> bool:
    return cutoff is not None and at < cutoff


def _body(connection: Connection, index: int) -> Body:
    octets = connection.execute(select(tables.record.c.octets).where(tables.record.c.leaf_index == index)).scalar()
    return decode(octets) if octets else {}


def _empty(connection: Connection, indexes: Sequence[int]) -> None:
    for some in _by_hundreds(indexes):
        where = tables.record.c.leaf_index.in_(some)
        connection.execute(update(tables.record).where(where).values(octets=b""))
        connection.execute(delete(tables.octets).where(tables.octets.c.leaf_index.in_(some)))


def _erase_octets(connection: Connection, cutoff: datetime | None, rows: Sequence[Any]) -> int:
    """The messages of the intents in this window that are old enough; how many."""
    if cutoff is None or not rows:
        return 0
    kept = tables.octets.c
    span = (kept.leaf_index >= rows[0].leaf_index) & (kept.leaf_index <= rows[-1].leaf_index)
    return connection.execute(delete(tables.octets).where(span & (kept.at < int(cutoff.timestamp())))).rowcount


def _ranges(indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending leaf indexes as first and last of each run."""
    first = last = None
    for index in indexes:
        if last is None or first is None:
            first = index
        elif index != last + 1:
            yield first, last
            first = index
        last = index
    if first is not None and last is not None:
        yield first, last


def _by_hundreds(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    return (indexes[at : at + 500] for at in range(0, len(indexes), 500))
