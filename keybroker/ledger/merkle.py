"""The Merkle tree of RFC 9162 section 2.1: leaf hashes, and a frontier that grows at its right edge. Pure.

A frontier is all that an append needs to know of the tree before it: the root hashes of the perfect subtrees that its
leaves fall into, largest first, one for every bit set in the tree's size (RFC 9162 section 2.1.2, the stack).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Self

HASH_OCTETS = 32
EMPTY_ROOT = sha256(b"").digest()
"""MTH({}) of RFC 9162 section 2.1.1."""


def leaf_hash(octets: bytes) -> bytes:
    """SHA-256(0x00 || octets): the hash of one record."""
    return sha256(b"\x00" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree of ``size`` leaves; leaves are appended, never changed."""

    __slots__ = ("_subtrees", "size")

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    @classmethod
    def from_octets(cls, size: int, octets: bytes) -> Self:
        """Read what ``to_octets`` wrote for a tree of ``size`` leaves.

        Raises: ValueError when the octets are not one hash for each bit set in ``size``.
        """
        if size < 0 or len(octets) != HASH_OCTETS * size.bit_count():
            raise ValueError(
                f"a tree of {size} leaves has {max(size, 0).bit_count()} subtrees, found {len(octets)} octets"
            )
        frontier = cls()
        frontier.size = size
        frontier._subtrees = [octets[at : at + HASH_OCTETS] for at in range(0, len(octets), HASH_OCTETS)]
        return frontier

    def to_octets(self) -> bytes:
        """The subtrees' hashes, 32 octets each, largest subtree first."""
        return b"".join(self._subtrees)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash: merge equal subtrees, one per trailing 1 bit of the size (RFC 9162 section 2.1.2)."""
        size = self.size
        subtrees = self._subtrees
        while size & 1:
            leaf = sha256(b"\x01" + subtrees.pop() + leaf).digest()
            size >>= 1
        subtrees.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in their order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """MTH of all leaves so far (RFC 9162 section 2.1.1): fold the subtrees from the smallest."""
        if not self._subtrees:
            return EMPTY_ROOT
        *larger, root = self._subtrees
        for subtree in reversed(larger):
            root = node_hash(subtree, root)
        return root
