"""How does the ledger get into a directory of tiles, so that whatever moment it dies at, what is there is consistent?

Behind each checkpoint: first the tiles that its tree needs and an earlier one had not, each whole under its name or
not at all, and synced; then the file ``checkpoint``, last. So whoever reads a checkpoint finds all tiles of its tree. A
tile that is there is never written over: one that holds something else means that the ledger is not the one that was
published.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed, LedgerForked, LedgerUnavailable
from keybroker.ledger.audit import read_records
from keybroker.ledger.checkpoints import Checkpoint, checkpoint_of, checkpoints_after
from keybroker.ledger.durable import sync_directory
from keybroker.ledger.note import read_note
from keybroker.ledger.proofs import root_hash
from keybroker.ledger.reading import Reader
from keybroker.ledger.tiles import Tile, encode_entries, encode_hashes, tiles_of
from keybroker.ledger.tree import Tree, leaves_of

CHECKPOINT = "checkpoint"
_AT_ONCE = 64


@final
class Publisher:
    """Publishes one ledger into one directory; one process at a time may."""

    def __init__(self, ledger: Reader, directory: Path, *, entries: bool) -> None:
        """``entries``: the records too. Raises: LedgerForked where the directory holds another ledger's tree, or a
        later one's; LedgerUnavailable where it cannot be read or written.
        """
        self._ledger = ledger
        self._directory = directory
        self._entries = entries
        self._tree = Tree(leaves_of(ledger))
        self._note = b""
        self.tree_size = 0
        """Of the checkpoint that is published; 0 where none is."""
        with _as_unavailable():
            directory.mkdir(parents=True, exist_ok=True)
            if (directory / CHECKPOINT).exists():
                self._go_on(_read_checkpoint((directory / CHECKPOINT).read_bytes()))

    def publish(self) -> bool:
        """Publish what was signed since, oldest first, and new cosignatures; answers whether anything was.

        Raises: LedgerForked, LedgerUnavailable, LedgerBroken; ConfigurationInvalid for entries that no bundle holds.
        """
        found = checkpoints_after(self._ledger, self.tree_size, _AT_ONCE)
        for checkpoint in found:
            self._publish(checkpoint)
        if found or not self.tree_size:
            return bool(found)
        again = checkpoint_of(self._ledger, self.tree_size)
        if again is None or again.note == self._note:
            return False
        self._write_checkpoint(again)
        return True

    def _go_on(self, published: AuditCheckpoint) -> None:
        size = published.tree_size
        here = self._ledger.size()
        if size > here or root_hash(size, self._tree.subtree(size)) != published.root_hash:
            raise LedgerForked(
                f"{self._directory} holds the tree of {size} records of {published.origin} with root"
                f" {published.root_hash.hex()}, and this ledger of {here} records does not extend it: another database"
                " was put in its place, or it was restored; nothing is published"
            )
        self.tree_size = size

    def _publish(self, checkpoint: Checkpoint) -> None:
        said = _read_checkpoint(checkpoint.note)
        found = root_hash(said.tree_size, self._tree.subtree(said.tree_size))
        if found != said.root_hash:
            raise LedgerForked(
                f"the checkpoint of {said.tree_size} records was signed with root {said.root_hash.hex()}, and the"
                f" ledger has {found.hex()} there: it was changed since; nothing is published"
            )
        with _as_unavailable():
            self._write_tiles(said.tree_size)
        self._write_checkpoint(checkpoint)
        self._drop_outgrown(self.tree_size, said.tree_size)
        self.tree_size = said.tree_size

    def _write_tiles(self, tree_size: int) -> None:
        touched: set[Path] = set()
        for tile in tiles_of(tree_size, after=self.tree_size):
            touched |= self._write(tile.path, encode_hashes(self._tree.hashes(tile)))
            if self._entries and tile.level == 0:
                records = read_records(self._ledger, tile.first, tile.width)
                touched |= self._write(tile.entries_path, encode_entries(each.octets for each in records))
        for directory in touched:
            sync_directory(directory)

    def _write(self, path: str, octets: bytes) -> set[Path]:
        """Answers the directories that must be synced before it counts."""
        file = self._directory / path
        if file.exists():
            if file.read_bytes() != octets:
                raise LedgerForked(f"{file} holds another tile than this ledger has: nothing is published")
            return set()
        made = _make_directories(file.parent)
        _write_whole(file, octets)
        return {file.parent, *made}

    def _write_checkpoint(self, checkpoint: Checkpoint) -> None:
        with _as_unavailable():
            _write_whole(self._directory / CHECKPOINT, checkpoint.note)
            sync_directory(self._directory)
        self._note = checkpoint.note

    def _drop_outgrown(self, was: int, now: int) -> None:
        """Partial tiles that have become full: nobody needs them to read a checkpoint of the larger tree."""
        for tile in tiles_of(now, after=was):
            if tile.is_full:
                self._drop_partials(tile)

    def _drop_partials(self, tile: Tile) -> None:
        paths = [tile.path, *([tile.entries_path] if tile.level == 0 else [])]
        for path in paths:
            shutil.rmtree(self._directory / f"{path}.p", ignore_errors=True)


def _read_checkpoint(note: bytes) -> AuditCheckpoint:
    """What this broker wrote itself. Raises: LedgerForked where it is nothing of the kind."""
    try:
        return decode_checkpoint(read_note(note).body)
    except ContentMalformed as error:
        raise LedgerForked(f"what stands as a published checkpoint is none: {error.sentence}") from error


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerUnavailable(f"{error.filename or 'the tiles'} cannot be written: {error.strerror}") from error


def _make_directories(directory: Path) -> set[Path]:
    """Answers every directory in which one was made."""
    if directory.is_dir():
        return set()
    made = _make_directories(directory.parent)
    directory.mkdir(exist_ok=True)
    return {*made, directory.parent}


def _write_whole(file: Path, octets: bytes) -> None:
    """Under its name only when it is whole and on the disk; the name itself is durable once its directory is synced."""
    unfinished = file.with_name(f".{file.name}.new")
    with unfinished.open("wb") as out:
        out.write(octets)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
