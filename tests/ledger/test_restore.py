"""What a restore does to numbers and counts, and that an auditor sees each of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from keybroker.errors import LedgerBroken
from keybroker.ledger import audit, tables
from keybroker.ledger.advancing import advance_numbers, read_losses
from keybroker.ledger.canonical_json import decode, encode
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.model import Head, StoredRecord
from keybroker.ledger.restore_form import LARGEST, MARGIN, Loss, first_window, grown, with_lost
from keybroker.ledger.verify import verify_ledger
from keybroker.ledger.window import Window, no_window
from keybroker.policy.claim import Bound, IncreasingOnSuccess
from keybroker.terms import DeploymentKind
from tests.keys.restoring import PutBack, back_up, enrol, orders, put_back, start, vouch
from tests.ledger import books, thresholds
from tests.ledger.books import a_request, sign
from tests.ledger.claims import (
    TEXT,
    allocated,
    asking,
    bound,
    certificate,
    fail,
    increasing,
    limited,
    once,
    spent,
    succeed,
    succession,
    taken,
)
from tests.situations import AT, ORIGIN

LATEST = 2**32 - 1


def growing(number: int, name: bytes = b"device") -> IncreasingOnSuccess:
    return IncreasingOnSuccess(scope="device-counter", name=name, number=number, **TEXT)


def twenty() -> Bound:
    """Its value has as many octets as a number has, and is none."""
    return bound(b"\x05" * 20, name=b"twenty")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PutBack]:
    """Every form of claim was taken before the back-up; three numbers were given and two taken after it."""
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        start(journal)
        intents = taken(
            journal,
            asking("once", once(b"serial")),
            asking("bound", bound(b"owner"), twenty()),
            asking("number", increasing(7)),
            asking("counter", allocated(first=1)),
            asking("issue", certificate(1, 1, AT)),
            asking("list", succession(1)),
            asking("device", growing(100)),
            asking("limited", limited(1_000)),
            asking("last", allocated(first=1, last=LATEST, name=b"nearly")),
        )
        for intent in intents:
            succeed(journal, intent)
        (failed,) = taken(journal, asking("forged", growing(LATEST, b"another")))
        fail(journal, failed)
        older = back_up(journal, tmp_path / "older")
        for number in range(3):
            succeed(journal, *taken(journal, asking(f"later-{number}", allocated(first=1))))
        succeed(journal, *taken(journal, asking("number-2", increasing(9))))
        remembered = journal.head(AT)
    with put_back(older, remembered) as stage:
        yield stage


def rows(journal: Journal) -> dict[bytes, bytes]:
    with journal.ledger.read() as connection:
        found = connection.execute(select(tables.taken.c.name, tables.taken.c.value))
        return {row.name: row.value for row in found}


def numbers(value: bytes) -> list[int]:
    return [int.from_bytes(value[at : at + 20], "big") for at in range(0, len(value), 20)]


def test_every_number_grows_by_what_is_lost_and_a_margin_and_nothing_else_changes(stage: PutBack) -> None:
    before = rows(stage.journal)
    by = stage.behind.lost + MARGIN
    restored = stage.restore(*orders(stage.behind))
    after = rows(stage.journal)
    scopes = (b"crl-number", b"invocation", b"device-counter", b"approval")
    counting = {name for name in before if name.split(b"\0")[0] in scopes}
    assert restored.numbers == len(counting) == 6
    for name in before:
        expected = [number + by for number in numbers(before[name])] if name in counting else None
        assert after[name] == before[name] if expected is None else numbers(after[name]) == expected
    audit.verify(stage.journal.ledger, AT)


def test_nothing_that_was_lost_is_given_or_taken_again(stage: PutBack) -> None:
    by = stage.behind.lost + MARGIN
    stage.restore(*orders(stage.behind))
    journal = stage.journal
    for number in (7, 8, 9, 7 + by):
        assert "greater than" in spent(journal, asking(f"number-{number}", increasing(number))).sentence
    (intent,) = taken(journal, asking("counter-2", allocated(first=1)))
    assert intent.counter == 1 + by + 1
    for number in (100, 101, 100 + by):
        assert "greater than" in spent(journal, asking(f"device-{number}", growing(number))).sentence
    assert "used before" in spent(journal, asking("once-2", once(b"serial"))).sentence
    succeed(journal, intent)
    succeed(journal, *taken(journal, asking("number-3", increasing(7 + by + 1)), asking("bound-2", twenty()))[:1])
    audit.verify(journal.ledger, AT)


def test_what_had_failed_still_does_not_count_and_the_least_that_may_follow_has_grown(stage: PutBack) -> None:
    by = stage.behind.lost + MARGIN
    stage.restore(*orders(stage.behind))
    assert "greater than" in spent(stage.journal, asking("small", growing(by - 1, b"another"))).sentence
    succeed(stage.journal, *taken(stage.journal, asking("next", growing(by, b"another"))))
    audit.verify(stage.journal.ledger, AT)


def test_a_number_that_is_not_in_the_back_up_at_all_begins_beyond_what_was_lost(stage: PutBack) -> None:
    """A key's first counter may have been given in the part that was lost."""
    by = stage.behind.lost + MARGIN
    stage.restore(*orders(stage.behind))
    (intent,) = taken(stage.journal, asking("new", allocated(first=1, name=b"new")))
    assert intent.counter == 1 + by
    audit.verify(stage.journal.ledger, AT)


