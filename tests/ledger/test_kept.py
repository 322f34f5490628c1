"""A ledger made by an earlier version is migrated, verifies, and goes on. One is kept for each version.

The last one kept is also what this version makes, but for what policies and rules say: whoever changes the format or
the tables notices here, and keeps another.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from keybroker.ledger import audit, canonical_json, record
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.model import GivenAgain, Head
from keybroker.ledger.restore_form import RESTORE
from keybroker.ledger.upkeep_form import BACK_UP
from tests.ledger import books, kept_book
from tests.situations import AT, ORIGIN

KEPT = Path(__file__).with_name("kept")


@pytest.mark.parametrize("name", sorted(path.name for path in KEPT.glob("*.sql")))
def test_migrates_verifies_and_goes_on(tmp_path: Path, name: str) -> None:
    unpack(name, tmp_path)
    with books.a_book(tmp_path) as journal:
        verified = audit.verify(journal.ledger, AT)
        assert verified.root_hash.hex() == kept_book.ROOTS[name]
        stored = journal.find(0)
        assert stored is not None
        assert canonical_json.decode(stored.octets)["v"] == record.VERSION
        # A request of then is given again now; then the ledger extends what was kept outside it.
        assert isinstance(books.intend(journal, books.a_request("first"))[0], GivenAgain)
        books.sign(journal, books.a_request("now", books.a_permit(9)))
        anchor = Head(origin=ORIGIN, tree_size=verified.tree_size, root_hash=verified.root_hash, at=AT)
        check_anchor(journal.ledger, anchor)
        audit.verify(journal.ledger, AT, anchor=anchor)


def test_the_last_kept_ledger_is_what_this_version_makes_to_the_last_field(tmp_path: Path) -> None:
    newest = max(kept_book.ROOTS, key=lambda name: int(name.removeprefix("v").removesuffix(".sql")))
    (tmp_path / "kept").mkdir()
    (tmp_path / "made").mkdir()
    unpack(newest, tmp_path / "kept")
    kept_book.make(tmp_path / "made")
    kept, made = told(tmp_path / "kept"), told(tmp_path / "made")
    for table in kept.keys() | made.keys():
        assert made[table] == kept[table], table
    with books.a_book(tmp_path / "made") as journal:
        assert audit.verify(journal.ledger, AT).kinds == {
            "origin": 1, "start": 1, "intent": 11, "outcome": 8, "closed": 1, "release": 1, "refusal": 2, "read": 2,
            "administrative": 37, "stop": 1,
        }  # fmt: skip


def unpack(name: str, directory: Path) -> None:
    connection = sqlite3.connect(directory / "ledger.sqlite")
    connection.executescript((KEPT / name).read_text())
    connection.close()


def told(directory: Path) -> dict[str, list[Any]]:
    """Every table's definition and rows; of what a new policy or rule would change, only its form."""
    connection = sqlite3.connect(directory / "ledger.sqlite")
    names = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    found: dict[str, list[Any]] = {"definitions": names}
    for name in [name for name, sql in names if sql and sql.startswith("CREATE TABLE")]:
        found[name] = connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()  # noqa: S608
    connection.close()
    found["record"] = [
        (index, kind, party, form(octets) if octets else None) for index, _, kind, party, octets in found["record"]
    ]
    found["head"] = [row[:4] + row[6:] for row in found["head"]]
    restored = {row[0] for row in found.get("restore", ())}
    # Orders of a restore name the root, and that holds every finding.
    found["statement_used"] = [
        (identity, len(digest) if index in restored else digest, index)
        for identity, digest, index in found.get("statement_used", ())
    ]
    return found


def form(octets: bytes) -> dict[str, Any]:
    body: dict[str, Any] = canonical_json.decode(octets)
    for finding in body.get("findings", ()):
        assert 2 <= len(finding) <= 5
    changes_with_policies: dict[str, Any] = {"findings": type(body.get("findings")).__name__}
    if "policy" in (in_force := body.get("in_force") or {}):
        changes_with_policies["in_force"] = in_force | {"policy": len(in_force["policy"])}
    if (act := body.get("body") or {}).get("act") == RESTORE:
        changes_with_policies["body"] = act | {"root_hash": len(act["root_hash"]), "orders": len(act["orders"])}
    if act.get("act") == BACK_UP:
        changes_with_policies["body"] = act | {"root_hash": len(act["root_hash"])}
    return body | changes_with_policies
