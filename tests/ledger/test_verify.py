"""Every change of a row, and of any octet of a record, is found and named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.errors import LedgerBroken, ModuleBusy, NotPermitted
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.model import Entry, Failure, GivenAgain, RecordKind
from keybroker.ledger.verify import verify_ledger
from keybroker.terms import PartyName
from tests.ledger import books
from tests.ledger.books import a_permit, a_request, intend, intends, sign
from tests.situations import AT, a_point

INTENT, OUTCOME, RELEASE, REFUSAL, READ, FAILED, OPEN = 1, 2, 3, 4, 5, 7, 8


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A closed ledger with one record of most kinds, as octets of the database file."""
    directory = tmp_path_factory.mktemp("book")
    with books.a_book(directory) as journal:
        sign(journal, a_request("r"))
        assert isinstance(intend(journal, a_request("r"))[0], GivenAgain)
        intend(journal, books.a_refused("x", NotPermitted("no")))
        journal.write([Entry(kind=RecordKind.READ, party=PartyName("p"), body={"a": 1})], at=AT)
        (intent,) = intends(journal, a_request("f", a_permit(2)))
        journal.conclude([Failure(intent=intent, error=ModuleBusy("busy"), module_serial="1")], at=AT)
        intends(journal, a_request("open", a_permit(3)))
        journal.write([Entry(kind=RecordKind.REFUSAL, party=PartyName("p"), body={"a": 1})], at=AT)
    return (directory / "ledger.sqlite").read_bytes()


def broken(book: bytes, directory: Path, tamper: Callable[[sqlite3.Connection], object]) -> str:
    """What verification says of the book after tampering."""
    (directory / "ledger.sqlite").write_bytes(book)
    connection = sqlite3.connect(directory / "ledger.sqlite", isolation_level=None)
    tamper(connection)
    connection.close()
    ledger = books.a_ledger(directory)
    try:
        with pytest.raises(LedgerBroken) as caught:
            audit.verify(ledger, AT)
        return caught.value.sentence
    finally:
        ledger.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM record WHERE leaf_index = 5", "record 5: expected leaf index 5; found 6"),
        ("DELETE FROM record WHERE leaf_index = 9", "head claims 10 records, found 9"),
        ("UPDATE record SET leaf_hash = zeroblob(32) WHERE leaf_index = 5", "record 5: expected leaf hash"),
        ("UPDATE record SET party = 'thief' WHERE leaf_index = 1", "record 1: expected party 'thief'"),
        ("UPDATE record SET kind = 'stop' WHERE leaf_index = 5", "record 5: expected kind 'stop'"),
        ("UPDATE request SET state = 'failed' WHERE intent_index = 1", "record 2: expected ('signed', 2)"),
        ("UPDATE request SET outcome_index = 3 WHERE intent_index = 1", "record 2: expected ('signed', 2)"),
        (
            "UPDATE request SET name = 'a b c' WHERE intent_index = 1",
            "record 1: expected ('SignPreCommand supplier-a r'",
        ),
        ("UPDATE request SET caller = 'thief' WHERE intent_index = 1", "in the table of requests; found"),
        ("UPDATE request SET party = 'thief' WHERE intent_index = 1", "in the table of requests; found"),
        ("UPDATE request SET sha256 = zeroblob(32) WHERE intent_index = 1", "in the table of requests; found"),
        ("UPDATE request SET state = 'failed' WHERE intent_index = 8", "intent 8 is failed"),
        ("UPDATE request SET intent_index = 2 WHERE intent_index = 1", "record 2: expected an intent, which the table"),
        ("UPDATE request SET intent_index = 99 WHERE intent_index = 8", "names intent 99"),
        ("UPDATE counter_use SET uses = 2", "table of counters"),
        ("DELETE FROM counter_use", "table of counters"),
        ("UPDATE octets SET octets = zeroblob(9) WHERE leaf_index = 1", "record 1: expected octets"),
        ("UPDATE octets SET sha256 = zeroblob(32) WHERE leaf_index = 1", "record 1: expected octets"),
        ("UPDATE octets SET leaf_index = 2 WHERE leaf_index = 1", "whose octets are kept"),
        ("UPDATE octets SET leaf_index = 99 WHERE leaf_index = 8", "octets are kept for intent 99"),
        ("UPDATE head SET root_hash = zeroblob(32)", "at 10 records the head expects root"),
        ("UPDATE head SET tree_size = 11", "head claims 11 records, found 10"),
        ("UPDATE head SET frontier = zeroblob(64)", "its frontier gives"),
        ("UPDATE head SET frontier = x''", "contradicts itself"),
    ],
)
def test_names_a_row_that_was_changed(book: bytes, tmp_path: Path, statement: str, said: str) -> None:
    assert said in broken(book, tmp_path, lambda connection: connection.execute(statement))


