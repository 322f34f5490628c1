"""Where are the records kept? Opening, migrating, and the one way to write: a turn that ends in a settled COMMIT.

A COMMIT that raises is indeterminate: it may have committed. ``Ledger.transact`` then drops the connection, looks in
the file for the very leaf hashes it tried to write, and makes them durable before it says that they are there.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import DBAPIError

from keybroker.clause import clause
from keybroker.errors import ConfigurationInvalid, LedgerBroken, LedgerUnavailable, NotPermitted, OutcomeUnknown
from keybroker.ledger import merkle, sqlite, tables
from keybroker.ledger.canonical_json import encode
from keybroker.ledger.model import InForce
from keybroker.ledger.reading import Reader, check_birth, current_revision, migrations
from keybroker.ledger.record import Writer
from keybroker.ledger.turn import Stand, Turn
from keybroker.terms import DeploymentKind

T = TypeVar("T")

_is_origin = re.compile(r"[!-~]{1,255}").fullmatch
"""Checkpoints, and the head kept in the token, hold an origin on a line of its own."""

TEST_MARK = "TEST"
"""What the origin of every test deployment's ledger contains."""


class Ledger(Reader):
    """An open ledger. Safe for several threads and several processes: whoever writes waits for its turn."""

    def __init__(self, file: Path, engine: Engine, *, origin: str, deployment: DeploymentKind) -> None:
        super().__init__(file, engine, origin=origin, deployment=deployment)
        self._turns = sqlite.FairTurn(file)
        self._unsynced = False
        self._stand: Stand | None = None

    @property
    def known_size(self) -> int:
        """How many records there are at least: those that this process wrote last, and all before them."""
        return 0 if self._stand is None else self._stand.tree_size

    def transact(self, work: Callable[[Turn], T]) -> T:
        """Do ``work`` in one transaction and answer what it answered, once its records are durable.

        Raises: LedgerUnavailable: nothing was written. OutcomeUnknown: it may have been written, nobody can say.
        LedgerBroken: the ledger contradicts itself. And whatever ``work`` raises; nothing was written then.
        """
        with self._turns.take():
            if self._unsynced:
                self._sync()
            turn, answer = self._work(work)
            if turn.commit_in_doubt:
                self._settle(turn)
            self._stand = turn.stand(self._stand)
            return answer

    def _work(self, work: Callable[[Turn], T]) -> tuple[Turn, T]:
        self._check_file()
        try:
            connection = sqlite.for_turn(self._engine.connect())
        except (DBAPIError, sqlite3.Error) as error:
            raise sqlite.fault(error) from error
        with connection:
            try:
                connection.begin()
                turn = Turn(connection, origin=self.origin)
                if self._stand is not None:
                    turn.check_follows(self._stand)
                answer = work(turn)
                turn.finish()
            except (DBAPIError, sqlite3.Error) as error:
                # The connection is dropped with the transaction in it: SQLite rolls back.
                connection.invalidate()
                raise sqlite.fault(error) from error
            try:
                connection.commit()
            except (DBAPIError, sqlite3.Error):
                connection.invalidate()
                turn.commit_in_doubt = True
            return turn, answer

    def _settle(self, turn: Turn) -> None:
        """Look in the file whether the transaction is there. Raises: LedgerUnavailable, OutcomeUnknown."""
        self._engine.dispose()
        # Until it is synced, nothing that can be read in the file counts as durable, not even at a second look.
        self._unsynced = True
        try:
            with self.read() as connection:
                there = turn.is_in(connection)
            if there:
                self._sync()
        except (LedgerUnavailable, LedgerBroken) as error:
            raise OutcomeUnknown("a commit failed, and whether the ledger was written is unknown") from error
        if not there:
            raise LedgerUnavailable("the ledger cannot be written now (its commit failed); nothing was written")

    def write_through(self) -> None:
        """Everything that was committed stands in the database file, and no copy of what was there before in its log.

        Raises: LedgerUnavailable while somebody reads; LedgerBroken.
        """
        with self._turns.take():
            try:
                sqlite.empty_log(self._engine)
            except (DBAPIError, sqlite3.Error) as error:
                raise sqlite.fault(error) from error

    def _sync(self) -> None:
        """Make everything in the file durable. Raises: LedgerUnavailable, LedgerBroken."""
        try:
            sqlite.make_durable(self._engine)
        except (DBAPIError, sqlite3.Error) as error:
            self._engine.dispose()
            raise sqlite.fault(error) from error
        self._unsynced = False

    def begin_life(self, worker: str) -> sqlite.Hold:
        """Hold the lock file of a worker for as long as it lives. Raises: LedgerUnavailable."""
        try:
            # In a turn, so that nobody sweeps the file away between its making and its locking.
            with self._turns.take():
                return sqlite.Hold(self._life(worker))
        except OSError as error:
            raise sqlite.fault(error) from error

    def is_alive(self, worker: str) -> bool:
        """Does a living process hold this worker's lock file?"""
        return sqlite.is_held(self._life(worker))

    def hold_checkpoints(self) -> sqlite.Hold | None:
        """Be the one who has a checkpoint signed, until the answer is closed (or this process ends); None while another
        process is. Raises: LedgerUnavailable.
        """
        try:
            return sqlite.Hold(sqlite.beside(self.file, "checkpoint"))
        except BlockingIOError:
            return None
        except OSError as error:
            raise sqlite.fault(error) from error

    def hold_ceremony(self, name: str) -> sqlite.Hold:
        """Be the one who conducts it, as long as the answer (or this process) lives.

        Raises: NotPermitted while another process does; LedgerUnavailable.
        """
        try:
            return sqlite.Hold(sqlite.beside(self.file, f"ceremony.{name}"))
        except BlockingIOError as error:
            raise NotPermitted(f"another process conducts the ceremony {name}; go on there, or end it first") from error
        except OSError as error:
            raise sqlite.fault(error) from error

    def sweep_lives(self) -> None:
        """Remove the lock files of workers that are gone."""
        with self._turns.take():
            for file in self.file.parent.glob(f"{self.file.name}.worker.*"):
                if not sqlite.is_held(file):
                    file.unlink(missing_ok=True)

    def _life(self, worker: str) -> Path:
        return sqlite.beside(self.file, f"worker.{worker}")

    def close(self) -> None:
        """Close every connection. The ledger is not usable afterwards."""
        super().close()
        self._turns.close()


