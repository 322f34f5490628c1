"""How is a ledger copied while the broker serves, and how does a back-up become a database again? SEC G2.16.

A copy is one moment of the ledger: SQLite's own backup inside a transaction that reads, so writers go on and the copy
is never begun anew. It stands beside the ledger, where the same octets stand anyway, without a name; only what is
sealed goes to the back-up's place. Under the name that was asked for there is a whole file or none.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from keybroker.errors import ConfigurationInvalid, LedgerBroken, LedgerUnavailable
from keybroker.ledger.backup_form import CHUNK, KEY_OCTETS, Header, opened_chunks, read_header, sealed_chunks
from keybroker.ledger.durable import sync_directory
from keybroker.ledger.reading import Reader
from keybroker.ledger.record import moment
from keybroker.ledger.sqlite import beside_log
from keybroker.ledger.upkeep_form import BackedUp

_PAGES = 256
_SPARE = 64 << 20
"""Octets that stay free beside the ledger: a copy that filled the disk would stop the broker."""

Seal = Callable[[bytes, bytes], bytes]
"""The key, for the owner of a certificate (DER) alone: an envelope."""
Progress = Callable[[int, int], object]
"""Told how many pages are copied, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    file: BinaryIO
    octets: int
    tree_size: int
    root_hash: str


def write_back_up(
    ledger: Reader,
    to: Path,
    recipients: Sequence[bytes],
    seal: Seal,
    at: datetime,
    *,
    progress: Progress = lambda _done, _total: None,
) -> BackedUp:
    """Copy the ledger as it is now into a new file ``to``, sealed to each recipient (certificates in DER).

    Raises: ConfigurationInvalid where ``to`` is there already; CmsUnfit for a certificate that receives nothing;
    LedgerUnavailable where there is no room, or the disk fails: nothing is left under that name.
    """
    if to.exists():
        raise ConfigurationInvalid("expected no such file yet, found one; a back-up replaces nothing", where=str(to))
    key = os.urandom(KEY_OCTETS)
    envelopes = tuple((sha256(each).hexdigest(), seal(key, each)) for each in dict.fromkeys(recipients))
    with _failing("the back-up was not made"), _copied(ledger, progress) as copy:
        header = Header(
            origin=ledger.origin,
            deployment=ledger.deployment.value,
            at=moment(at),
            tree_size=copy.tree_size,
            root_hash=copy.root_hash,
            octets=copy.octets,
            sha256=_digest(copy.file),
            recipients=envelopes,
        )
        digest, length = _write(to, header.encoded(), sealed_chunks(copy.file, header, key))
    return BackedUp(
        tree_size=header.tree_size,
        root_hash=header.root_hash,
        sha256=digest,
        octets=length,
        recipients=tuple(name for name, _ in envelopes),
    )


def open_back_up(file: Path, to: Path, unseal: Callable[[Header], bytes]) -> Header:
    """Make a database of a back-up in a new file ``to``. ``unseal`` gives the key out of the recipient's envelope.

    Raises: ConfigurationInvalid where ``to`` is there already; LedgerBroken for a back-up that is not whole, or whose
    database has another head than it says; LedgerUnavailable where the disk fails; whatever ``unseal`` raises.
    """
    if to.exists():
        raise ConfigurationInvalid("expected no such file yet, found one; put nothing over a ledger", where=str(to))
    with _failing("the back-up was not opened"), file.open("rb") as back_up:
        header = read_header(back_up)
        key = unseal(header)
        _write(to, b"", opened_chunks(back_up, header, key), check=lambda made: _check_head(made, header))
    return header


@contextmanager
def _copied(ledger: Reader, progress: Progress) -> Iterator[_Copy]:
    """One moment of the ledger as a file without a name, which is gone with this process."""
    directory = ledger.file.parent
    files = [each for each in (ledger.file, beside_log(ledger.file)) if each.exists()]
    length, free = sum(each.stat().st_size for each in files), shutil.disk_usage(directory).free
    if free < length + _SPARE:
        raise LedgerUnavailable(
            f"the back-up was not made: expected {length + _SPARE} octets free beside the ledger, found {free}"
        )
    source = sqlite3.connect(f"file:{quote(str(ledger.file))}?mode=ro", uri=True, isolation_level=None)
    descriptor, name = tempfile.mkstemp(prefix=f"{ledger.file.name}.copy-", dir=directory)
    with os.fdopen(descriptor, "rb") as file:
        try:
            target = sqlite3.connect(name, isolation_level=None)
            # Without a journal it needs no second file, and so no name once it is open.
            target.execute("PRAGMA journal_mode = OFF")
            target.execute("PRAGMA synchronous = OFF")
            target.execute("CREATE TABLE opens (the_file)")
        finally:
            os.unlink(name)
        source.execute("BEGIN")
        size, root = source.execute("SELECT tree_size, root_hash FROM head").fetchone()
        source.backup(target, pages=_PAGES, progress=lambda _, left, pages: progress(pages - left, pages))
        source.close()
        target.close()
        octets = os.fstat(file.fileno()).st_size
        yield _Copy(file=file, octets=octets, tree_size=size, root_hash=root.hex())


def _digest(file: BinaryIO) -> str:
    """SHA-256 (hex) of a whole file, which then stands at its beginning again."""
    file.seek(0)
    digest = sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _write(
    to: Path, begin: bytes, chunks: Iterable[bytes], check: Callable[[Path], object] = lambda _: None
) -> tuple[str, int]:
    """SHA-256 (hex) and length of what was written: whole, durable, and only then under its name."""
    part, digest, length = to.with_name(f"{to.name}.part"), sha256(), 0
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for each in chain((begin,), chunks):
                file.write(each)
                digest.update(each)
                length += len(each)
            file.flush()
            os.fsync(file.fileno())
        check(part)
        # A link replaces nothing, whatever came there meanwhile.
        os.link(part, to)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(to.parent)
    return digest.hexdigest(), length


def _check_head(database: Path, header: Header) -> None:
    connection = sqlite3.connect(f"file:{quote(str(database))}?mode=ro&immutable=1", uri=True)
    try:
        row = connection.execute("SELECT origin, deployment, tree_size, root_hash FROM head").fetchone()
    except sqlite3.Error as error:
        raise LedgerBroken("back-up: expected a ledger's database, found something else") from error
    finally:
        connection.close()
    found = None if row is None else (*row[:3], row[3].hex())
    expected = (header.origin, header.deployment, header.tree_size, header.root_hash)
    if found != expected:
        raise LedgerBroken(f"back-up: expected the head {expected}, found {found}")


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Disks that are full or fail, in a sentence."""
    try:
        yield
    except OSError as error:
        raise LedgerUnavailable(f"{what}: {error.strerror or 'input/output error'}; nothing is left of it") from error
    except sqlite3.Error as error:
        raise LedgerUnavailable(f"{what}: {error}; nothing is left of it") from error
