"""A ledger made by an earlier version is migrated, verifies, and goes on. One is kept for each version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from keybroker.ledger import audit, record
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.model import GivenAgain, Head
from tests.ledger import books, kept_book
from tests.situations import AT, ORIGIN

KEPT = Path(__file__).with_name("kept")


@pytest.mark.parametrize("name", sorted(path.name for path in KEPT.glob("*.sql")))
def test_migrates_verifies_and_goes_on(tmp_path: Path, name: str) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.executescript((KEPT / name).read_text())
    connection.close()
    with books.a_book(tmp_path) as journal:
        verified = audit.verify(journal.ledger, AT)
        assert verified.root_hash.hex() == kept_book.ROOTS[name]
        stored = journal.find(0)
        assert stored is not None
        assert record.decode(stored.octets)["v"] == record.VERSION
        # A request of then is given again now; then the ledger extends what was kept outside it.
        assert isinstance(books.intend(journal, books.a_request("first"))[0], GivenAgain)
        books.sign(journal, books.a_request("now", books.a_permit(9)))
        anchor = Head(origin=ORIGIN, tree_size=verified.tree_size, root_hash=verified.root_hash, at=AT)
        check_anchor(journal.ledger, anchor)
        audit.verify(journal.ledger, AT, anchor=anchor)


def test_the_kept_ledger_is_what_this_version_makes_as_long_as_the_format_is_the_same(tmp_path: Path) -> None:
    kept_book.make(tmp_path)
    with books.a_book(tmp_path) as journal:
        assert audit.verify(journal.ledger, AT).kinds == {
            "origin": 1, "start": 1, "intent": 3, "outcome": 2, "closed": 1, "release": 1, "refusal": 1, "read": 1,
            "administrative": 1, "stop": 1,
        }  # fmt: skip
