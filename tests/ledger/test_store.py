"""Opening, holding, migrating, the anchor: what a ledger refuses to be opened as, and what is noticed."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from keybroker.errors import ConfigurationInvalid, KeybrokerError, LedgerBroken, LedgerUnavailable
from keybroker.ledger import audit, tables
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.journal import Journal
from keybroker.ledger.store import hold_ledger, open_ledger
from keybroker.terms import DeploymentKind
from tests.ledger import books
from tests.ledger.books import a_request, sign
from tests.situations import AT, ORIGIN


def tamper(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / "ledger.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# ---- refusals


@pytest.mark.clause("G2.20(b)", shows="refusal")
@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"origin": "keybroker.example/other/TEST"}, LedgerBroken, "expects keybroker.example/other/TEST"),
        ({"deployment": DeploymentKind.LIVE}, ConfigurationInvalid, "cannot be opened as live"),
    ],
)
def test_refuses_a_ledger_of_another_birth(
    tmp_path: Path, changes: dict[str, Any], error: type[KeybrokerError], said: str
) -> None:
    books.a_ledger(tmp_path).close()
    with pytest.raises(error, match=said):
        books.a_ledger(tmp_path, **changes)
    books.a_ledger(tmp_path).close()


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_refuses_a_database_that_is_no_file(url: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        open_ledger(url, origin=ORIGIN, deployment=DeploymentKind.TEST, at=AT)
    with pytest.raises(ConfigurationInvalid):
        hold_ledger(url)


def test_refuses_a_ledger_made_by_a_later_keybroker(tmp_path: Path) -> None:
    books.a_ledger(tmp_path).close()
    tamper(tmp_path, "UPDATE alembic_version SET version_num = 'v9999'")
    with pytest.raises(ConfigurationInvalid, match="later keybroker"):
        books.a_ledger(tmp_path)


@pytest.mark.clause("G2.20(b)", shows="refusal")
@pytest.mark.parametrize("origin", ["keybroker.example/tests", "keybroker.example/test", "keybroker.example/T.E.S.T"])
def test_refuses_a_test_deployment_whose_origin_does_not_say_so(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="the origin of a test deployment says so") as caught:
        books.a_ledger(tmp_path, origin=origin)
    assert caught.value.where == "deployment.ledger_origin"
    assert not list(tmp_path.iterdir())
    books.a_ledger(tmp_path, origin=origin, deployment=DeploymentKind.LIVE).close()


def test_refuses_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(LedgerBroken, match="damaged"):
        books.a_ledger(tmp_path)


def test_says_that_a_directory_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="No such file"):
        books.a_ledger(tmp_path / "nowhere")
    with pytest.raises(LedgerUnavailable, match="No such file"):
        hold_ledger(books.url(tmp_path / "nowhere"))


def test_a_second_broker_on_one_ledger_is_refused(tmp_path: Path) -> None:
    hold = hold_ledger(books.url(tmp_path))
    with pytest.raises(LedgerUnavailable, match="another broker"):
        hold_ledger(books.url(tmp_path))
    hold.close()
    hold_ledger(books.url(tmp_path)).close()


def test_a_worker_whose_life_cannot_be_locked_does_not_begin(tmp_path: Path, journal: Journal) -> None:
    twin = books.a_journal(journal.ledger, "twin", incarnation="1")
    with pytest.raises(LedgerUnavailable):
        books.a_journal(journal.ledger, "twin", incarnation="1")
    twin.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE head SET tree_size = tree_size + 1", "contradicts itself"),
        ("UPDATE head SET root_hash = zeroblob(32)", "contradicts itself"),
        ("UPDATE head SET frontier = zeroblob(32 * 2)", "contradicts itself"),
        ("DELETE FROM head", "no head"),
    ],
)
def test_writes_nothing_behind_a_head_that_contradicts_itself(tmp_path: Path, statement: str, said: str) -> None:
    with books.a_book(tmp_path) as journal:
        sign(journal, a_request("r"))
        tamper(tmp_path, statement)
        with pytest.raises(LedgerBroken, match=said):
            sign(journal, a_request("s"))


def test_says_that_a_read_only_ledger_cannot_be_written(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        # What SQLite does with a file that may only be read; the mode of a file does not bind root.
        event.listen(journal.ledger._engine, "begin", _read_only)
        journal.ledger._engine.dispose()
        with pytest.raises(LedgerUnavailable, match="readonly database"):
            sign(journal, a_request("r"))
        event.remove(journal.ledger._engine, "begin", _read_only)
        journal.ledger._engine.dispose()
        sign(journal, a_request("r"))


def _read_only(connection: Any) -> None:
    connection.connection.cursor().execute("PRAGMA query_only = ON")


# ---- the anchor


def test_notices_yesterdays_database_file(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        sign(journal, a_request("r"))
    shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "yesterday")
    with books.a_book(tmp_path) as journal:
        sign(journal, a_request("s"))
        anchor = journal.head(AT)
        check_anchor(journal.ledger, anchor)
    shutil.copy(tmp_path / "yesterday", tmp_path / "ledger.sqlite")
    ledger = books.a_ledger(tmp_path)
    with pytest.raises(LedgerBroken, match=r"rolled back: expected at least 5 records .* found 3"):
        check_anchor(ledger, anchor)
    with pytest.raises(LedgerBroken, match="5 records"):
        audit.verify(ledger, AT, anchor=anchor)
    # Written on, it is another history of the same length.
    journal = books.a_journal(ledger)
    sign(journal, a_request("t"), a_request("u"))
    with pytest.raises(LedgerBroken, match="does not extend the head kept outside"):
        check_anchor(ledger, anchor)
    with pytest.raises(LedgerBroken, match="head kept outside expects root"):
        audit.verify(ledger, AT, anchor=anchor)
    journal.close()
    ledger.close()


def test_takes_an_anchor_that_the_ledger_extends_or_none_at_all(journal: Journal) -> None:
    anchor = journal.head(AT)
    sign(journal, a_request("r"))
    for head in (anchor, journal.head(AT), None, replace(anchor, tree_size=0, root_hash=tables_empty_root())):
        check_anchor(journal.ledger, head)
        audit.verify(journal.ledger, AT, anchor=head)


def tables_empty_root() -> bytes:
    return bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def test_refuses_an_anchor_of_another_ledger(journal: Journal) -> None:
    anchor = replace(journal.head(AT), origin="keybroker.example/other")
    with pytest.raises(LedgerBroken, match=r"of ledger keybroker\.example/other"):
        check_anchor(journal.ledger, anchor)
    with pytest.raises(LedgerBroken, match="head kept outside"):
        audit.verify(journal.ledger, AT, anchor=anchor)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM record WHERE leaf_index = 1", "record 1 is missing"),
        ("DELETE FROM record WHERE leaf_index = 2", "contradicts its own head"),
        ("UPDATE record SET leaf_hash = zeroblob(32) WHERE leaf_index = 1", "contradicts its own head"),
    ],
)
def test_notices_at_start_what_was_taken_out_or_changed(tmp_path: Path, statement: str, said: str) -> None:
    with books.a_book(tmp_path) as journal:
        sign(journal, a_request("r"))
        tamper(tmp_path, statement)
        with pytest.raises(LedgerBroken, match=said):
            check_anchor(journal.ledger, None)


# ---- acceptance


def test_migrations_make_the_tables_that_the_code_uses(journal: Journal) -> None:
    with journal.ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


@pytest.mark.clause("G2.20(b)", shows="acceptance")
def test_begins_with_its_origin_and_its_kind_of_deployment(tmp_path: Path) -> None:
    ledger = books.a_ledger(tmp_path, deployment=DeploymentKind.LIVE)
    record = ledger.find(0)
    assert record is not None
    assert record.octets == (
        b'{"at":"2026-01-15T12:00:00.000000Z","kind":"origin","origin":"keybroker.example/tests/TEST","party":"","v":1}'
    )
    ledger.close()


def test_is_in_wal_mode_and_synchronous_full(journal: Journal) -> None:
    with journal.ledger.read() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_reads_records_in_pages(journal: Journal) -> None:
    sign(journal, a_request("r"))
    assert [record.kind for record in audit.read_records(journal.ledger, 1, 5)] == ["intent", "outcome"]
