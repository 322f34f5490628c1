"""What ages out by order of a person, what never does, and that the ledger verifies before and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from keybroker.errors import LedgerBroken, NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.keys.acts import KeyGenerated, OrderKey, RetireKey
from keybroker.keys.orders import Ordered
from keybroker.keys.retention import Keeps, Retained, retain_ledger
from keybroker.ledger import audit, canonical_json, tables
from keybroker.ledger.anomaly_form import Anomaly, Detector
from keybroker.ledger.anomaly_settings import SAFE
from keybroker.ledger.following import bodies
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.model import Entry, GivenAgain, RecordKind
from keybroker.ledger.record import moment
from keybroker.ledger.report import Reporting
from keybroker.ledger.report_model import Period
from keybroker.ledger.upkeep_form import AGE, retention
from keybroker.ledger.watching import Watch, append_event
from keybroker.terms import KeyLabel, KeyPurpose, PartyName, Provenance
from tests import situations
from tests.keys.ordering import act_on_key
from tests.keys.restoring import ACTOR, FIRST, PEOPLE, enrol, order_of
from tests.ledger import backups, books
from tests.ledger.books import a_permit, a_request, intend
from tests.ledger.claims import asking, limited, succeed
from tests.situations import AT, a_point, packaged_policies

OLD = AT - timedelta(days=2_000)
LABEL, PARTY = KeyLabel("supplier-a"), PartyName("supplier-a")
KEEPS = Keeps(octets_days=31, reads_days=366, refusals_days=366, uses_days=1_098)
BEFORE = AT - timedelta(days=1_200)
SECRET = situations.a_message(counter=1)


def key(journal: Journal) -> None:
    generated = KeyGenerated(label=LABEL, public_key=a_point(), provenance=Provenance.GENERATED)
    act_on_key(journal, ACTOR, OrderKey(label=LABEL, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY), AT)
    act_on_key(journal, ACTOR, generated, AT)


def retire(journal: Journal) -> None:
    act_on_key(journal, ACTOR, RetireKey(label=LABEL, because="old"), AT)


def use(journal: Journal, name: str, counter: int, at: datetime) -> None:
    (intent,) = intend(journal, a_request(name, a_permit(counter)), at=at)
    journal.conclude([books.signature_for(intent)], at=at)  # type: ignore[arg-type]


def write(journal: Journal, kind: RecordKind, at: datetime) -> None:
    journal.write([Entry(kind=kind, party=PARTY, body={"operation": "ListKeys"})], at=at)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Old and young uses, one of them given again, refusals and reads; the key is retired, the old names forgotten."""
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        key(journal)
        for number in range(1, 4):
            use(journal, f"old-{number}", number, OLD)
        assert isinstance(intend(journal, a_request("old-1", a_permit(1)), at=OLD)[0], GivenAgain)
        write(journal, RecordKind.READ, OLD)
        write(journal, RecordKind.REFUSAL, OLD)
        write(journal, RecordKind.START, OLD)
        journal.forget_requests(BEFORE)
        use(journal, "young", 3, AT)
        write(journal, RecordKind.READ, AT)
        retire(journal)
        yield journal


def order(before: datetime = BEFORE, by: str = FIRST, at: datetime = AT) -> Ordered:
    return Ordered(order=order_of(retention(moment(before)), by, at=at), people=PEOPLE)


def retained(journal: Journal, ordered: Ordered | None = None, before: datetime = BEFORE) -> Retained:
    given = ordered or order(before)
    return retain_ledger(journal, ACTOR, before, given, KEEPS, packaged_policies(), AT)


def aged(journal: Journal) -> list[tuple[int, str]]:
    with journal.ledger.read() as connection:
        rows = connection.execute(select(tables.record).order_by(tables.record.c.leaf_index))
        return [(row.leaf_index, row.kind) for row in rows if not row.octets]


def test_refuses_what_is_not_old_enough_and_says_since_when_it_is(journal: Journal) -> None:
    with pytest.raises(NotPermitted, match="expected a moment at or before"):
        retained(journal, before=AT - timedelta(days=30))
    assert aged(journal) == []


def test_refuses_the_order_for_another_moment_and_of_somebody_who_may_not(journal: Journal) -> None:
    with pytest.raises(StatementRefused, match="ORDER_FOR_ANOTHER_ACT"):
        retained(journal, order(BEFORE - timedelta(days=1)))
    with pytest.raises((PersonMayNotAct, StatementRefused)):
        retained(journal, Ordered(order=order_of(retention(moment(BEFORE)), "nobody"), people=PEOPLE))
    assert aged(journal) == []


def test_a_use_goes_whole_and_the_ledger_verifies_as_before(journal: Journal) -> None:
    head, before = journal.head(AT), audit.verify(journal.ledger, AT)
    found = retained(journal)
    assert found.kinds == {"intent": 3, "outcome": 3, "release": 1, "read": 1, "refusal": 1, "start": 1}
    verified = audit.verify(journal.ledger, AT, anchor=head)
    assert dict(verified.aged) == found.kinds
    assert verified.signatures == before.signatures - 3
    # What is young goes on: its counter was used before, and still is.
    again = intend(journal, a_request("again", a_permit(3)))
    assert again[0].reused == 2  # type: ignore[union-attr]
    audit.verify(journal.ledger, AT)


