"""One turn at the ledger: the head read anew, records appended behind it, the head written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import Receipt
from keybroker.ledger.statements import Insert, Lookup, Write

HEAD = 1
"""The id of the one row in the head table."""

_READ_HEAD = Lookup(
    select(tables.head.c.tree_size, tables.head.c.root_hash, tables.head.c.frontier, tables.head.c.register_version),
    tables.head.c.id,
)
_LEAVES = Lookup(select(tables.record.c.leaf_index, tables.record.c.leaf_hash), tables.record.c.leaf_index)
_WRITE_RECORDS = Insert(tables.record, "leaf_index", "leaf_hash", "kind", "party", "octets")
_WRITE_HEAD = Write(
    update(tables.head).where(tables.head.c.id == bindparam("which")),
    "tree_size",
    "root_hash",
    "frontier",
    "register_version",
    "which",
)


class Stand(NamedTuple):
    """Where a turn left the tree: its size, its root, and leaves (index to hash) that no other history has.

    They are the last one, and the last that was no outcome: two equal outcomes of equal digests by a module that signs
    deterministically are one record, but no two intents are.
    """

    tree_size: int
    root: bytes
    leaves: Mapping[int, bytes]


class Turn:
    """The right to append, inside one transaction. Made only by ``Ledger.transact``; another worker may have had its
    turn since, so everything is read from the head row.
    """

    def __init__(self, connection: Connection, *, origin: str) -> None:
        """Raises: LedgerBroken when the head row is not there or contradicts itself."""
        rows = _READ_HEAD.run(connection, [HEAD])
        if not rows:
            raise LedgerBroken("the ledger has no head; restore it and run: keybroker ledger verify")
        size, root, frontier, version = rows[0]
        try:
            self._frontier = Frontier.from_octets(size, frontier)
        except ValueError as error:
            raise LedgerBroken(f"the ledger's head contradicts itself: {error}") from error
        if (found := self._frontier.root()) != root:
            raise LedgerBroken(f"the ledger's head contradicts itself: root {root.hex()}, its frontier's {found.hex()}")
        self._root = root
        self.connection = connection
        self.origin = origin
        self.register_version: int = version
        self.commit_in_doubt = False
        self._register_moved = False
        self._rows: list[tuple[int, bytes, str, str, bytes]] = []

    @property
    def size(self) -> int:
        """Records in the tree, with those of this turn."""
        return self._frontier.size

    def append(self, *, kind: str, party: str, octets: bytes, leaf_hash: bytes) -> Receipt:
        """Put one record at the tree's end."""
        index = self._frontier.size
        self._frontier.append(leaf_hash)
        self._rows.append((index, leaf_hash, kind, party, octets))
        return Receipt(origin=self.origin, leaf_index=index, leaf_hash=leaf_hash)

    def appended(self) -> Mapping[int, tuple[bytes, bytes]]:
        """Leaf hash and octets by leaf index of what this turn put there; no SELECT finds it before ``finish``."""
        return {index: (leaf_hash, octets) for index, leaf_hash, _, _, octets in self._rows}

    def move_register(self) -> int:
        """Count one change of the key register; whoever judged by an older version judges anew."""
        self._register_moved = True
        return self.register_version + 1

    def finish(self) -> None:
        """Write the records and the head; COMMIT follows."""
        if not self._rows:
            return
        _WRITE_RECORDS.run(self.connection, self._rows)
        version = self.register_version + self._register_moved
        frontier = self._frontier
        self._root = frontier.root()
        _WRITE_HEAD.run(self.connection, [(frontier.size, self._root, frontier.to_octets(), version, HEAD)])

    def check_follows(self, stand: Stand) -> None:
        """Does the ledger still hold what this process wrote last? Before anything is appended.

        Raises: LedgerBroken: an earlier or another database was put in its place while we ran.
        """
        size, follows = self._frontier.size, False
        if size == stand.tree_size:
            follows = self._root == stand.root
        elif size > stand.tree_size:
            follows = dict(_LEAVES.run(self.connection, list(stand.leaves))) == stand.leaves
        if not follows:
            raise LedgerBroken(
                f"the ledger was rolled back or replaced while it was open: expected it to extend {stand.tree_size}"
                f" records with root {stand.root.hex()}, found {size}; stop the broker and put the right file back"
            )

    def stand(self, before: Stand | None) -> Stand | None:
        """Where this turn left the tree once it is finished; ``before`` where it appended nothing."""
        if not self._rows:
            return before
        leaves = dict([self._rows[-1][:2]])
        telling = next((row[:2] for row in reversed(self._rows) if row[2] != "outcome"), None)
        if telling is None and before is not None:
            telling = min(before.leaves.items())
        if telling is not None:
            leaves[telling[0]] = telling[1]
        return Stand(self._frontier.size, self._root, leaves)

    def is_in(self, connection: Connection) -> bool:
        """Is what this turn wrote in the file? A transaction is there whole or not at all."""
        wrote = {index: leaf_hash for index, leaf_hash, *_ in self._rows}
        found = connection.execute(
            select(tables.record.c.leaf_index, tables.record.c.leaf_hash).where(
                tables.record.c.leaf_index.in_(list(wrote))
            )
        )
        return {row.leaf_index: row.leaf_hash for row in found} == wrote

    def leaf_hash_at(self, leaf_index: int) -> bytes | None:
        """The leaf hash of an earlier record, None where there is none."""
        table = tables.record.c
        found: bytes | None = self.connection.execute(
            select(table.leaf_hash).where(table.leaf_index == leaf_index)
        ).scalar_one_or_none()
        return found
