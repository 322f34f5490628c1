"""Every cell of every table but those that may be erased: changed, it is found, and its table or record is named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.keys.evidence import told_by
from keybroker.ledger import model
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.export_form import told_export
from keybroker.ledger.model import RecordKind
from keybroker.terms import PartyName
from tests.keys.restoring import ACTOR
from tests.ledger import books, exported, tampering_rows
from tests.situations import AT


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("beside")
    exported.fill(directory)
    return directory


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


def test_a_certificate_that_is_gone_is_missed(ledger: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ledger, tmp_path / "copy"))
    with sqlite3.connect(copy / "ledger.sqlite") as connection:
        connection.execute("DELETE FROM certificate WHERE position = 1")
    connection.close()
    assert "the table certificate says of 'enrolled'" in tampering_rows.what_is_found(copy)


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


@pytest.mark.parametrize("changes", [{"root_hash": "00" * 32}, {"tree_size": 10_000}, {"tree_size": "5"}])
def test_names_an_export_of_another_tree(ledger: Path, tmp_path: Path, changes: dict[str, Json]) -> None:
    copy = Path(shutil.copytree(ledger, tmp_path / "copy"))
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