def test_an_anomalous_event_stays_when_what_gave_rise_to_it_went(journal: Journal) -> None:
    with journal.ledger.read() as connection:
        first = select(tables.record.c.leaf_index).where(tables.record.c.kind == RecordKind.INTENT.value)
        index = connection.execute(first).scalars().first() or 0
    Watch(journal=journal, settings=SAFE, messages=False).begin(AT)
    event = Anomaly(detector=Detector.BURST, record=index, subject=LABEL, expected="a", found="b")
    journal.ledger.transact(lambda turn: append_event(turn, journal, event, OLD))
    audit.verify(journal.ledger, AT)
    retained(journal)
    assert index in dict(aged(journal))
    audit.verify(journal.ledger, AT)


def test_what_went_is_in_no_file_of_the_ledger_any_more(journal: Journal) -> None:
    def there() -> bool:
        return any(SECRET in file.read_bytes() for file in journal.ledger.file.parent.glob("ledger.sqlite*"))

    def named() -> bool:
        files = journal.ledger.file.parent.glob("ledger.sqlite*")
        return any(b'"request_id":"old-2"' in file.read_bytes() for file in files)

    assert there()
    assert named()
    retained(journal)
    assert not there()
    assert not named()


HELD: dict[str, Callable[[Journal], object]] = {
    "while its request's name is remembered": lambda journal: use(journal, "named", 7, OLD),
    "where it took something": lambda journal: succeed(journal, *taken_at(journal, OLD)),
    "while it has no end": lambda journal: intend(journal, a_request("open", a_permit(7)), at=OLD),
}


def taken_at(journal: Journal, at: datetime) -> list[books.Intent]:
    answers = intend(journal, asking("takes", limited(3)), at=at)
    return [each for each in answers if isinstance(each, books.Intent)]


@pytest.mark.parametrize("case", HELD)
def test_a_use_stays(tmp_path: Path, case: str) -> None:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        key(journal)
        HELD[case](journal)
        retire(journal)
        if "took" in case:
            journal.forget_requests(BEFORE)
        retained(journal)
        assert aged(journal) == []
        audit.verify(journal.ledger, AT)