def test_what_was_approved_before_is_used_up_and_what_is_approved_since_is_used_as_often_as_it_says(
    stage: PutBack,
) -> None:
    stage.restore(*orders(stage.behind))
    assert "that all are taken" in spent(stage.journal, asking("limited-2", limited(1_000))).sentence
    for place in range(2):
        succeed(stage.journal, *taken(stage.journal, asking(f"anew-{place}", limited(2, b"anew"))))
    spent(stage.journal, asking("anew-2", limited(2, b"anew")))
    audit.verify(stage.journal.ledger, AT)


def test_whatever_was_counted_was_counted_once_more_for_each_record_that_is_lost(stage: PutBack) -> None:
    """And what is counted for the first time afterwards begins with them."""
    journal, lost = stage.journal, stage.behind.lost
    before = counts(journal)
    restored = stage.restore(*orders(stage.behind))
    after = counts(journal)
    assert restored.counts == len(before) > 0
    assert after == {name: count + lost for name, count in before.items()}
    with journal.ledger.read() as connection:
        assert first_window(3600, read_losses(connection)).within(3600, int(AT.timestamp())) == lost


def counts(journal: Journal) -> dict[bytes, int]:
    """How many of each in the last day."""
    with journal.ledger.read() as connection:
        found = connection.execute(select(tables.anomaly_count.c.name, tables.anomaly_count.c.buckets))
        return {row.name: Window.from_octets(row.buckets).within(86_400, int(AT.timestamp())) for row in found}


def test_a_second_restore_grows_from_the_first(stage: PutBack, tmp_path: Path) -> None:
    first = stage.behind.lost + MARGIN
    stage.restore(*orders(stage.behind))
    again = back_up(stage.journal, tmp_path / "again")
    start(stage.journal)
    sign(stage.journal, a_request("after"))

    later = AT + timedelta(minutes=5)
    with put_back(again, stage.journal.head(AT)) as second:
        vouch(second.journal, later)
        by = second.behind.lost + MARGIN
        second.restore(*orders(second.behind, at=later), at=later)
        (intent,) = taken(second.journal, asking("counter-3", allocated(first=1)))
        assert intent.counter == 1 + first + by + 1
        audit.verify(second.journal.ledger, AT)


def test_a_counter_near_its_end_ends_and_never_begins_anew(stage: PutBack) -> None:
    journal = stage.journal
    with journal.ledger._engine.begin() as connection:
        advance_numbers(connection, LATEST - 1)
    assert (
        "that all are used" in spent(journal, asking("full", allocated(first=1, last=LATEST, name=b"nearly"))).sentence
    )


