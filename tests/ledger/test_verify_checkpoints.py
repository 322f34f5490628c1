"""What an auditor finds of checkpoints that are of another tree, and of rows that somebody changed."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from keybroker.errors import LedgerBroken, NotPermitted
from keybroker.ledger import audit, tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Refused
from keybroker.ledger.note import NoteSignature, read_note
from keybroker.ledger.note_keys import EcdsaNoteKey, check_signed
from keybroker.terms import KeyPurpose
from tests import situations
from tests.ledger import books
from tests.situations import AT, ORIGIN

KEY = EcdsaNoteKey(name=ORIGIN, point=situations.a_key(KeyPurpose.AUDIT_CHECKPOINT).public_key)
COSIGNED = NoteSignature(name="witness.example/w", key_id=b"\x01\x02\x03\x04", signature=bytes(72)).line


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints, other records around them, and a cosignature of the first."""
    directory = tmp_path_factory.mktemp("book")
    with books.a_book(directory) as journal:
        for name in ("first", "second"):
            books.sign(journal, books.a_request(f"{name} of others"))
            books.sign(journal, books.a_request(name, books.a_checkpoint(journal)))
        row = {"tree_size": 3, "witness": "witness.example/w", "line": COSIGNED, "at": 5}
        journal.ledger.transact(lambda turn: turn.connection.execute(insert(tables.cosignature).values(**row)))
        with journal.ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return directory


ROWS = {
    "a checkpoint of more": ("UPDATE checkpoint SET tree_size = 4 WHERE tree_size = 3", "tree_size 4"),
    "another note": ("UPDATE checkpoint SET note = x'00'", "note"),
    "another moment": ("UPDATE checkpoint SET at = at + 1", "at 17"),
    "a checkpoint less": ("DELETE FROM checkpoint WHERE tree_size = 3", "does not hold it"),
    "a checkpoint slipped in": (
        "INSERT INTO checkpoint SELECT 1, 1, note, at FROM checkpoint LIMIT 1",
        "of which no record tells",
    ),
    "a cosignature of no checkpoint": ("UPDATE cosignature SET tree_size = 4", "under a checkpoint of that size"),
    "another witness's": ("UPDATE cosignature SET witness = 'witness.example/v'", "one line of that witness"),
    "no signature line": ("UPDATE cosignature SET line = x'0a'", "one line of that witness"),
}


@pytest.mark.parametrize("name", ROWS)
def test_finds_a_row_that_the_records_do_not_tell(book: Path, tmp_path: Path, name: str) -> None:
    statement, sentence = ROWS[name]
    shutil.copyfile(book / "ledger.sqlite", tmp_path / "ledger.sqlite")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    with books.a_book(tmp_path) as journal, pytest.raises(LedgerBroken, match=sentence):
        audit.verify(journal.ledger, AT)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"root_hash": bytes(32)}, "of this ledger as it was"),
        ({"tree_size": 0}, "of this ledger as it was"),
    ],
)
def test_finds_a_checkpoint_that_is_of_another_tree(journal: Journal, changes: dict[str, Any], sentence: str) -> None:
    books.sign(journal, books.a_request("r", books.a_checkpoint(journal, **changes)))
    with pytest.raises(LedgerBroken, match=f"record 1: expected .*{sentence}"):
        audit.verify(journal.ledger, AT)


@pytest.mark.parametrize("tree_size", [2, 2**63 - 1, 2**64 - 1])
def test_refuses_a_checkpoint_of_more_records_than_there_are(journal: Journal, tree_size: int) -> None:
    (refused,) = books.intend(journal, books.a_request("r", books.a_checkpoint(journal, tree_size=tree_size)))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, NotPermitted)
    audit.verify(journal.ledger, AT)


def test_accepts_checkpoints_of_every_age_and_their_notes_verify(journal: Journal) -> None:
    """A checkpoint may be signed long after its tree was that large: by a worker that waited."""
    early = books.a_checkpoint(journal)
    for number in range(3):
        books.sign(journal, *(books.a_request(f"{number} {each}") for each in range(100)))
        books.sign(journal, books.a_request(f"checkpoint {number}", books.a_checkpoint(journal)))
    books.sign(journal, books.a_request("early", early))
    audit.verify(journal.ledger, AT)
    with journal.ledger.read() as connection:
        rows = connection.execute(tables.checkpoint.select()).all()
    assert [row.tree_size for row in rows] == [201, 403, 605, 1]
    for row in rows:
        note = read_note(row.note)
        assert note.body.decode().split("\n")[:2] == [ORIGIN, str(row.tree_size)]
        check_signed(note, KEY)


def test_accepts_the_book(book: Path, tmp_path: Path) -> None:
    shutil.copyfile(book / "ledger.sqlite", tmp_path / "ledger.sqlite")
    with books.a_book(tmp_path) as journal:
        assert audit.verify(journal.ledger, AT).signatures == 4
