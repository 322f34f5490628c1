"""Does this ledger extend what is remembered outside it? Invariant 5: nothing can be rolled back unnoticed.

The last head is kept outside the database, in the token. At start the tree over the first ``tree_size`` records must
have its root, and the whole must have the root that the head row claims; otherwise there is no journal, and no line,
until two people have ordered a restore and it is finished (``keys/restore.py``).
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.behind import find_restore
from keybroker.ledger.ceremonies import any_concluded
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import Head, RecordKind
from keybroker.ledger.reading import Reader


def check_anchor(ledger: Reader, anchor: Head | None) -> None:
    """Recompute the tree from the stored leaf hashes and compare it with the anchor and with its own head.

    ``anchor`` is None where none was ever written: a new token. Raises: LedgerBroken, which says what was expected
    and what was found; LedgerUnavailable.
    """
    if anchor is not None and anchor.origin != ledger.origin:
        raise LedgerBroken(f"the head kept outside is of ledger {anchor.origin}, this one is {ledger.origin}")
    frontier = Frontier()
    with ledger.read() as connection:
        head = connection.execute(select(tables.head.c.tree_size, tables.head.c.root_hash)).one()
        _check_not_restored_by_half(connection, anchor)
        if anchor is not None and head.tree_size < anchor.tree_size:
            raise LedgerBroken(
                f"the ledger was rolled back: expected at least {anchor.tree_size} records (the head kept outside,"
                f" {anchor.at.isoformat()}), found {head.tree_size}; an earlier database file was put back"
            )
        _check_root(frontier, anchor)
        leaves = select(tables.record.c.leaf_index, tables.record.c.leaf_hash).order_by(tables.record.c.leaf_index)
        for row in connection.execute(leaves, execution_options={"yield_per": 4096}):
            if row.leaf_index != frontier.size:
                raise LedgerBroken(f"record {frontier.size} is missing: found record {row.leaf_index} in its place")
            frontier.append(row.leaf_hash)
            _check_root(frontier, anchor)
    if (frontier.size, frontier.root()) != (head.tree_size, head.root_hash):
        raise LedgerBroken(
            f"the ledger contradicts its own head: expected {head.tree_size} records with root {head.root_hash.hex()},"
            f" found {frontier.size} with root {frontier.root().hex()}"
        )


def check_never_served(ledger: Reader) -> None:
    """For a token that should keep a head, and keeps none: right before the first start, and never after.

    A worker keeps the head before it records its start (``server/anchoring.py``), and a ceremony before it does what
    its first step is (``ceremony/conducting.py``). Raises: LedgerBroken, LedgerUnavailable.
    """
    starts = select(tables.record.c.leaf_index).where(tables.record.c.kind == RecordKind.START.value).limit(1)
    with ledger.read() as connection:
        if connection.execute(starts).first() is not None or any_concluded(connection):
            raise LedgerBroken(
                "this ledger was served before, and its head is not in the token any more: expected the head kept"
                " outside, found none; it was taken away, or this is another token"
            )


def _check_not_restored_by_half(connection: Connection, anchor: Head | None) -> None:
    """A restore instead of exactly this head is recorded, and the head is still there: whoever made it died between."""
    restored = None if anchor is None else find_restore(connection, anchor)
    if restored is not None:
        raise LedgerBroken(
            f"record {restored[0]} says that the ledger was restored, and the head kept outside was not replaced yet:"
            " finish it, keybroker ledger restore with the same two orders"
        )


def _check_root(frontier: Frontier, anchor: Head | None) -> None:
    if anchor is not None and frontier.size == anchor.tree_size and frontier.root() != anchor.root_hash:
        raise LedgerBroken(
            f"the ledger does not extend the head kept outside it: at {anchor.tree_size} records expected root"
            f" {anchor.root_hash.hex()}, found {frontier.root().hex()}; another database file was put in its place"
        )
