"""What an auditor finds of keys whose row, history or copies somebody changed, or whose acts say what cannot be."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.merkle import Frontier, leaf_hash
from tests.keys import living
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.situations import AT

Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key that was split, a successor that took another's place, and copies of which one is left."""
    directory = tmp_path_factory.mktemp("book")
    with books.a_book(directory) as journal:
        enrol(journal)
        living.open_ceremony(journal, living.LABEL, living.NEXT)
        living.do(journal, *living.TO[living.KeyState.ACTIVE], living.ADD, *living.successor(), living.RENEW)
        living.do(journal, living.GONE, living.BLOB_GONE, living.DESTROY)
        with journal.ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return directory


def broken(book: Path, directory: Path, tamper: Tamper) -> str:
    shutil.copyfile(book / "ledger.sqlite", directory / "ledger.sqlite")
    with sqlite3.connect(directory / "ledger.sqlite") as connection:
        tamper(connection)
    connection.close()
    with books.a_book(directory) as journal, pytest.raises(LedgerBroken) as found:
        audit.verify(journal.ledger, AT)
    return found.value.sentence


ROWS: dict[str, tuple[str, str]] = {
    "a destroyed key that is active": ("UPDATE key SET state = 'active' WHERE label = 'contingency'", "state 'active'"),
    "a key of another purpose": ("UPDATE key SET purpose = 'recovery-command'", "purpose 'recovery-command'"),
    "a key of another party": ("UPDATE key SET party = 'thief'", "party 'thief'"),
    "another public key": ("UPDATE key SET public_key = x'04' WHERE label = 'contingency'", "public_key '04'"),
    "another EUI": ("UPDATE key SET eui = x'0000000000000000'", "eui '00-00"),
    "another provenance": ("UPDATE key SET provenance = 'unwrapped'", "provenance 'unwrapped'"),
    "a younger key": ("UPDATE key SET activated_at = activated_at + 1", "activated_at 17"),
    "a key that was used less": ("UPDATE key SET uses_before = 1", "uses_before 1"),
    "a key that renews nothing": ("UPDATE key SET renews = NULL", "renews None"),
    "a key slipped in": (
        "INSERT INTO key (label, purpose, party, state) VALUES ('x', 'root-oca', 'dcc', 'active')",
        "the table key holds x",
    ),
    "a key taken away": ("DELETE FROM key WHERE label = 'contingency'", "the table key does not hold it"),
    "a step forgotten": ("DELETE FROM key_transition WHERE act = 'RenewKey'", "key_transition does not hold it"),
    "a step by another": ("UPDATE key_transition SET actor = 'local:thief'", "actor 'local:thief'"),
    "a step by other people": ("UPDATE key_transition SET people = 'a b'", "people 'a b'"),
    "a step by another ceremony": ("UPDATE key_transition SET ceremony = 'x'", "ceremony 'x'"),
    "a step at another time": ("UPDATE key_transition SET at = '2020-01-01T00:00:00.000000Z'", "at '2020"),
    "a step to another state": ("UPDATE key_transition SET after = 'active'", "after 'active'"),
    "a step from another state": ("UPDATE key_transition SET before = 'active'", "before 'active'"),
    "another step": ("UPDATE key_transition SET act = 'RetireKey'", "act 'RetireKey'"),
    "a step slipped in": (
        "INSERT INTO key_transition VALUES (1, 'x', 'OrderKey', NULL, 'ordered', 'now', 'thief', '', NULL)",
        "key_transition holds (1, 'x')",
    ),
    "a copy forgotten": ("DELETE FROM key_copy WHERE kind = 'module'", "key_copy does not hold it"),
    "a copy that is there again": ("UPDATE key_copy SET destroyed_index = NULL", "destroyed_index None"),
    "a copy elsewhere": ("UPDATE key_copy SET place = 'x'", "place 'x'"),
    "a copy of another key": ("UPDATE key_copy SET label = 'x'", "label 'x'"),
    "a copy of another kind": ("UPDATE key_copy SET kind = 'back-up'", "kind 'back-up'"),
    "another copy": ("UPDATE key_copy SET sha256 = '00'", "sha256 '00'"),
    "a copy that was searched for": ("UPDATE key_copy SET searched = 1 - searched", "searched"),
    "a copy erased otherwise": ("UPDATE key_copy SET how = 'x'", "how 'x'"),
}


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="refusal")
@pytest.mark.parametrize("name", ROWS)
def test_names_a_row_of_which_no_record_tells(book: Path, tmp_path: Path, name: str) -> None:
    statement, said = ROWS[name]

    def tamper(connection: sqlite3.Connection) -> None:
        assert connection.execute(statement).rowcount > 0

    assert said in broken(book, tmp_path, tamper)


def of_act(name: str, **changes: Any) -> Tamper:
    """The record of an act says something else, and the tree is made anew over it."""

    def tamper(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT leaf_index, octets FROM record ORDER BY leaf_index").fetchall()
        frontier = Frontier()
        for index, octets in rows:
            body = json.loads(octets)
            if isinstance(body.get("body"), dict) and body["body"].get("act") == name:
                body["body"] = {key: value for key, value in (body["body"] | changes).items() if value is not Ellipsis}
            written = canonical_json.encode(body)
            connection.execute(
                "UPDATE record SET octets = ?, leaf_hash = ? WHERE leaf_index = ?", (written, leaf_hash(written), index)
            )
            frontier.append(leaf_hash(written))
        connection.execute("UPDATE head SET root_hash = ?, frontier = ?", (frontier.root(), frontier.to_octets()))

    return tamper


RECORDS: dict[str, tuple[Tamper, str]] = {
    "an act that leads elsewhere": (of_act("ActivateKey", to="split"), "to lead contingency"),
    "an act from another state": (of_act("ActivateKey", **{"from": "ordered"}), "to lead contingency"),
    "a successor that was something else": (of_act("RenewKey", successor_from="active"), "to lead contingency-2"),
    "a successor that nobody ordered": (of_act("RenewKey", successor="x"), "to lead x"),
    "a destruction by no ceremony": (of_act("DestroyKey", ceremony=...), "a ceremony that did DestroyKey"),
    "a destruction by a nameless ceremony": (
        of_act("DestroyKey", ceremony={"entry": "0e" * 32, "name": ""}),
        "a ceremony that did DestroyKey",
    ),
    "a copy confirmed by one": (of_act("ConfirmCopyDestroyed", second_order=...), "two people who ordered"),
    "a copy confirmed by nobody": (
        of_act("ConfirmCopyDestroyed", order=..., second_order=...),
        "two people who ordered",
    ),
    "a copy of which nobody told": (of_act("InstallKey", module="another"), "a copy of contingency that is there"),
    "an act that was never done": (of_act("InstallKey", act="Nothing"), "a copy of contingency that is there"),
}


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="refusal")
@pytest.mark.parametrize("name", RECORDS)
def test_names_a_record_of_what_cannot_be(book: Path, tmp_path: Path, name: str) -> None:
    tamper, said = RECORDS[name]
    assert said in broken(book, tmp_path, tamper)


def test_the_untouched_ledger_verifies(book: Path, tmp_path: Path) -> None:
    shutil.copyfile(book / "ledger.sqlite", tmp_path / "ledger.sqlite")
    with books.a_book(tmp_path) as journal:
        audit.verify(journal.ledger, AT)
