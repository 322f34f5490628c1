"""What a record may hold of people, premises and secrets is listed, field by field; nothing else is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import Entry, RecordKind
from keybroker.terms import PartyName
from tests.cli.command import a_deployment
from tests.ledger import books
from tests.ledger.record_fields import listed, unlisted
from tests.situations import AT

KEPT = Path(__file__).with_name("kept")


def test_finds_a_field_that_is_not_listed(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        body: dict[str, Json] = {"operation": "ListKeys", "looked_at": {"pin": "a secret"}}
        journal.write([Entry(kind=RecordKind.READ, party=PartyName("p"), body=body)], at=AT)
        assert unlisted(journal.ledger.file) == {"body.looked_at.pin": "a secret"}


@pytest.mark.parametrize("name", sorted(path.name for path in KEPT.glob("*.sql")))
def test_every_field_of_every_kept_ledger_is_listed(tmp_path: Path, name: str) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.executescript((KEPT / name).read_text())
    connection.close()
    assert unlisted(tmp_path / "ledger.sqlite") == {}


def test_every_field_of_a_deployment_is_listed(tmp_path: Path) -> None:
    made = a_deployment(tmp_path / "deployment")
    assert unlisted(made.directory / "data" / "ledger.sqlite") == {}


def test_no_field_is_listed_that_would_hold_a_secret() -> None:
    words = ("pin", "share", "secret", "passphrase", "password", "plaintext", "private")
    assert [name for name in listed() if any(word in name.split(".")[-1].split("_") for word in words)] == []
