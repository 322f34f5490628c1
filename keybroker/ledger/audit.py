"""What does the store give an auditor? The whole ledger, streamed, for ``verify``; and the erasure of kept octets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.audit_anomalies import watch_rows
from keybroker.ledger.audit_ceremonies import ceremony_rows
from keybroker.ledger.audit_checkpoints import transparency_rows
from keybroker.ledger.audit_evidence import evidence_rows
from keybroker.ledger.audit_life import life_rows
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import Head, StoredRecord
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import Ledger
from keybroker.ledger.verify import RequestRow, Verified, verify_ledger
from keybroker.ledger.verify_claims import ListRow
from keybroker.ledger.verify_counts import CheckRow, QuarantineRow
from keybroker.terms import PartyName

_PAGE = 2000
_TOLD_EVERY = 250


Progress = Callable[[int, int], object]
"""Told how many records are done, and of how many."""


def verify(
    ledger: Reader, at: datetime, *, anchor: Head | None = None, progress: Progress = lambda _done, _total: None
) -> Verified:
    """Recompute everything that the ledger holds. Raises: LedgerBroken, which names the first thing wrong."""
    with ledger.read() as connection:
        row = connection.execute(select(tables.head)).one_or_none()
        if row is None:
            raise LedgerBroken("the ledger has no head")
        head = Head(origin=ledger.origin, tree_size=row.tree_size, root_hash=row.root_hash, at=at)
        verified = verify_ledger(
            _told(_records(connection), head.tree_size, progress),
            head,
            find=lambda index: _find(connection, index),
            deployment=ledger.deployment,
            requests=_requests(connection),
            counters=_counters(connection),
            octets=_octets(connection),
            taken=_taken(connection),
            lists=_lists(connection),
            counts=_counts(connection),
            quarantine=_quarantine(connection),
            checks=_checks(connection),
            evidence=evidence_rows(connection),
            life=life_rows(connection),
            ceremonies=ceremony_rows(connection),
            watch=watch_rows(connection),
            transparency=transparency_rows(connection),
            anchor=anchor,
        )
        _check_frontier(row)
        return verified


def read_records(ledger: Reader, first: int, count: int) -> list[StoredRecord]:
    """Records from a leaf index on. Raises: LedgerUnavailable, LedgerBroken."""
    table = tables.record
    wanted = select(table).where(table.c.leaf_index >= first).order_by(table.c.leaf_index).limit(count)
    with ledger.read() as connection:
        return [_stored(row) for row in connection.execute(wanted)]


def erase_octets(ledger: Ledger, digest: bytes) -> int:
    """Erase the kept octets with this digest, those in quarantine too; answers how many copies. Their records stay, and
    the tree with them.

    Raises: LedgerUnavailable, OutcomeUnknown, LedgerBroken.
    """
    kept, held = tables.octets, tables.quarantine
    of_it = (held.c.sha256 == digest) & held.c.octets.is_not(None)
    erasures = (delete(kept).where(kept.c.sha256 == digest), update(held).where(of_it).values(octets=None))
    return ledger.transact(lambda turn: sum(turn.connection.execute(each).rowcount for each in erasures))


def find_octets(ledger: Reader, leaf_index: int) -> bytes | None:
    """The kept octets of an intent, None where they were erased or never kept.

    Raises: LedgerUnavailable, LedgerBroken.
    """
    table = tables.octets
    with ledger.read() as connection:
        found: bytes | None = connection.execute(
            select(table.c.octets).where(table.c.leaf_index == leaf_index)
        ).scalar()
    return found


def _check_frontier(row: Any) -> None:
    try:
        frontier = Frontier.from_octets(row.tree_size, row.frontier)
    except ValueError as error:
        raise LedgerBroken(f"the head contradicts itself: {error}") from error
    if frontier.root() != row.root_hash:
        raise LedgerBroken(f"the head expects root {row.root_hash.hex()}, its frontier gives {frontier.root().hex()}")


def _pages(connection: Connection, table: Table) -> Iterator[Any]:
    # By pages, not by one cursor held open: several of these run side by side.
    index, last = table.primary_key.columns[0], -1
    while True:
        page = connection.execute(select(table).where(index > last).order_by(index).limit(_PAGE)).all()
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def _told(records: Iterator[StoredRecord], total: int, progress: Progress) -> Iterator[StoredRecord]:
    for done, stored in enumerate(records):
        if done % _TOLD_EVERY == 0:
            progress(done, total)
        yield stored
    progress(total, total)


def _records(connection: Connection) -> Iterator[StoredRecord]:
    return map(_stored, _pages(connection, tables.record))


def _find(connection: Connection, index: int) -> bytes:
    found: bytes = connection.execute(
        select(tables.record.c.octets).where(tables.record.c.leaf_index == index)
    ).scalar_one()
    return found


def _stored(row: Any) -> StoredRecord:
    return StoredRecord(
        leaf_index=row.leaf_index, octets=row.octets, leaf_hash=row.leaf_hash, kind=row.kind, party=PartyName(row.party)
    )


def _requests(connection: Connection) -> Iterator[RequestRow]:
    for row in _pages(connection, tables.request):
        yield RequestRow(
            intent_index=row.intent_index,
            name=row.name,
            caller=row.caller,
            party=row.party,
            sha256=row.sha256,
            state=row.state,
            outcome_index=row.outcome_index,
        )


def _counters(connection: Connection) -> Iterator[tuple[bytes, int]]:
    for row in connection.execute(select(tables.counter_use), execution_options={"yield_per": _PAGE}):
        yield row.relation, row.uses


def _octets(connection: Connection) -> Iterator[tuple[int, bytes, bytes]]:
    for row in _pages(connection, tables.octets):
        yield row.leaf_index, row.sha256, row.octets


def _taken(connection: Connection) -> Iterator[tuple[bytes, bytes, int]]:
    for row in connection.execute(select(tables.taken), execution_options={"yield_per": _PAGE}):
        yield row.name, row.value, row.intent_index


def _lists(connection: Connection) -> Iterator[ListRow]:
    for row in connection.execute(select(tables.revocation_list)):
        number, digest = int.from_bytes(row.number, "big"), sha256(row.der).digest()
        yield ListRow(issuer=row.issuer, number=number, sha256=digest)


def _counts(connection: Connection) -> Iterator[tuple[bytes, bytes]]:
    for row in connection.execute(select(tables.anomaly_count), execution_options={"yield_per": _PAGE}):
        yield row.name, row.buckets


def _quarantine(connection: Connection) -> Iterator[QuarantineRow]:
    for row in _pages(connection, tables.quarantine):
        yield QuarantineRow(
            leaf_index=row.leaf_index,
            party=row.party,
            key=row.key,
            sha256=row.sha256.hex(),
            state=row.state,
            kept=None if row.octets is None else sha256(row.octets).hexdigest(),
        )


def _checks(connection: Connection) -> Iterator[CheckRow]:
    for row in connection.execute(select(tables.threshold_check)):
        yield CheckRow(part=row.part, sha256=row.sha256, leaf_index=row.leaf_index)