@clause("G2.20(b)", "G2.20(c)", "G2.25", "G3.14")
def open_ledger(url: str, *, origin: str, deployment: DeploymentKind, at: datetime, party: str = "") -> Ledger:
    """Open the ledger that the URL names; make it where there is none, and bring its tables up to this version.

    ``party``: whose a live deployment is. Raises: ConfigurationInvalid: an origin that is none, or that hides a test
    deployment; not a ledger for this version, of the other deployment kind, or of another party (SEC G2.25, G3.14).
    LedgerBroken: of another origin, or damaged. LedgerUnavailable: it cannot be opened now.
    """
    _check_origin(origin, deployment)
    file = sqlite.database_file(url)
    try:
        # The file is made before it is opened, so that what was opened can be told from what is put there later.
        if not file.exists():
            file.touch(mode=0o600)
        if file.stat().st_nlink > 1:
            raise ConfigurationInvalid("the ledger's file has a second name (a hard link)", where="ledger.url")
        engine = sqlite.open_engine(file)
        ledger = Ledger(file, engine, origin=origin, deployment=deployment)
    except OSError as error:
        raise sqlite.fault(error) from error
    try:
        with ledger._turns.take(), sqlite.for_turn(engine.connect()) as connection:
            connection.begin()
            create_ledger(connection, origin=origin, deployment=deployment, at=at, party=party)
            connection.commit()
            check_birth(connection, origin=origin, deployment=deployment, party=party)
    except (DBAPIError, sqlite3.Error) as error:
        ledger.close()
        raise sqlite.fault(error) from error
    except (ConfigurationInvalid, LedgerBroken):
        ledger.close()
        raise
    return ledger


def _check_origin(origin: str, deployment: DeploymentKind) -> None:
    if not _is_origin(origin):
        raise ConfigurationInvalid(
            "an origin is 1 to 255 printable ASCII characters without space", where="deployment.ledger_origin"
        )
    # An origin stands in every receipt, head and checkpoint, and leaves the deployment with them (G2.20(b)).
    if deployment is DeploymentKind.TEST and TEST_MARK not in origin:
        raise ConfigurationInvalid(
            f"the origin of a test deployment says so: expected {TEST_MARK} in it, found {origin}",
            where="deployment.ledger_origin",
        )


def create_ledger(
    connection: Connection, *, origin: str, deployment: DeploymentKind, at: datetime, party: str = ""
) -> None:
    """Make or migrate the tables; into a new ledger write its first record: name, kind of deployment, party.

    Raises: ConfigurationInvalid when the ledger was made by a later keybroker. LedgerBroken: records without a head.
    """
    _migrate(connection)
    if connection.execute(select(func.count()).select_from(tables.head)).scalar_one():
        return
    if connection.execute(select(tables.record.c.leaf_index).limit(1)).first() is not None:
        raise LedgerBroken("the ledger has no head: the table head holds no row, and there are records")
    nothing = InForce(configuration=b"", profile=b"", policies={})
    octets = encode(Writer(deployment=deployment, in_force=nothing, worker="").origin(origin, at, party))
    connection.execute(
        insert(tables.head).values(
            id=1,
            origin=origin,
            deployment=deployment.value,
            tree_size=0,
            root_hash=merkle.EMPTY_ROOT,
            frontier=b"",
            register_version=0,
        )
    )
    turn = Turn(connection, origin=origin)
    turn.append(kind="origin", party=party, octets=octets, leaf_hash=merkle.leaf_hash(octets))
    turn.finish()


def hold_ledger(url: str) -> sqlite.Hold:
    """Hold the ledger for one broker, as long as the answer (or this process) lives.

    Raises: LedgerUnavailable when another broker holds it; ConfigurationInvalid.
    """
    file = sqlite.database_file(url)
    try:
        return sqlite.Hold(sqlite.beside(file, "broker"))
    except BlockingIOError as error:
        raise LedgerUnavailable("another broker is running on this ledger; stop it, or use another ledger") from error
    except OSError as error:
        raise sqlite.fault(error) from error


def from_seconds(seconds: int) -> datetime:
    """A moment that a table keeps in seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def _migrate(connection: Connection) -> None:
    config = migrations()
    scripts = ScriptDirectory.from_config(config)
    current = current_revision(connection)
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationInvalid("the ledger was made by a later keybroker; use that version", where="ledger.url")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