def test_names_a_head_that_is_gone(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        with journal.ledger._engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM head")
        with pytest.raises(LedgerBroken, match="no head"):
            audit.verify(journal.ledger, AT)


def rewrite(change: Callable[[dict[int, Any]], object]) -> Callable[[sqlite3.Connection], None]:
    """Change record bodies and then put leaf hashes, head and frontier right, as one would who owns the whole file."""

    def tamper(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT leaf_index, octets FROM record ORDER BY leaf_index").fetchall()
        bodies = {index: json.loads(octets) for index, octets in rows}
        change(bodies)
        frontier = Frontier()
        for index, body in bodies.items():
            octets = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            frontier.append(leaf_hash(octets))
            values = (octets, leaf_hash(octets), str(body.get("kind")), str(body.get("party")), index)
            connection.execute("UPDATE record SET octets=?, leaf_hash=?, kind=?, party=? WHERE leaf_index=?", values)
        connection.execute("UPDATE head SET root_hash = ?, frontier = ?", (frontier.root(), frontier.to_octets()))

    return tamper


@pytest.mark.parametrize(
    ("index", "changes", "said"),
    [
        (0, {"origin": "other"}, "record 0: expected origin"),
        (0, {"kind": "read"}, "record 0: expected the fields"),
        (READ, {"kind": "rumour"}, "record 5: expected a known kind"),
        (READ, {"v": 2}, "record 5: expected version 1"),
        (READ, {"deployment": "live"}, "record 5: expected deployment mark 'test'"),
        (READ, {"extra": 1}, "record 5: expected no other fields; found extra"),
        (READ, {"body": None, "kind": "origin", "in_force": None}, "record 5: expected the fields origin"),
        (OUTCOME, {"intent": 8}, "found intent 8"),
        (OUTCOME, {"intent": 0}, "record 2: expected an intent before it, without an outcome; found intent 0"),
        (OUTCOME, {"intent": "1"}, "record 2: expected an intent before it"),
        (OUTCOME, {"intent": True}, "record 2: expected an intent before it"),
        (OUTCOME, {"party": "thief"}, "record 2: expected the intent's party"),
        (OUTCOME, {"state": "perhaps"}, "record 2: expected a state of"),
        (OUTCOME, {"state": "failed"}, "record 2: expected a signature exactly when signed"),
        (OUTCOME, {"signature": "00"}, "record 2: expected a signature exactly when signed"),
        (OUTCOME, {"signature": "AB" * 64}, "record 2: expected a signature exactly when signed"),
        (FAILED, {"signature": "00" * 64}, "record 7: expected a signature exactly when signed"),
        (RELEASE, {"signature": "00" * 64}, "record 3: expected the result of an outcome recorded before"),
        (RELEASE, {"outcome": 1}, "record 3: expected the result of an outcome recorded before"),
        (RELEASE, {"outcome": 9}, "record 3: expected the result of an outcome recorded before"),
        (RELEASE, {"outcome": None}, "record 3: expected the result of an outcome recorded before"),
        (RELEASE, {"outcome": True}, "record 3: expected the result of an outcome recorded before"),
        (RELEASE, {"request_id": "other"}, "record 3: expected the request of intent 1"),
        (RELEASE, {"key": "other"}, "record 3: expected the request of intent 1"),
        (RELEASE, {"party": "thief"}, "record 3: expected the request of intent 1"),
        (INTENT, {"reused": 1}, "table of counters"),
        (INTENT, {"reused": None}, "record 1: expected content facts"),
        (INTENT, {"content": []}, "record 1: expected content facts"),
        (INTENT, {"content": {"counter": "1"}}, "record 1: expected originator, recipient and counter"),
        (INTENT, {"content": {"counter": "x", "originator": "", "recipient": ""}}, "record 1: expected originator"),
        (INTENT, {"octets": "00"}, "record 1: expected octets 00"),
        (INTENT, {"caller": "thief"}, "in the table of requests; found"),
        (INTENT, {"request_id": "other"}, "in the table of requests; found"),
    ],
)
def test_names_a_record_that_was_written_anew_with_its_tree(
    book: bytes, tmp_path: Path, index: int, changes: dict[str, Any], said: str
) -> None:
    assert said in broken(book, tmp_path, rewrite(lambda bodies: bodies[index].update(changes)))


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (OUTCOME, {"signature": "00" * 64}),
        (OUTCOME, {"signature": "ff" * 64}),
        (OUTCOME, {"signature": "01" * 64}),
        (INTENT, {"public_key": a_point(2).hex()}),
        (INTENT, {"public_key": a_point().hex().upper()}),
        (INTENT, {"public_key": a_point()[:64].hex()}),
        (INTENT, {"public_key": "04" * 65}),
        (INTENT, {"public_key": "no hexadecimal"}),
        (INTENT, {"public_key": None}),
        (INTENT, {"digest": "00" * 32}),
        (INTENT, {"digest": "00"}),
        (INTENT, {"digest": 7}),
    ],
    ids=str,
)
def test_names_an_outcome_whose_signature_does_not_verify(
    book: bytes, tmp_path: Path, index: int, changes: dict[str, Any]
) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        # Once the message is erased nothing but the signature tells that the digest was another.
        connection.execute("DELETE FROM octets")
        rewrite(lambda bodies: bodies[index].update(changes))(connection)

    said = broken(book, tmp_path, tamper)
    assert said.startswith("record 2: expected a signature by ")
    assert "found one that does not verify" in said


