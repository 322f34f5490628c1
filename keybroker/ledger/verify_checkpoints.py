"""Is each checkpoint that was signed one of this very ledger, and does its table tell just those? Pure.

Of every intent to sign a checkpoint: its origin, size and root are those of the tree at that size, and its digest is of
exactly that text. Of every signature over one: a row that holds the note made of it, and no other row. A cosignature
stands under the name of the witness in its row, and belongs to a checkpoint; whether a witness's key verifies it, only
who holds that key can say (``keybroker witness``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.errors import ContentMalformed, LedgerBroken
from keybroker.ledger import record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.checkpoint_form import checkpoint_note
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.note import read_signature_lines
from keybroker.ledger.verify_form import expect, moment_of
from keybroker.ledger.verify_rows import check_rows
from keybroker.terms import ContentKind

_EVERY = 256
"""A frontier is remembered every so many records."""
_RECENT = 4096
"""So many leaf hashes are remembered; older ones are made anew from their records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    intent_index: int
    tree_size: int
    note: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignatureRow:
    tree_size: int
    witness: str
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TransparencyRows:
    """What the two tables hold."""

    checkpoints: Iterable[CheckpointRow]
    cosignatures: Iterable[CosignatureRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    tree_size: int
    root_hash: bytes
    public_key: str


@dataclass(slots=True, kw_only=True)
class Checkpoints:
    """Told of every record, in order. ``find`` gives the octets of an earlier one."""

    origin: str
    find: Callable[[int], bytes]

    _frontier: Frontier = field(default_factory=Frontier)
    _frontiers: list[bytes] = field(default_factory=lambda: [b""])
    _recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _asked: dict[int, _Asked] = field(default_factory=dict)
    _told: dict[int, CheckpointRow] = field(default_factory=dict)

    def append(self, leaf: bytes) -> None:
        """The tree grows by one record."""
        self._frontier.append(leaf)
        self._recent.append(leaf)
        if self._frontier.size % _EVERY == 0:
            self._frontiers.append(self._frontier.to_octets())

    def begin(self, index: int, body: Mapping[str, Json]) -> None:
        """An intent, before its record is appended. Raises: LedgerBroken."""
        content = body["content"]
        if not isinstance(content, dict) or content.get("kind") != ContentKind.AUDIT_CHECKPOINT:
            return
        size = _size(index, content, most=index)
        root = self._root(size)
        facts = {"kind": content["kind"], "origin": self.origin, "root_hash": root.hex(), "tree_size": str(size)}
        expect(content == facts, index, f"a checkpoint of this ledger as it was: {facts}", str(content))
        digest = sha256(_text(index, self.origin, size, root)).hexdigest()
        expect(body["digest"] == digest, index, f"digest {digest} of that checkpoint", str(body["digest"]))
        self._asked[index] = _Asked(tree_size=size, root_hash=root, public_key=str(body["public_key"]))

    def end(self, index: int, intent: int, body: Mapping[str, Json]) -> None:
        """An outcome whose signature was verified already, or one without. Raises: LedgerBroken."""
        asked = self._asked.pop(intent, None)
        if asked is None or body["state"] != record.SIGNED:
            return
        note = checkpoint_note(
            self.origin,
            asked.tree_size,
            asked.root_hash,
            public_key=bytes.fromhex(asked.public_key),
            signature=bytes.fromhex(str(body["signature"])),
        )
        at = int(moment_of(index, body).timestamp())
        self._told[intent] = CheckpointRow(intent_index=intent, tree_size=asked.tree_size, note=note, at=at)

    def check_tables(self, rows: TransparencyRows | None) -> None:
        """Raises: LedgerBroken."""
        if rows is None:
            return
        check_rows("checkpoint", self._told, rows.checkpoints, lambda row: row.intent_index)
        sizes = {row.tree_size for row in self._told.values()}
        for row in rows.cosignatures:
            if row.tree_size not in sizes or not _is_of(row):
                raise LedgerBroken(
                    f"the table cosignature holds one of {row.witness} at {row.tree_size} records: expected one line of"
                    " that witness, under a checkpoint of that size"
                )

    def _root(self, size: int) -> bytes:
        """The root of the tree when it had so many records."""
        at = size // _EVERY * _EVERY
        frontier = Frontier.from_octets(at, self._frontiers[size // _EVERY])
        frontier.extend(self._leaf(index) for index in range(at, size))
        return frontier.root()

    def _leaf(self, index: int) -> bytes:
        back = self._frontier.size - index
        return self._recent[-back] if back <= len(self._recent) else leaf_hash(self.find(index))


def _size(index: int, content: Mapping[str, Json], *, most: int) -> int:
    written = content.get("tree_size")
    is_number = (
        isinstance(written, str) and written.isdecimal() and written.isascii() and len(written) <= len(str(most))
    )
    size = int(str(written)) if is_number else -1
    expect(0 <= size <= most, index, f"a checkpoint of at most the {most} records before it", repr(written))
    return size


def _text(index: int, origin: str, size: int, root: bytes) -> bytes:
    try:
        return encode_checkpoint(origin, size, root)
    except ContentMalformed as error:
        raise LedgerBroken(f"record {index}: {error.sentence}") from error


def _is_of(row: CosignatureRow) -> bool:
    try:
        return [each.name for each in read_signature_lines(row.line)] == [row.witness]
    except ContentMalformed:
        return False