@given(value=st.lists(st.integers(0, LARGEST), min_size=1, max_size=2), by=st.integers(0, LARGEST))
def test_growing_never_begins_anew(value: list[int], by: int) -> None:
    octets = b"".join(number.to_bytes(20, "big") for number in value)
    assert numbers(grown(octets, by)) == [min(number + by, LARGEST) for number in value]


@given(lost=st.integers(0, 2**40), at=st.integers(1_700_000_000, 1_800_000_000))
def test_what_is_lost_counts_as_if_it_were_now_and_is_kept_in_four_octets(lost: int, at: int) -> None:
    window = with_lost(no_window(3600).with_more(at), Loss(at, lost))
    assert type(window).from_octets(window.to_octets()) == window
    assert window.within(3600, at) == 1 + min(lost, 2**31 - 1)
    assert first_window(3600, [Loss(at, lost)]).within(3600, at) == min(lost, 2**31 - 1)


# ---- what an auditor sees

Bodies = list[dict[str, Any]]


def restored_bodies(stage: PutBack) -> Bodies:
    stage.restore(*orders(stage.behind))
    with stage.journal.ledger.read() as connection:
        found = connection.execute(select(tables.record.c.octets).order_by(tables.record.c.leaf_index))
        return [dict(decode(row.octets)) for row in found]


def verify_bodies(stage: PutBack, bodies: Bodies) -> None:
    """As if they had been written so, tree and all; only the table of what was taken is looked at beside them."""
    octets = [encode(body) for body in bodies]
    records = [
        StoredRecord(leaf_index=index, octets=each, leaf_hash=leaf_hash(each), kind=body["kind"], party=body["party"])
        for index, (each, body) in enumerate(zip(octets, bodies, strict=True))
    ]
    frontier = Frontier()
    frontier.extend(record.leaf_hash for record in records)
    head = Head(origin=ORIGIN, tree_size=len(records), root_hash=frontier.root(), at=AT)
    with stage.journal.ledger.read() as connection:
        table = [tuple(row) for row in connection.execute(select(tables.taken))]
    verify_ledger(
        records,
        head,
        find=lambda index: octets[index],
        deployment=DeploymentKind.TEST,
        taken=table,
    )


def the_restore(bodies: Bodies) -> dict[str, Any]:
    return next(body["body"] for body in bodies if body.get("body", {}).get("act") == "RestoreLedger")


def the_list(bodies: Bodies) -> dict[str, Any]:
    return next(body["body"] for body in bodies if body.get("body", {}).get("act") == "AdvanceNumbers")


def less_grown(bodies: Bodies) -> None:
    after = bytes.fromhex(the_list(bodies)["advanced"][0][2])
    the_list(bodies)["advanced"][0][2] = grown(after[:20], 1).hex() + after[20:].hex()


def other_before(bodies: Bodies) -> None:
    each = the_list(bodies)["advanced"][0]
    each[1], each[2] = (grown(bytes.fromhex(value), 1).hex() for value in each[1:3])


def of_once(bodies: Bodies) -> None:
    """A name that counts nothing is grown."""
    intent = next(index for index, body in enumerate(bodies) if body.get("request_id") == "bound")
    row = b"owner\x00twenty"
    value = b"\x05" * 20
    the_list(bodies)["advanced"][0] = [row.hex(), value.hex(), grown(value, the_restore(bodies)["by"]).hex(), intent]


SPOILT: dict[str, tuple[Callable[[Bodies], object], str]] = {
    "one order": (lambda it: the_restore(it)["orders"].pop(), "the orders of two people"),
    "one person twice": (
        lambda it: the_restore(it)["orders"].__setitem__(1, the_restore(it)["orders"][0]),
        "the orders of two people",
    ),
    "another head than ordered": (
        lambda it: the_restore(it).update(tree_size=3),
        "records lost|orders of RestoreLedger",
    ),
    "another root than ordered": (lambda it: the_restore(it).update(root_hash="00" * 32), "orders of RestoreLedger"),
    "fewer lost": (lambda it: the_restore(it).update(lost=1), "at least"),
    "a smaller margin": (lambda it: the_restore(it).update(by=the_restore(it)["by"] - 1), "numbers grown by"),
    "fewer numbers": (lambda it: the_restore(it).update(numbers=5), "and no more"),
    "more numbers": (lambda it: the_restore(it).update(numbers=7), "1 more numbers than any record lists"),
    "a number left out": (lambda it: the_list(it)["advanced"].pop(), "1 more numbers than any record lists"),
    "a number grown by more": (less_grown, "grown by"),
    "a number from elsewhere": (other_before, "grown by"),
    "a name that counts nothing": (of_once, "grown by"),
    "a list of another restore": (lambda it: the_list(it).update(restore=1), "and no more"),
    "a list of another form": (lambda it: the_list(it).update(advanced=[["00"]]), "another form"),
}


