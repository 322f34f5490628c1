"""Everything that only SQLite understands: pragmas, the turn in front of its lock, durability after a doubtful COMMIT.

SQLite's own busy handler is not fair (of two processes the unlucky one waits up to 0.8 s), so writers take turns by
``flock`` on files beside the database. The kernel drops these locks when a process dies, which is also how one worker
knows that another is gone.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from keybroker.errors import ConfigurationInvalid, LedgerBroken, LedgerFault, LedgerUnavailable

_PRAGMAS = (
    # An intent record has 2,400 octets: one a page of 4,096, three of 8,192. It binds when the database is made.
    "PRAGMA page_size = 8192",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -16384",
)
_READING_PRAGMAS = (
    "PRAGMA query_only = ON",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -16384",
)
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def database_file(url: str) -> Path:
    """The file that a ``sqlite:///…`` URL names.

    Raises: ConfigurationInvalid for any other kind of database, or one without a file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationInvalid("not a database URL", where="ledger.url") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ConfigurationInvalid("this version keeps its ledger in a file: sqlite:///FILE", where="ledger.url")
    # Resolved: by whatever symbolic links a broker comes, the locks stand beside the one file.
    return Path(parsed.database).resolve()


def open_engine(file: Path) -> Engine:
    """An engine whose connections are in WAL mode, synchronous FULL, and never begin a transaction by themselves."""
    engine = create_engine(URL.create("sqlite", database=str(file)))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def open_reading_engine(file: Path) -> Engine:
    """An engine whose connections cannot write. Beside the file SQLite may make its own ``-wal`` and ``-shm``.

    In a directory that cannot be written (an auditor's copy), and with no log beside the file, nobody else changes it
    either, and SQLite is told so: else it would want to make those two.
    """
    alone = not os.access(file.parent, os.W_OK) and not beside_log(file).exists()
    query = {"mode": "ro", "uri": "true", **({"immutable": "1"} if alone else {})}
    engine = create_engine(URL.create("sqlite", database=f"file:{quote(str(file))}", query=query))
    event.listen(engine, "connect", _prepare_for_reading)
    event.listen(engine, "begin", _begin)
    return engine


def beside_log(file: Path) -> Path:
    """SQLite's write-ahead log of a database file."""
    return file.with_name(f"{file.name}-wal")


def for_turn(connection: Connection) -> Connection:
    """The same connection, whose next transaction takes SQLite's write lock at its beginning."""
    return connection.execution_options(keybroker_turn=True)


def make_durable(engine: Engine) -> None:
    """Write everything committed into the database file and sync it: what was committed in doubt is then on the disk.

    A second fsync of the same pages would prove nothing (Linux reports a failed one once); a checkpoint writes them
    anew. Raises: DBAPIError or sqlite3.Error when it cannot be done.
    """
    connection = engine.raw_connection()
    try:
        busy, frames, written = connection.cursor().execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    finally:
        connection.close()
    if busy or frames != written:
        raise sqlite3.OperationalError("the write-ahead log could not be checkpointed")


def empty_log(engine: Engine) -> None:
    """Write the log into the database file, and cut it to nothing. Raises: as ``make_durable``."""
    connection = engine.raw_connection()
    try:
        busy, *_ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log could not be emptied while somebody reads")


def fault(error: DBAPIError | sqlite3.Error | OSError) -> LedgerFault:
    """What an error of the database means to the broker. Nothing was committed."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
        return LedgerBroken("the ledger's database file is damaged; restore it and run: keybroker ledger verify")
    return LedgerUnavailable(f"the ledger cannot be written now ({_why(cause)}); nothing was signed")


def _why(cause: BaseException | None) -> str:
    # SQLite's own words name no path; an OSError's do, so only its text is taken.
    return (cause.strerror or "input/output error") if isinstance(cause, OSError) else str(cause)


def _prepare(connection: Any, _record: object) -> None:  # untyped: SQLAlchemy hands the driver's own
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _prepare_for_reading(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in _READING_PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    turn = connection.get_execution_options().get("keybroker_turn", False)
    connection.connection.cursor().execute("BEGIN IMMEDIATE" if turn else "BEGIN")


class FairTurn:
    """Two doors: who waits at the second holds the first, so who just had its turn cannot overtake. For threads too."""

    def __init__(self, file: Path) -> None:
        self._threads = threading.Lock()
        self._queue = _open_lock(beside(file, "queue"))
        self._turn = _open_lock(beside(file, "turn"))

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn, and hold it."""
        with self._threads:
            fcntl.flock(self._queue, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._queue, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._queue)
        os.close(self._turn)


class Hold:
    """An exclusive lock on a file for as long as this object (or this process) lives."""

    def __init__(self, file: Path) -> None:
        """Raises: BlockingIOError when another holds it, OSError when the file cannot be opened."""
        descriptor = _open_lock(file)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self.file = file
        self._close = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        self._close()


@contextmanager
def one_at_a_time(file: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock on a file; go on without it when it does not come free in time (whoever has it hangs).

    Raises: OSError when the file cannot be opened.
    """
    descriptor, until = _open_lock(file), time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.002)
        yield
    finally:
        os.close(descriptor)


def is_held(file: Path) -> bool:
    """Does any living process hold this lock file? A file that is not there is held by nobody."""
    if not file.exists():
        return False
    try:
        Hold(file).close()
    except BlockingIOError:
        return True
    return False


def beside(file: Path, name: str) -> Path:
    """The file ``<database>.<name>`` in the database's directory."""
    return file.with_name(f"{file.name}.{name}")


def _open_lock(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
