"""How is a ledger read? One moment of it at a time; and for those who only read, by a connection that cannot write.

``Reader`` is what an auditor needs and all that he is given: ``store.Ledger`` adds turns to it. ``open_for_reading``
makes no file, takes no turn and migrates nothing: an audit leaves what it audits as it was found.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from keybroker.clause import clause
from keybroker.errors import ConfigurationInvalid, KeybrokerError, LedgerBroken, LedgerUnavailable
from keybroker.ledger import merkle, sqlite, tables
from keybroker.ledger.model import Head, StoredRecord
from keybroker.terms import DeploymentKind, PartyName


class Reader:
    """An open ledger, for reading. Safe for several threads and several processes."""

    def __init__(self, file: Path, engine: Engine, *, origin: str, deployment: DeploymentKind) -> None:
        self.file = file
        self.origin = origin
        self.deployment = deployment
        self._engine = engine
        self._identity = _identity(file)

    def _check_file(self) -> None:
        """Connections outlive their file's name: what is written to a file that was moved or removed is lost.

        Raises: LedgerBroken when another file bears the name of the one that was opened, LedgerUnavailable when none
        does.
        """
        identity = _identity(self.file)
        if identity is None:
            raise LedgerUnavailable("the ledger's file is not there; nothing was signed")
        if identity != self._identity:
            raise LedgerBroken("the ledger's file was replaced while it was open; stop the broker")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the ledger, for reading only.

        Raises: LedgerUnavailable, LedgerBroken.
        """
        self._check_file()
        try:
            with self._engine.connect() as connection:
                connection.begin()  # never committed: there is nothing to commit
                yield connection
        except (DBAPIError, sqlite3.Error) as error:
            raise sqlite.fault(error) from error

    def head(self, at: datetime) -> Head:
        """The head of the tree as it is committed now. Raises: LedgerUnavailable, LedgerBroken."""
        with self.read() as connection:
            row = connection.execute(select(tables.head.c.tree_size, tables.head.c.root_hash)).one()
        return Head(origin=self.origin, tree_size=row.tree_size, root_hash=row.root_hash, at=at)

    def size(self) -> int:
        """How many records there are. Raises: LedgerUnavailable, LedgerBroken."""
        with self.read() as connection:
            size: int = connection.execute(select(tables.head.c.tree_size)).scalar_one()
        return size

    def find(self, leaf_index: int) -> StoredRecord | None:
        """The record at a leaf index, None where the tree does not reach.

        Raises: LedgerUnavailable, LedgerBroken (also when the record is not what was hashed).
        """
        if not 0 <= leaf_index < 2**63:
            return None
        with self.read() as connection:
            row = connection.execute(
                select(tables.record).where(tables.record.c.leaf_index == leaf_index)
            ).one_or_none()
        if row is None:
            return None
        if row.octets and merkle.leaf_hash(row.octets) != row.leaf_hash:
            raise LedgerBroken(f"record {leaf_index} is not the one that was hashed; run: keybroker ledger verify")
        return StoredRecord(
            leaf_index=row.leaf_index,
            octets=row.octets,
            leaf_hash=row.leaf_hash,
            kind=row.kind,
            party=PartyName(row.party),
        )

    def close(self) -> None:
        """Close every connection. Nothing can be read afterwards."""
        self._engine.dispose()


def open_for_reading(url: str, *, origin: str, deployment: DeploymentKind) -> Reader:
    """Open the ledger that the URL names, exactly as it is.

    Raises: ConfigurationInvalid: there is none, its tables are not those of this version, or it is of the other
    deployment kind. LedgerBroken: of another origin, or damaged. LedgerUnavailable: it cannot be read now.
    """
    file = sqlite.database_file(url)
    if not file.is_file():
        raise ConfigurationInvalid("there is no ledger at this place yet", where="ledger.url")
    reader = Reader(file, sqlite.open_reading_engine(file), origin=origin, deployment=deployment)
    try:
        with reader.read() as connection:
            check_revision(connection)
            check_birth(connection, origin=origin, deployment=deployment)
    except KeybrokerError:
        reader.close()
        raise
    return reader


def migrations() -> Config:
    """Where the revisions of the tables are, as Alembic wants to be told."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def current_revision(connection: Connection) -> str | None:
    """Of the tables; None where there are none. Raises: ConfigurationInvalid where they are of several at once."""
    found = MigrationContext.configure(connection).get_current_heads()
    if len(found) > 1:
        sentence = f"the table alembic_version holds {len(found)} rows, expected one: these are tables of no version"
        raise ConfigurationInvalid(sentence, where="ledger.url")
    return found[0] if found else None


def check_revision(connection: Connection) -> None:
    """Raises: ConfigurationInvalid, in a sentence, unless the ledger's tables are exactly those of this version."""
    scripts = ScriptDirectory.from_config(migrations())
    current = current_revision(connection)
    known = {script.revision for script in scripts.walk_revisions()}
    sentence = why_not_this_version(current, newest=scripts.get_current_head(), known=known)
    if sentence is not None:
        raise ConfigurationInvalid(sentence, where="ledger.url")


def why_not_this_version(current: str | None, *, newest: str | None, known: Collection[str]) -> str | None:
    """Why tables of revision ``current`` cannot be read as they are, None where they can."""
    if current == newest:
        return None
    if current is None:
        return "the file holds no ledger's tables"
    if current in known:
        return (
            f"the ledger's tables are of an earlier keybroker (revision {current}, this version has {newest}): verify"
            " it with that version, or start this broker on it once, which migrates it"
        )
    return "the ledger was made by a later keybroker; use that version"


@clause("G2.20(b)")
def check_birth(connection: Connection, *, origin: str, deployment: DeploymentKind, party: str | None = None) -> None:
    """``party``: whose ledger a live deployment expects; None where whoever reads it is of no party.

    Raises: LedgerBroken for another origin or none, ConfigurationInvalid for the other kind of deployment and for
    another party's ledger (SEC G2.20(c), G2.25, G3.14).
    """
    rows = connection.execute(select(tables.head.c.origin, tables.head.c.deployment)).all()
    if len(rows) != 1:
        several = "several heads" if rows else "no head"
        raise LedgerBroken(f"the ledger has {several}: the table head holds {len(rows)} rows, expected one")
    (row,) = rows
    if row.origin != origin:
        raise LedgerBroken(f"the ledger's origin is {row.origin}, the configuration expects {origin}")
    if row.deployment != deployment.value:
        raise ConfigurationInvalid(
            f"the ledger was born in a {row.deployment} deployment and cannot be opened as {deployment.value}",
            where="deployment.kind",
        )
    if party is not None and (born := _party(connection)) != party:
        raise ConfigurationInvalid(
            f"the ledger was born as {born or 'nobody'}'s, this deployment is {party or 'nobody'}'s; a live deployment"
            " and all that it holds is one party's (SEC G2.20(c), G2.25, G3.14)",
            where="deployment.party",
        )


def _party(connection: Connection) -> str:
    """Whose ledger it is from birth: its origin record says so. Empty in a test deployment."""
    first = select(tables.record.c.party).where(tables.record.c.leaf_index == 0)
    party: str | None = connection.execute(first).scalar()
    return party or ""


def _identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file, None where there is none that can be looked at."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