def test_an_auditor_takes_a_restored_ledger(stage: PutBack) -> None:
    verify_bodies(stage, restored_bodies(stage))


@pytest.mark.parametrize("case", SPOILT)
def test_an_auditor_does_not_take(stage: PutBack, case: str) -> None:
    spoil, why = SPOILT[case]
    bodies = restored_bodies(stage)
    spoil(bodies)
    with pytest.raises(LedgerBroken, match=why):
        verify_bodies(stage, bodies)


def test_an_auditor_does_not_take_a_number_that_was_set_back_after_a_restore(stage: PutBack) -> None:
    before = rows(stage.journal)
    stage.restore(*orders(stage.behind))
    audit.verify(stage.journal.ledger, AT)
    name = b"invocation\x00n"
    with stage.journal.ledger._engine.begin() as connection:
        connection.execute(update(tables.taken).where(tables.taken.c.name == name).values(value=before[name]))
    with pytest.raises(LedgerBroken, match="what was taken"):
        audit.verify(stage.journal.ledger, AT)


def test_a_thousand_numbers_are_listed_in_records_that_anybody_can_read(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        start(journal)
        names = [sha256(str(number).encode()).digest() for number in range(1100)]
        for at in range(0, len(names), 100):
            claims = [allocated(first=1, name=name) for name in names[at : at + 100]]
            succeed(journal, *taken(journal, asking(f"counters-{at}", *claims)))
        older = back_up(journal, tmp_path / "older")
        sign(journal, a_request("lost"))
        remembered = journal.head(AT)
    with put_back(older, remembered) as stage:
        restored = stage.restore(*orders(stage.behind))
        assert restored.numbers == 1100
        size = stage.journal.head(AT).tree_size
        assert size == restored.leaf_index + 4
        records = [stage.journal.find(index) for index in range(restored.leaf_index, size)]
        assert max(len(record.octets) for record in records if record is not None) < 500_000
        audit.verify(stage.journal.ledger, AT)
        with pytest.raises(LedgerBroken):
            audit.verify(stage.journal.ledger, AT, anchor=replace(remembered, tree_size=10_000))


def test_what_was_released_before_the_back_up_is_in_quarantine_again(tmp_path: Path) -> None:
    """It may have been let through in the part that is lost: its User says anew."""
    with books.a_book(tmp_path) as journal:
        thresholds.enrol_user(journal)
        enrol(journal)
        start(journal)
        both = (thresholds.asking(f"{it}", thresholds.counted(most=1), counter=it) for it in (1, 2))
        assert thresholds.let_through(journal, *both) == 1
        (one,) = thresholds.held(journal)
        thresholds.act(journal, one.record, "release")
        older = back_up(journal, tmp_path / "older")
        again = thresholds.asking("again", thresholds.counted(most=1), counter=2)
        assert thresholds.let_through(journal, again) == 1
        remembered = journal.head(AT)
    with put_back(older, remembered) as stage:
        assert [each.state for each in thresholds.held(stage.journal)] == ["released"]
        stage.restore(*orders(stage.behind))
        assert [each.state for each in thresholds.held(stage.journal)] == ["quarantined"]
        once_more = thresholds.asking("once-more", thresholds.counted(most=1), counter=2)
        assert thresholds.let_through(stage.journal, once_more) == 0
        audit.verify(stage.journal.ledger, AT)
