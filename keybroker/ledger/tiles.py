"""How is the tree laid out for whoever reads it as files? C2SP tlog-tiles: paths, widths, hashes and entries. Pure.

    tile/<L>/<N>[.p/<W>]            hashes of 32 octets: of leaves at level 0, of full tiles of the level below above it
    tile/entries/<N>[.p/<W>]        records, each behind its length in two octets, big-endian

``<N>`` is written in groups of three digits, all but the last behind an ``x`` (section Merkle Tree). A full tile is 256
wide and never changes; the last of each level may be partial, and one that is there never changes either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from keybroker.errors import ConfigurationInvalid, ProofUnfit
from keybroker.ledger.merkle import HASH_OCTETS, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
LONGEST_ENTRY = (1 << 16) - 1
"""Octets: what the two before an entry can tell. The specification has no other form."""

_LENGTH = 2
_MOST_LEVELS = 8
"""In a tree of fewer than 2**64 leaves."""

is_path = re.compile(
    r"checkpoint|tile/(?:[0-7]|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}"
    r"(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
).fullmatch
"""Is this the path of something that a log of this layout may have?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """``width`` hashes (1 to 256) at ``level``, from ``number * 256`` on in that level's row."""

    level: int
    number: int
    width: int

    @property
    def is_full(self) -> bool:
        return self.width == WIDTH

    @property
    def path(self) -> str:
        return f"tile/{self.level}/{_number(self)}"

    @property
    def entries_path(self) -> str:
        """Of the bundle beside a tile of level 0."""
        return f"tile/entries/{_number(self)}"

    @property
    def first(self) -> int:
        """The place of its first hash in the level's row."""
        return self.number * WIDTH


def tiles_of(tree_size: int, *, after: int = 0) -> Iterator[Tile]:
    """Every tile of a tree of this size that the tree of ``after`` leaves has not, each level from the left."""
    for level in range(_MOST_LEVELS):
        was, now = after >> HEIGHT * level, tree_size >> HEIGHT * level
        if now == was:
            return
        yield from _row(level, was, now)


def tile_of(level: int, place: int, tree_size: int) -> Tile:
    """The tile in which the hash at ``place`` of a level's row stands, as wide as it is in a tree of this size."""
    number = place // WIDTH
    width = min((tree_size >> HEIGHT * level) - number * WIDTH, WIDTH)
    return Tile(level=level, number=number, width=width)


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    return b"".join(hashes)


def decode_hashes(octets: bytes, width: int) -> list[bytes]:
    """The hashes of a tile of this width. Raises: ProofUnfit."""
    if len(octets) != width * HASH_OCTETS:
        raise ProofUnfit(f"expected a tile of {width} hashes, {width * HASH_OCTETS} octets, found {len(octets)}")
    return [octets[at : at + HASH_OCTETS] for at in range(0, len(octets), HASH_OCTETS)]


def encode_entries(records: Iterable[bytes]) -> bytes:
    """A bundle. Raises: ConfigurationInvalid for a record that no bundle can hold."""
    bundle = []
    for octets in records:
        if len(octets) > LONGEST_ENTRY:
            raise ConfigurationInvalid(
                f"a record has {len(octets)} octets, and an entry of C2SP tlog-tiles at most {LONGEST_ENTRY}: this"
                " ledger's entries cannot be published; its tiles can",
                where="checkpoints.publish_entries",
            )
        bundle += [len(octets).to_bytes(_LENGTH, "big"), octets]
    return b"".join(bundle)


def decode_entries(octets: bytes, width: int) -> list[bytes]:
    """The records of a bundle beside a tile of this width. Raises: ProofUnfit."""
    records, at = [], 0
    while at < len(octets):
        start = at + _LENGTH
        end = start + int.from_bytes(octets[at:start], "big")
        if start > len(octets) or end > len(octets):
            raise ProofUnfit(f"at offset {at}: expected an entry behind its length, found {len(octets) - at} octets")
        records.append(octets[start:end])
        at = end
    if len(records) != width:
        raise ProofUnfit(f"expected a bundle of {width} entries, found {len(records)}")
    return records


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect subtree over as many hashes: 1, 2, 4 … 256."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def subtrees_in(tree_size: int, read: Callable[[Tile], Sequence[bytes]]) -> Callable[[int, int], bytes]:
    """``proofs.Subtree`` from tiles: ``read`` gives a tile's hashes, as wide as the tree of ``tree_size`` leaves has
    it. Of a height that no tile holds, the hash is made from the row below. Each tile is read and each hash made once.
    """

    @cache
    def row(tile: Tile) -> Sequence[bytes]:
        return read(tile)

    @cache
    def subtree(height: int, place: int) -> bytes:
        level, above = divmod(height, HEIGHT)
        if above:
            return node_hash(subtree(height - 1, 2 * place), subtree(height - 1, 2 * place + 1))
        tile = tile_of(level, place, tree_size)
        return row(tile)[place - tile.first]

    return subtree


def _row(level: int, was: int, now: int) -> Iterator[Tile]:
    for number in range(was // WIDTH, -(-now // WIDTH)):
        yield Tile(level=level, number=number, width=min(now - number * WIDTH, WIDTH))


def _number(tile: Tile) -> str:
    groups = [f"{tile.number % 1000:03}"]
    rest = tile.number // 1000
    while rest:
        groups.append(f"x{rest % 1000:03}")
        rest //= 1000
    path = "/".join(reversed(groups))
    return path if tile.is_full else f"{path}.p/{tile.width}"