def test_names_a_second_origin_and_a_second_outcome(book: bytes, tmp_path: Path) -> None:
    def second_origin(bodies: dict[int, Any]) -> None:
        bodies[9] = bodies[0]

    def second_outcome(bodies: dict[int, Any]) -> None:
        bodies[9] = bodies[2]

    assert "record 9: expected the origin record first" in broken(book, tmp_path, rewrite(second_origin))
    assert "record 9: expected an intent before it, without an outcome" in broken(
        book, tmp_path, rewrite(second_outcome)
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_finds_any_octet_of_any_record_that_was_changed(book: bytes, tmp_path: Path, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, 9))

    def tamper(connection: sqlite3.Connection) -> None:
        select = "SELECT octets FROM record WHERE leaf_index = ?"
        octets = bytearray(connection.execute(select, (index,)).fetchone()[0])
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] ^= data.draw(st.integers(1, 255))
        connection.execute("UPDATE record SET octets = ? WHERE leaf_index = ?", (bytes(octets), index))

    assert broken(book, tmp_path, tamper).startswith(f"record {index}: expected leaf hash")


def test_a_record_that_is_not_canonical_is_named(book: bytes, tmp_path: Path) -> None:
    def tamper(connection: sqlite3.Connection) -> None:
        octets = b'{"a": 1}'
        statement = "UPDATE record SET octets = ?, leaf_hash = ? WHERE leaf_index = 5"
        connection.execute(statement, (octets, leaf_hash(octets)))

    assert "record 5: the JSON is not canonical" in broken(book, tmp_path, tamper)


def test_verifies_a_ledger_that_is_whole(book: bytes, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(book)
    ledger = books.a_ledger(tmp_path)
    told: list[tuple[int, int]] = []
    verified = audit.verify(ledger, AT, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 10), (10, 10)]
    assert (verified.tree_size, verified.signatures, verified.open_intents) == (10, 1, (OPEN,))
    assert verified.kinds == {"origin": 1, "intent": 3, "outcome": 2, "release": 1, "refusal": 2, "read": 1}
    ledger.close()


def test_needs_no_tables_beside_the_records(journal: Journal) -> None:
    sign(journal, a_request("r"))
    records = audit.read_records(journal.ledger, 0, 10)
    verified = verify_ledger(
        records, journal.head(AT), find=lambda index: records[index].octets, deployment=journal.ledger.deployment
    )
    assert verified.signatures == 1
