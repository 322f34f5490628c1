"""Every cell of every table but those that may be erased: changed, it is found, and its table or record is named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.keys.evidence import told_by
from keybroker.ledger import model, tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.export_form import told_export
from keybroker.ledger.model import RecordKind
from keybroker.terms import PartyName
from tests.keys.restoring import ACTOR
from tests.ledger import books, every_table, exported, tampering_rows
from tests.situations import AT

PACKAGE = Path(__file__).parents[2] / "docs" / "evidence-package.md"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("beside")
    every_table.fill(directory)
    return directory


def test_every_table_has_rows_to_be_tampered_with(ledger: Path) -> None:
    with sqlite3.connect(ledger / "ledger.sqlite") as connection:
        empty = [each for each in tampering_rows.tables(connection) if not tampering_rows.rows(connection, each)]
    connection.close()
    assert empty == []


@pytest.mark.parametrize(("table", "column"), tampering_rows.EXEMPT, ids=lambda each: each or "a row")
def test_an_assessor_reads_what_may_be_changed_unnoticed(table: str, column: str) -> None:
    (told,) = [line for line in PACKAGE.read_text().splitlines() if line.startswith(f"| `{table}` |")]
    assert f"`{column}`" in told if column else "a row" in told
    assert not column or table == "alembic_version" or column in tables.metadata.tables[table].columns


CELLS = [
    ("certificate", "der"),
    ("certificate", "position"),
    ("head", "register_version"),
    ("octets", "at"),
    ("quarantine", "caller"),
    ("quarantine", "counts"),
    ("quarantine", "name"),
    ("quarantine", "user_id"),
    ("quarantine", "at"),
    ("request", "at"),
    ("request", "worker"),
    ("revocation_list", "chain"),
    ("revoked_certificate", "identity"),
    ("revoked_certificate", "label"),
    ("session_key", "made_at"),
    ("session_key", "request"),
    ("session_key", "until"),
    ("session_key", "worker"),
    ("threshold_check", "attester"),
    ("threshold_check", "sequence"),
]


@pytest.mark.parametrize(("table", "column"), CELLS, ids=lambda each: str(each))
def test_names_the_table_in_which_a_cell_was_changed(ledger: Path, tmp_path: Path, table: str, column: str) -> None:
    found = changed(ledger, tmp_path, table, column)
    assert table in found


def test_names_the_table_in_which_a_cell_is_of_another_type(ledger: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ledger, tmp_path / "copy"))
    with sqlite3.connect(copy / "ledger.sqlite") as connection:
        connection.execute("UPDATE key SET eui = 1 WHERE label = 'enrolled'")
    connection.close()
    expected = "the table key holds in eui of 'enrolled' a value that is not of its type"
    assert tampering_rows.what_is_found(copy) == expected


ROWS = {
    "a certificate that is gone": (
        "DELETE FROM certificate WHERE position = 1",
        "the table certificate says of 'enrolled'",
    ),
    "one revoked certificate of which no record tells": (
        "INSERT INTO revoked_certificate VALUES (x'00', 'supplier-a')",
        "the table revoked_certificate holds 1 of 'supplier-a'; the records tell of 0",
    ),
    "a key's revoked certificate twice": (
        "INSERT INTO revoked_certificate VALUES (x'00', 'enrolled')",
        "the table revoked_certificate holds 2 of 'enrolled'; the records tell of 1",
    ),
    "a session's key of which no record tells": (
        "UPDATE session_key SET label = 'another' WHERE destroyed_index IS NULL",
        "the table session_key holds 'another', of which no record tells",
    ),
    "a session that lasts for ever": (
        "UPDATE session_key SET until = 4102444800 WHERE destroyed_index IS NULL",
        "the table session_key says of 's1sp-smets1-session-",
    ),
    "no head": ("DELETE FROM head", "the table head holds no row"),
    "another head": (
        "INSERT INTO head SELECT 2, origin, deployment, tree_size, root_hash, frontier, 0 FROM head",
        "head",
    ),
    "another version of the tables": (
        "INSERT INTO alembic_version VALUES ('v0003')",
        "the table alembic_version holds 2 rows",
    ),
    "another mark of the watch": ("INSERT INTO anomaly_watch VALUES (2, 0)", "the table anomaly_watch holds the rows"),
    "a watch's mark at the end, which hides what is new": (
        "UPDATE anomaly_watch SET looked_to = (SELECT tree_size FROM head)",
        "an Anomalous Event that tells of uri:urn:keybroker:dcc:head-end smets1-tls",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_names_what_a_row_says_that_no_record_tells(ledger: Path, tmp_path: Path, name: str) -> None:
    statement, said = ROWS[name]
    copy = Path(shutil.copytree(ledger, tmp_path / "copy"))
    with sqlite3.connect(copy / "ledger.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    assert said in tampering_rows.what_is_found(copy)


def test_what_was_erased_or_forgotten_is_no_fault(ledger: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ledger, tmp_path / "copy"))
    with sqlite3.connect(copy / "ledger.sqlite") as connection:
        connection.execute("DELETE FROM octets")
        connection.execute("DELETE FROM request")
    connection.close()
    assert tampering_rows.what_is_found(copy) == ""


def changed(ledger: Path, directory: Path, table: str, column: str) -> str:
    copy = Path(shutil.copytree(ledger, directory / "copy"))
    connection = sqlite3.connect(copy / "ledger.sqlite", isolation_level=None)
    try:
        tampering_rows.change_a_cell(connection, table, column, random.Random(1))  # noqa: S311 - to be repeated
    finally:
        connection.close()
    return tampering_rows.what_is_found(copy)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose every signature is real: the verifier looks at them all."""
    directory = tmp_path_factory.mktemp("real")
    exported.fill(directory)
    return directory


@pytest.mark.parametrize("changes", [{"root_hash": "00" * 32}, {"tree_size": 10_000}, {"tree_size": "5"}])
def test_names_an_export_of_another_tree(real: Path, tmp_path: Path, changes: dict[str, Json]) -> None:
    copy = Path(shutil.copytree(real, tmp_path / "copy"))
    with books.a_book(copy) as journal:
        told = told_export(told_by(ACTOR), Selection(), journal.head(AT), "ab" * 32)
        looked_at = told["looked_at"]
        assert isinstance(looked_at, dict)
        right = model.Entry(kind=RecordKind.READ, party=PartyName(""), body=told)
        journal.write([right], at=AT)
        assert tampering_rows.what_is_found(copy) == ""
        wrong = replace(right, body=told | {"looked_at": looked_at | changes})
        (receipt,) = journal.write([wrong], at=AT)
    assert f"record {receipt.leaf_index}: expected" in tampering_rows.what_is_found(copy)
    exported.package(copy, tmp_path / "package")
    assert {each["record"] for each in exported.verify(tmp_path / "package", expect=3)["wrong"]} == {receipt.leaf_index}
