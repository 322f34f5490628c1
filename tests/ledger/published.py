"""A reader of tiles that shares no code with their writer: C2SP tlog-tiles, in a dozen lines, and pymerkle's tree."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pymerkle

HASH = 32


def path_of(level: str, number: int, width: int) -> str:
    digits = str(number).zfill(-(-len(str(number)) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


class _OfLeaves(pymerkle.InmemoryTree):  # type: ignore[misc]  # untyped
    """pymerkle hashes entries; what tiles hold is hashed already."""

    def hash_buff(self, buff: bytes) -> bytes:
        return buff


def read_published(directory: Path) -> tuple[int, pymerkle.InmemoryTree]:
    """The size of the published checkpoint, and a tree of pymerkle's over the leaves in the tiles; fails unless every
    tile of that size is there, in full, and the tree has the checkpoint's root."""
    lines = (directory / "checkpoint").read_text().split("\n")
    size, leaves = int(lines[1]), b""
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        octets = (directory / path_of("0", number, width)).read_bytes()
        assert len(octets) == width * HASH
        leaves += octets
    tree = _OfLeaves(algorithm="sha256")
    for at in range(0, len(leaves), HASH):
        tree.append_entry(leaves[at : at + HASH])
    assert b64encode(tree.get_root()).decode() == lines[2]
    _check_upper(directory, size, leaves)
    return size, tree


def _check_upper(directory: Path, size: int, leaves: bytes) -> None:
    """Each tile above level 0 holds the roots of the full tiles below it."""
    below, level = [leaves[at : at + HASH] for at in range(0, len(leaves), HASH)], 1
    while len(below) >= 256:
        row = []
        for at in range(0, len(below) // 256 * 256, 256):
            tree = _OfLeaves(algorithm="sha256")
            for each in below[at : at + 256]:
                tree.append_entry(each)
            row.append(tree.get_root())
        for number in range(-(-len(row) // 256)):
            expected = row[number * 256 : number * 256 + 256]
            assert (directory / path_of(str(level), number, len(expected))).read_bytes() == b"".join(expected)
        below, level = row, level + 1
    assert size >= len(below)
