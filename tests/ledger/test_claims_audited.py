"""What an audit finds where records and table differ on what was taken, or tell what cannot have been taken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.merkle import Frontier, leaf_hash
from tests.ledger import books
from tests.ledger.claims import allocated, asking, bound, fail, increasing, once, serial, succeed, succession, taken
from tests.situations import AT


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Intents 1, 2, 4, 6, 8, outcomes of 2 (failed), 4, 6; as octets of the database file."""
    directory = tmp_path_factory.mktemp("book")
    with books.a_book(directory) as journal:
        taken(journal, asking("open", once(b"1"), bound(b"x"), allocated()))
        asked = asking("again", once(b"2"), increasing(5))
        for end in (fail, succeed):
            (intent,) = taken(journal, asked)
            end(journal, intent)
        (intent,) = taken(journal, asking("next", increasing(6), allocated(), bound(b"x")))
        succeed(journal, intent)
        taken(journal, asking("list", succession(1, 2)))
    return (directory / "ledger.sqlite").read_bytes()


OPEN, FAILED, AGAIN, NEXT = 1, 2, 4, 6


def broken(book: bytes, directory: Path, tamper: Callable[[sqlite3.Connection], object]) -> str:
    (directory / "ledger.sqlite").write_bytes(book)
    connection = sqlite3.connect(directory / "ledger.sqlite", isolation_level=None)
    tamper(connection)
    connection.close()
    ledger = books.a_ledger(directory)
    try:
        audit.verify(ledger, AT)
    except LedgerBroken as error:
        return error.sentence
    finally:
        ledger.close()
    return ""


def rewrite(change: Callable[[dict[int, Any]], object]) -> Callable[[sqlite3.Connection], object]:
    """Write records anew, with their hashes and the head: only sense can tell."""

    def tamper(connection: sqlite3.Connection) -> None:
        found = dict(connection.execute("SELECT leaf_index, octets FROM record"))
        bodies = {index: json.loads(octets) for index, octets in found.items()}
        change(bodies)
        frontier = Frontier()
        for index, body in sorted(bodies.items()):
            octets = canonical_json.encode(body)
            frontier.append(leaf_hash(octets))
            values = (octets, leaf_hash(octets), index)
            connection.execute("UPDATE record SET octets = ?, leaf_hash = ? WHERE leaf_index = ?", values)
        connection.execute("UPDATE head SET root_hash = ?, frontier = ?", (frontier.root(), frontier.to_octets()))

    return tamper


def claim_at(index: int, place: int, **changes: Any) -> Callable[[sqlite3.Connection], object]:
    return rewrite(lambda bodies: bodies[index]["taken"][place].update(changes))


TAMPERED: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "a row that is gone": (lambda c: c.execute("DELETE FROM taken WHERE intent_index = 1"), "what was taken"),
    "a row of another value": (lambda c: c.execute("UPDATE taken SET value = x'99'"), "what was taken"),
    "a row of another intent": (lambda c: c.execute("UPDATE taken SET intent_index = 1"), "what was taken"),
    "a row of another name": (
        lambda c: c.execute("UPDATE taken SET name = x'73657269616c0099' WHERE intent_index = 1 AND value = x''"),
        "what was taken",
    ),
    "a row that no intent tells": (lambda c: c.execute("INSERT INTO taken VALUES (x'aa', x'', 1)"), "what was taken"),
    "a name taken twice by two that know nothing of each other": (
        rewrite(lambda bodies: bodies[NEXT]["taken"].append(bodies[OPEN]["taken"][0])),
        "what was taken",
    ),
    "a name taken over that may be taken once": (
        rewrite(lambda bodies: bodies[NEXT]["taken"].append(bodies[OPEN]["taken"][0] | {"after": OPEN})),
        "record 6: expected a name that nobody had",
    ),
    "a retry that hides what it took over": (
        rewrite(lambda bodies: bodies[AGAIN]["taken"][0].pop("after")),
        "what was taken",
    ),
    "a retry of another request": (
        rewrite(lambda bodies: bodies[FAILED].update(request="00" * 32)),
        "record 4: expected a name that nobody had",
    ),
    "taken over from a record that took nothing of it": (claim_at(NEXT, 0, after=OPEN), "took the same name"),
    "taken over from an outcome": (claim_at(NEXT, 0, after=3), "took the same name"),
    "taken over from itself": (claim_at(NEXT, 0, after=NEXT), "what was taken and from whom"),
    "taken over from nowhere": (claim_at(NEXT, 0, after=None), "what was taken and from whom"),
    "taken over from True": (claim_at(NEXT, 0, after=True), "what was taken and from whom"),
    "a number that fell": (claim_at(NEXT, 0, value=serial(4).hex()), "a number greater than 5"),
    "a number that stood still": (claim_at(NEXT, 0, value=serial(5).hex()), "a number greater than 5"),
    "a number given twice": (claim_at(NEXT, 1, value=serial(0).hex()), "a number greater than 0"),
    "another owner": (claim_at(NEXT, 2, value="aa"), "what it was bound to"),
    "an unknown form": (claim_at(NEXT, 0, form="borrowed"), "a known form of claim"),
    "a value that is no hexadecimal": (claim_at(NEXT, 0, value="x"), "what was taken and from whom"),
    "a field more": (claim_at(NEXT, 0, more=1), "what was taken and from whom"),
    "no list": (rewrite(lambda bodies: bodies[NEXT].update(taken="x")), "a list of what was taken"),
    "an empty list": (rewrite(lambda bodies: bodies[NEXT].update(taken=[])), "a list of what was taken"),
    "a name twice in one record": (
        rewrite(lambda bodies: bodies[NEXT]["taken"].append(bodies[NEXT]["taken"][0])),
        "each name once",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_an_audit_finds(book: bytes, tmp_path: Path, name: str) -> None:
    tamper, told = TAMPERED[name]
    assert told in broken(book, tmp_path, tamper)


def test_a_book_that_is_whole_verifies(book: bytes, tmp_path: Path) -> None:
    assert broken(book, tmp_path, lambda _: None) == ""
