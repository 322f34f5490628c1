"""What is the hash of any part of the ledger's tree? From the stored leaf hashes, with the full tiles' roots kept.

Proofs and tiles need hashes of subtrees far to the left of the frontier. The roots of full tiles never change, so they
are kept: 32 octets for each 256 records. The first question after a start reads every leaf hash once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from sqlalchemy import select

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.reading import Reader
from keybroker.ledger.tiles import WIDTH, Tile, fold, subtrees_in

Leaves = Callable[[int, int], Sequence[bytes]]
"""``leaves(first, count)``: that many leaf hashes, 32 octets each."""


@final
class Tree:
    """The hashes of an append-only tree, of which every leaf that is asked for is there. Not for several threads."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._rows: list[list[bytes]] = []
        """By level from 1 on: the roots of that level's full tiles below, from the left."""

    def hashes(self, tile: Tile) -> list[bytes]:
        """A tile's hashes. Raises: LedgerBroken where a leaf is missing; LedgerUnavailable."""
        if tile.level == 0:
            return self._leaf_hashes(tile.first, tile.width)
        return self._full(tile.level, tile.first + tile.width)[tile.first : tile.first + tile.width]

    def subtree(self, tree_size: int) -> Callable[[int, int], bytes]:
        """``proofs.Subtree`` of the tree of so many leaves."""
        return subtrees_in(tree_size, self.hashes)

    def _full(self, level: int, count: int) -> list[bytes]:
        """At least ``count`` roots of full tiles of the level below."""
        while len(self._rows) < level:
            self._rows.append([])
        row = self._rows[level - 1]
        for number in range(len(row), count):
            row.append(fold(self.hashes(Tile(level=level - 1, number=number, width=WIDTH))))
        return row

    def _leaf_hashes(self, first: int, count: int) -> list[bytes]:
        found = list(self._leaves(first, count))
        if len(found) != count:
            raise LedgerBroken(f"expected {count} records from {first} on, found {len(found)}")
        return found


def leaves_of(ledger: Reader) -> Leaves:
    """Read from the ledger, in its order. Raises (when called): LedgerUnavailable, LedgerBroken."""
    table = tables.record.c

    def leaves(first: int, count: int) -> Sequence[bytes]:
        wanted = select(table.leaf_index, table.leaf_hash).where(
            table.leaf_index >= first, table.leaf_index < first + count
        )
        with ledger.read() as connection:
            rows = connection.execute(wanted.order_by(table.leaf_index)).all()
        if any(row.leaf_index != first + at for at, row in enumerate(rows)):
            raise LedgerBroken(f"records are missing behind record {first}; run: keybroker ledger verify")
        return [row.leaf_hash for row in rows]

    return leaves