def test_a_use_stays_while_its_key_may_be_used(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        key(journal)
        use(journal, "old", 1, OLD)
        journal.forget_requests(BEFORE)
        retained(journal)
        assert aged(journal) == []
        retire(journal)
        retained(journal)
        assert [kind for _, kind in aged(journal)] == ["intent", "outcome"]
        audit.verify(journal.ledger, AT)


def test_a_use_stays_with_a_release_that_is_young(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        key(journal)
        use(journal, "old", 1, OLD)
        assert isinstance(intend(journal, a_request("old", a_permit(1)), at=AT)[0], GivenAgain)
        journal.forget_requests(BEFORE)
        retire(journal)
        retained(journal)
        assert aged(journal) == []
        audit.verify(journal.ledger, AT)


def test_messages_go_before_their_records(journal: Journal) -> None:
    before = AT - timedelta(days=32)
    found = retained(journal, before=before)
    assert set(found.kept) == {"reads", "refusals", "uses"}
    assert (found.kinds, found.octets) == ({}, 3)
    assert aged(journal) == []
    audit.verify(journal.ledger, AT)


def test_the_same_order_goes_on_where_it_was_killed_and_orders_nothing_else(journal: Journal) -> None:
    given = order()
    first = retained(journal, given)
    assert retained(journal, given).leaf_index == first.leaf_index
    assert retained(journal, given).kinds == {}
    with pytest.raises(StatementRefused, match="STATEMENT_USED_BEFORE"):
        retain_ledger(journal, ACTOR, BEFORE - timedelta(days=1), given, KEEPS, packaged_policies(), AT)
    audit.verify(journal.ledger, AT)


def test_a_record_that_aged_is_found_without_its_octets(journal: Journal) -> None:
    retained(journal)
    index, kind = aged(journal)[0]
    found = journal.find(index)
    assert found is not None
    assert (found.octets, found.kind) == (b"", kind)


def test_who_follows_the_ledger_reads_what_is_left(journal: Journal) -> None:
    whole = [index for index, _ in bodies(journal.ledger, 0, journal.head(AT).tree_size)]
    retained(journal)
    gone = {index for index, _ in aged(journal)}
    left = [index for index, _ in bodies(journal.ledger, 0, whole[-1] + 1)]
    assert gone
    assert left == [index for index in whole if index not in gone]
    reporting = Reporting(period=Period())
    for index, body in bodies(journal.ledger, 0, journal.head(AT).tree_size):
        reporting.observe(index, body)
    assert sum(dict(reporting.answers().key_uses).values()) == 1


def test_a_back_up_of_it_holds_what_is_left(journal: Journal, tmp_path: Path) -> None:
    retained(journal)
    backups.made(journal, tmp_path / "back-up")
    with books.a_book(backups.opened(tmp_path / "back-up", tmp_path / "opened")) as copy:
        assert sum(audit.verify(copy.ledger, AT).aged.values()) == 10


@dataclass(frozen=True)
class Tampering:
    do: Callable[[sqlite3.Connection], object]
    said: str


def sql(statement: str) -> Callable[[sqlite3.Connection], object]:
    return lambda connection: connection.execute(statement)


def act_says(**changes: object) -> Callable[[sqlite3.Connection], object]:
    """The record of what went says something else, and the tree is made anew over it."""

    def tamper(connection: sqlite3.Connection) -> None:
        frontier = Frontier()
        rows = connection.execute("SELECT leaf_index, leaf_hash, octets FROM record ORDER BY leaf_index").fetchall()
        for index, hashed, octets in rows:
            body = canonical_json.decode(octets) if octets else {}
            act = body.get("body")
            if isinstance(act, dict) and act.get("act") == AGE:
                act.update(changes)  # type: ignore[arg-type]
                octets, hashed = canonical_json.encode(body), leaf_hash(canonical_json.encode(body))
                row = (octets, hashed, index)
                connection.execute("UPDATE record SET octets = ?, leaf_hash = ? WHERE leaf_index = ?", row)
            frontier.append(hashed)
        connection.execute("UPDATE head SET root_hash = ?, frontier = ?", (frontier.root(), frontier.to_octets()))

    return tamper


TAMPERED = {
    "a record emptied without an act": Tampering(
        sql(
            "UPDATE record SET octets = x'' WHERE leaf_index ="
            " (SELECT max(leaf_index) FROM record WHERE kind = 'read' AND length(octets) > 0)"
        ),
        "an act that names it as aged out; found neither",
    ),
    "an administrative act emptied": Tampering(
        sql("UPDATE record SET octets = x'' WHERE leaf_index = 2"), "an act that names it as aged out; found neither"
    ),
    "the leaf hash of a record that is gone": Tampering(
        sql("UPDATE record SET leaf_hash = zeroblob(32) WHERE length(octets) = 0"), "expects root"
    ),
    "the kind of a record that is gone": Tampering(
        sql("UPDATE record SET kind = 'stop' WHERE length(octets) = 0 AND kind = 'read'"), "without octets; found"
    ),
    "an administrative act among what is gone": Tampering(
        sql("UPDATE record SET kind = 'administrative' WHERE length(octets) = 0 AND kind = 'read'"),
        "a kind of record that may age",
    ),
    "a record that is gone taken away": Tampering(
        sql("DELETE FROM record WHERE length(octets) = 0 AND kind = 'read'"), "expected leaf index"
    ),
    "the act forgotten": Tampering(sql("DELETE FROM upkeep WHERE act = 'AgeRecords'"), "found neither"),
    "octets beside a use that is gone": Tampering(
        sql("INSERT INTO octets VALUES ((SELECT min(leaf_index) FROM record WHERE length(octets) = 0), x'', x'', 0)"),
        "nothing beside a record that was aged out",
    ),
    "a counter's use forgotten with it": Tampering(sql("UPDATE counter_use SET uses = 1 WHERE uses = 2"), "counters"),
    "counts of a time that is known": Tampering(
        sql("UPDATE anomaly_count SET buckets = CAST(substr(buckets, 1, length(buckets) - 1) || x'09' AS BLOB)"),
        "the count of",
    ),
    "an act that says other uses": Tampering(act_says(uses="00"), "table of counters"),
    "an act without an order": Tampering(act_says(retain=1), "the record of an order to retain"),
    "an act that counts otherwise": Tampering(act_says(kinds={"intent": 2}), "without octets; found"),
    "an act of other records": Tampering(act_says(ranges=[[1, 1]]), "says that it was aged out; found a record"),
    "an act in another form": Tampering(act_says(ranges=[[3, 2]]), "which records were aged out"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_an_auditor_names(journal: Journal, case: str) -> None:
    retained(journal)
    connection = sqlite3.connect(journal.ledger.file)
    with connection:
        TAMPERED[case].do(connection)
    connection.close()
    with pytest.raises(LedgerBroken) as found:
        audit.verify(journal.ledger, AT)
    assert TAMPERED[case].said in found.value.sentence


def test_thousands_go_turn_by_turn_each_on_record_and_none_that_is_too_young(tmp_path: Path) -> None:
    def entry(number: int) -> Entry:
        return Entry(kind=RecordKind.READ, party=PARTY, body={"number": number})

    with books.a_book(tmp_path) as journal:
        enrol(journal)
        for at in (OLD, OLD, BEFORE - timedelta(seconds=1), BEFORE, AT):
            journal.write([entry(number) for number in range(1_500)], at=at)
        assert retained(journal).kinds == {"read": 4_500}
        with journal.ledger.read() as connection:
            acts = connection.execute(select(tables.upkeep.c.act).order_by(tables.upkeep.c.leaf_index)).scalars()
            assert list(acts) == ["RetainLedger", AGE, AGE]
        assert audit.verify(journal.ledger, AT).aged == {"read": 4_500}
