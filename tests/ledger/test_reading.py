"""Reading for an audit: what it refuses, and that it leaves what it reads as it was found."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import ConfigurationInvalid, KeybrokerError, LedgerBroken, LedgerUnavailable
from keybroker.ledger import audit, sqlite
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.journal import Journal
from keybroker.ledger.reading import Reader, open_for_reading, why_not_this_version
from keybroker.terms import DeploymentKind
from tests.ledger import books
from tests.ledger.books import a_request, sign
from tests.situations import AT, ORIGIN


def a_reader(directory: Path, *, origin: str = ORIGIN, deployment: DeploymentKind = DeploymentKind.TEST) -> Reader:
    return open_for_reading(books.url(directory), origin=origin, deployment=deployment)


def tamper(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / "ledger.sqlite", isolation_level=None)
    connection.execute(statement)
    connection.close()


# ---- refusals


def test_refuses_where_there_is_no_ledger_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="no ledger at this place"):
        a_reader(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"origin": "keybroker.example/other"}, LedgerBroken, "expects keybroker.example/other"),
        ({"deployment": DeploymentKind.LIVE}, ConfigurationInvalid, "cannot be opened as live"),
    ],
)
def test_refuses_a_ledger_of_another_birth(
    tmp_path: Path, changes: dict[str, Any], error: type[KeybrokerError], said: str
) -> None:
    books.a_ledger(tmp_path).close()
    with pytest.raises(error, match=said):
        a_reader(tmp_path, **changes)


@pytest.mark.parametrize(
    ("statement", "error", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'v9999'", ConfigurationInvalid, "later keybroker"),
        ("DROP TABLE alembic_version", ConfigurationInvalid, "no ledger's tables"),
        ("DELETE FROM head", LedgerBroken, "no head"),
    ],
)
def test_refuses_tables_that_are_not_of_this_version_and_leaves_them(
    tmp_path: Path, statement: str, error: type[KeybrokerError], said: str
) -> None:
    books.a_ledger(tmp_path).close()
    tamper(tmp_path, statement)
    before = (tmp_path / "ledger.sqlite").read_bytes()
    with pytest.raises(error, match=said):
        a_reader(tmp_path)
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("current", "said"),
    [
        ("v0001", "of an earlier keybroker (revision v0001, this version has v0002)"),
        ("v0003", "made by a later keybroker"),
        (None, "no ledger's tables"),
    ],
)
def test_says_why_another_revision_is_not_read(current: str | None, said: str) -> None:
    assert said in str(why_not_this_version(current, newest="v0002", known={"v0001", "v0002"}))
    assert why_not_this_version("v0002", newest="v0002", known={"v0001", "v0002"}) is None


def test_refuses_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(LedgerBroken, match="damaged"):
        a_reader(tmp_path)


def test_no_statement_writes_through_it(journal: Journal, tmp_path: Path) -> None:
    reader = a_reader(tmp_path)
    with pytest.raises(LedgerUnavailable, match="readonly database"), reader.read() as connection:
        connection.exec_driver_sql("DELETE FROM record")
    with reader.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = OFF")
    with pytest.raises(LedgerUnavailable, match="readonly database"), reader.read() as connection:
        connection.exec_driver_sql("DELETE FROM record")
    reader.close()


# ---- acceptance


def test_reads_beside_a_journal_that_writes(journal: Journal, tmp_path: Path) -> None:
    sign(journal, a_request("r"))
    reader = a_reader(tmp_path)
    assert audit.verify(reader, AT).signatures == 1
    sign(journal, a_request("s"))
    assert audit.verify(reader, AT).signatures == 2
    check_anchor(reader, journal.head(AT))
    assert reader.find(1) == journal.find(1)
    reader.close()


def test_leaves_a_ledger_at_rest_as_it_was(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        sign(journal, a_request("r"))
    file = tmp_path / "ledger.sqlite"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    others = {path for path in tmp_path.iterdir() if "-" not in path.name}
    reader = a_reader(tmp_path)
    audit.verify(reader, AT)
    reader.close()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert {path for path in tmp_path.iterdir() if "-" not in path.name} == others
    # What SQLite made for reading holds nothing.
    assert all(path.stat().st_size == 0 for path in tmp_path.glob("*-wal"))


def test_a_file_name_is_no_part_of_the_url(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with books.a_book(tmp_path / "plain") as journal:
        sign(journal, a_request("r"))
    directory = (tmp_path / "plain").rename(tmp_path / "100% ?mode=rwc#x")
    engine = sqlite.open_reading_engine(directory / "ledger.sqlite")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM record").scalar() == 3
    engine.dispose()
