"""What has this witness cosigned? Files in its directory, each there whole or not at all, whenever the power goes.

    checkpoint        the last one: a signed note with the ledger's signature and this witness's own
    cosigned.jsonl    the first time that each was cosigned, in order, a line each
    fork-<n>.json     what speaks against the ledger, with both checkpoints: evidence, for people
    lock              held while a witness runs here: two would cosign two histories

``checkpoint`` alone decides what is cosigned next, and it is on the disk before a cosignature leaves.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, final

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ConfigurationInvalid, ContentMalformed, LedgerUnavailable, NoteUnfit
from keybroker.ledger.durable import write_durably
from keybroker.ledger.note import Note, read_note, write_note
from keybroker.ledger.note_keys import CosignatureKey
from keybroker.witness.files import Lines
from keybroker.witness.judging import Against, Memory, Shown, check_by_ledger
from keybroker.witness.request import AddCheckpoint
from keybroker.witness.settings import Settings

_MOST_UNPROVEN = 1_000
"""Anybody may send a good checkpoint with a bad proof: only so many are kept. What is proven is always kept."""

_REMEMBERED = 100_000
"""Of the checkpoints cosigned last: an earlier one that comes again is compared with their roots."""

_LAST, _LOG, _LOCK = "checkpoint", "cosigned.jsonl", "lock"


@final
class Book:
    """One thread at a time writes, between ``__enter__`` and ``__exit__``; ``read`` alone is for whoever looks."""

    def __init__(self, directory: Path, settings: Settings, key: CosignatureKey) -> None:
        self._directory = directory
        self._settings = settings
        self._key = key
        self._log = Lines(directory / _LOG)
        self._roots: dict[int, bytes] = {}
        self._against: set[tuple[str, str]] = set()
        self.last: Note | None = None
        self.last_at = 0
        """When the last one was cosigned, POSIX seconds."""

    def __enter__(self) -> Self:
        """Raises: ConfigurationInvalid where another witness runs here, or what stands here is not its own."""
        self._lock = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise ConfigurationInvalid("another witness runs here", where=str(self._directory)) from error
        try:
            self.read()
            self._mend_log()
        except (ConfigurationInvalid, LedgerUnavailable):
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    # ---- what it knows

    @property
    def memory(self) -> Memory:
        checkpoint = self.checkpoint
        return Memory(
            origin=self._settings.ledger.origin,
            ledger_keys=self._settings.ledger.keys,
            last_size=0 if checkpoint is None else checkpoint.tree_size,
            roots=self._roots,
        )

    @property
    def checkpoint(self) -> AuditCheckpoint | None:
        """The last one's text; None where none was ever cosigned."""
        return None if self.last is None else decode_checkpoint(self.last.body)

    def against(self) -> list[Path]:
        """The files of evidence, in their order."""
        return sorted(self._directory.glob("fork-*.json"), key=_number)

    @property
    def is_forked(self) -> bool:
        """Is there proof that the ledger forked?"""
        return self.count(Shown.FORK) > 0

    def count(self, shown: Shown) -> int:
        """How much of it shows this."""
        return sum(kind == shown.value for kind, _ in self._against)

    def read(self) -> None:
        """Take up what stands in the directory. Raises: ConfigurationInvalid for what is not this witness's own."""
        self._logged = self._log.read()
        for entry in self._logged[-_REMEMBERED:]:
            self._roots[entry["size"]] = bytes.fromhex(entry["root"])
        for file in self.against():
            told = json.loads(file.read_text("utf-8"))
            self._against.add((told["shown"], told["checkpoint"].partition("\n\n")[0]))
        try:
            octets = (self._directory / _LAST).read_bytes()
        except FileNotFoundError:
            self._check_nothing_cosigned()
        else:
            self._take_up(octets)

    # ---- what it is told

    def keep(self, note: Note, at: int) -> None:
        """The last checkpoint is this one, with its cosignature: durable when this returns.

        Raises: LedgerUnavailable where it cannot be written.
        """
        checkpoint, before = decode_checkpoint(note.body), self.checkpoint
        write_durably(self._directory / _LAST, write_note(note))
        self.last, self.last_at = note, at
        self._roots[checkpoint.tree_size] = checkpoint.root_hash
        if len(self._roots) > 2 * _REMEMBERED:
            self._roots = dict(list(self._roots.items())[-_REMEMBERED:])
        if before is None or before.tree_size != checkpoint.tree_size:
            self._log.append(_entry(checkpoint, at))

    def keep_against(self, asked: AddCheckpoint, against: Against, at: datetime) -> Path | None:
        """Keep both checkpoints as evidence; once for each text. None where it is kept already, or too much is.

        Raises: LedgerUnavailable.
        """
        noted = write_note(asked.note).decode("utf-8")
        known = (against.shown.value, noted.partition("\n\n")[0])
        if known in self._against:
            return None
        if against.shown is Shown.UNPROVEN and len(self._against) >= _MOST_UNPROVEN:
            return None
        told = {
            "shown": against.shown.value,
            "at": at.isoformat(),
            "size": against.size,
            "cosigned_root": against.cosigned_root.hex(),
            "shown_root": None if against.shown_root is None else against.shown_root.hex(),
            "checkpoint": noted,
            "old_size": asked.old_size,
            "proof": [each.hex() for each in asked.proof],
            "last_cosigned": None if self.last is None else write_note(self.last).decode("utf-8"),
        }
        number = max(map(_number, self.against()), default=0) + 1
        file = self._directory / f"fork-{number}.json"
        write_durably(file, json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8") + b"\n")
        self._against.add(known)
        return file

    # ---- at the start

    def _take_up(self, octets: bytes) -> None:
        file = str(self._directory / _LAST)
        try:
            note = read_note(octets)
            checkpoint = decode_checkpoint(note.body)
            self.last_at = self._key.cosigned_at(note)
            check_by_ledger(note, self._settings.ledger.keys)
        except (ContentMalformed, NoteUnfit) as error:
            raise ConfigurationInvalid(f"is not as this witness wrote it: {error.sentence}", where=file) from error
        if checkpoint.origin != self._settings.ledger.origin:
            raise ConfigurationInvalid(f"is of another ledger, {checkpoint.origin}", where=file)
        self._check_newest(checkpoint, file)
        self.last = note
        self._roots[checkpoint.tree_size] = checkpoint.root_hash

    def _check_newest(self, checkpoint: AuditCheckpoint, file: str) -> None:
        """The log may lack the last one; it never tells of a later one."""
        if self._logged and self._logged[-1]["size"] > checkpoint.tree_size:
            raise ConfigurationInvalid(
                f"is of {checkpoint.tree_size} records, and {_LOG} tells of {self._logged[-1]['size']}: an earlier file"
                " was put back; put back the newest",
                where=file,
            )

    def _check_nothing_cosigned(self) -> None:
        if self._logged:
            raise ConfigurationInvalid(
                f"is gone, and {_LOG} tells of checkpoints that were cosigned: put it back, or begin anew under another"
                " name and key",
                where=str(self._directory / _LAST),
            )

    def _mend_log(self) -> None:
        """A witness that died between the two files knows one more than its log. Raises: LedgerUnavailable."""
        checkpoint = self.checkpoint
        if checkpoint is not None and (not self._logged or self._logged[-1]["size"] != checkpoint.tree_size):
            self._log.append(_entry(checkpoint, self.last_at))


def _number(file: Path) -> int:
    _, _, number = file.stem.partition("-")
    return int(number) if number.isdigit() else 0


def _entry(checkpoint: AuditCheckpoint, at: int) -> dict[str, object]:
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    return {"at": moment, "size": checkpoint.tree_size, "root": checkpoint.root_hash.hex()}
