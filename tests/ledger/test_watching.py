"""Whoever follows the ledger writes each event down once: also beside another, and where it begins again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger import audit, message_queue
from keybroker.ledger.anomaly_form import Detector
from keybroker.ledger.anomaly_settings import AnomalySettings
from keybroker.ledger.journal import Journal
from keybroker.ledger.watching import AnotherWatches, Watch, find_mark
from keybroker.terms import RequestId
from tests.ledger import books
from tests.ledger.books import a_book, a_permit, a_request, intends, sign
from tests.situations import AT

SETTINGS = AnomalySettings(burst_uses=4, open_seconds=30)
LATE = AT + timedelta(minutes=1)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    with a_book(tmp_path) as journal:
        yield journal


def a_watch(journal: Journal, *, messages: bool = False, **changes: Any) -> Watch:
    watch = Watch(journal=journal, settings=SETTINGS, messages=messages, **changes)
    watch.begin(AT)
    return watch


def uses(journal: Journal, name: str, count: int = 1) -> None:
    permit = a_permit()
    sign(
        journal, *(a_request(f"{name}-{each}", permit, request_id=RequestId(f"{name}-{each}")) for each in range(count))
    )


def detectors(watch: Watch) -> list[Detector]:
    return [each.anomaly.detector for each in watch.look(AT)]


def test_what_was_there_before_anybody_watched_is_known(book: Journal) -> None:
    uses(book, "before")
    watch = a_watch(book)
    uses(book, "after")
    assert detectors(watch) == []


def test_writes_each_event_once_whoever_looks_again(book: Journal) -> None:
    watch = a_watch(book)
    uses(book, "first", 6)
    assert detectors(watch) == [Detector.NEW_PAIR, Detector.BURST]
    assert detectors(watch) == []
    assert detectors(a_watch(book)) == []
    audit.verify(book.ledger, AT)


def test_what_one_found_and_could_not_write_another_finds(book: Journal) -> None:
    """It read, and died before it wrote."""
    watch = a_watch(book)
    uses(book, "first")
    a_watch(book)
    again = a_watch(book)
    assert detectors(again) == [Detector.NEW_PAIR]
    with pytest.raises(AnotherWatches):
        watch.look(AT)
    audit.verify(book.ledger, AT)


def test_one_beside_another_begins_again_and_tells_nothing_twice(book: Journal) -> None:
    first, second = a_watch(book), a_watch(book)
    uses(book, "first")
    assert detectors(first) == [Detector.NEW_PAIR]
    with pytest.raises(AnotherWatches):
        second.look(AT)
    second.begin(AT)
    assert detectors(second) == []


def test_tells_of_an_intent_that_is_open_too_long_and_not_again_after_it_began_again(book: Journal) -> None:
    watch = a_watch(book)
    intends(book, a_request("open"))
    assert detectors(watch) == [Detector.NEW_PAIR]
    assert [each.anomaly.detector for each in watch.look(LATE)] == [Detector.WITHOUT_OUTCOME]
    assert watch.look(LATE) == []
    again = a_watch(book)
    assert again.look(LATE) == []
    audit.verify(book.ledger, AT)


def test_at_the_end_it_is_written_down_how_far_it_looked(book: Journal) -> None:
    watch = a_watch(book)
    uses(book, "first")
    watch.look(AT)
    uses(book, "second")
    watch.look(AT)
    watch.rest()
    assert find_mark(book.ledger) == book.head(AT).tree_size


def test_a_message_waits_for_each_event_until_it_is_taken(book: Journal) -> None:
    watch, ledger = a_watch(book, messages=True), book.ledger
    uses(book, "first", 6)
    first, second = (each.leaf_index for each in watch.look(AT))
    due = message_queue.first_due(ledger, AT)
    assert due is not None
    assert (due.event, due.tries) == (first, 0)
    message_queue.failed(ledger, first, "x" * 999, AT + timedelta(seconds=9))
    due = message_queue.first_due(ledger, AT)
    assert due is not None
    assert due.event == second
    message_queue.taken(ledger, second, AT)
    assert (message_queue.first_due(ledger, AT), message_queue.undelivered(ledger)) == (None, 1)
    assert message_queue.first_due(ledger, AT + timedelta(seconds=9)) is not None
    assert message_queue.first_undelivered(ledger) == AT
    audit.verify(ledger, AT)


SPOILT = {
    "looked beyond the records": ("UPDATE anomaly_watch SET looked_to = 9999", "anomaly_watch"),
    "looked less far than events tell": ("UPDATE anomaly_watch SET looked_to = 1", "anomaly_watch"),
    "never looked": ("DELETE FROM anomaly_watch", "anomaly_watch"),
    "a message of no event": ("INSERT INTO webhook_delivery VALUES (1, 0, 0, NULL, '')", "webhook_delivery"),
    "a review that nobody made": ("INSERT INTO ledger_review VALUES (2, 1, 'ann', 0)", "ledger_review"),
}


@pytest.mark.parametrize(("statement", "table"), SPOILT.values(), ids=SPOILT.keys())
def test_verify_finds_tables_that_say_what_no_record_does(tmp_path: Path, statement: str, table: str) -> None:
    with a_book(tmp_path) as journal:
        watch = a_watch(journal)
        uses(journal, "first")
        watch.look(AT)
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()
    with a_book(tmp_path) as journal, pytest.raises(LedgerBroken, match=table):
        audit.verify(journal.ledger, AT)


def test_a_watch_reads_no_more_than_there_is(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        assert a_watch(journal).look(AT) == []
