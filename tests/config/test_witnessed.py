"""Which cosignatures count: enough of them, of these witnesses, lately, and asked for by this very broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keybroker.config.checkpoints_table import WitnessesTable
from keybroker.config.witnessed import LOOK_SECONDS, Witnessed
from keybroker.ledger.cosignatures import keep_cosignature
from keybroker.ledger.journal import Journal
from keybroker.ledger.note import NoteSignature
from keybroker.ledger.note_keys import CosignatureKey, write_vkey
from tests.ledger import books
from tests.situations import AT

NOW = int(AT.timestamp())
BEHIND, RECORDS = 60.0, 16
_KEYS = [CosignatureKey(name=f"witness.example/w{number}", public_key=bytes([number]) * 32) for number in (1, 2, 3)]


def table(demanded: int) -> WitnessesTable:
    return WitnessesTable.model_validate(
        {
            "demanded": demanded,
            "at_most_behind_seconds": BEHIND,
            "at_most_behind_records": RECORDS,
            "clock_seconds": 1.0,
            "timeout_seconds": 1.0,
            "witness": [{"url": "http://w", "vkey": write_vkey(key)} for key in _KEYS],
        }
    )


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    """A ledger of 21 records."""
    with books.a_book(tmp_path) as journal:
        for number in range(10):
            books.sign(journal, books.a_request(f"r{number}"))
        yield journal


def cosign(journal: Journal, number: int, size: int, at: int) -> None:
    line = NoteSignature(name=f"witness.example/w{number}", key_id=bytes(4), signature=bytes(72))
    keep_cosignature(journal.ledger, tree_size=size, line=line, at=at)


@pytest.mark.parametrize(
    ("cosigned", "why"),
    [
        ([], "0 of 3 cosigned"),
        ([(1, 21, NOW)], "1 of 3 cosigned"),
        ([(1, 21, NOW), (1, 20, NOW)], "1 of 3 cosigned"),
        ([(1, 21, NOW), (4, 21, NOW)], "1 of 3 cosigned"),
        ([(1, 21, NOW), (2, 21, NOW - 61)], "1 of 3 cosigned"),
        ([(1, 21, NOW), (2, 21, NOW - 31)], "1 of 3 cosigned"),
        ([(1, 21, NOW), (2, 4, NOW)], "17 records that 2 have not cosigned"),
        ([(1, 4, NOW), (2, 4, NOW), (3, 21, NOW)], "17 records that 2 have not cosigned"),
    ],
    ids=["none", "one", "one twice", "a stranger", "long ago", "before this broker began", "one behind", "two behind"],
)
def test_does_not_count(cosigned: list[tuple[int, int, int]], why: str, book: Journal) -> None:
    for row in cosigned:
        cosign(book, *row)
    assert why in Witnessed(table(2), book.ledger, since=NOW - 30)(AT)


def test_two_that_vouch_for_enough_are_enough(book: Journal) -> None:
    for row in ((1, 21, NOW), (2, 5, NOW - 29), (2, 4, NOW)):
        cosign(book, *row)
    assert Witnessed(table(2), book.ledger, since=NOW - 30)(AT) == ""


def test_nobody_is_waited_for_where_none_is_demanded(book: Journal) -> None:
    assert Witnessed(table(0), book.ledger, since=NOW)(AT) == ""


def test_a_cosignature_that_is_given_again_takes_the_place_of_the_first(book: Journal) -> None:
    cosign(book, 1, 21, NOW - 100)
    cosign(book, 1, 21, NOW)
    assert Witnessed(table(1), book.ledger, since=0)(AT) == ""


def test_looks_again_after_a_quarter_of_a_second_and_when_the_clock_leaps(book: Journal) -> None:
    running = [0.0]
    witnessed = Witnessed(table(1), book.ledger, since=0, now=lambda: running[0])
    assert witnessed(AT)
    cosign(book, 1, 21, NOW)
    assert witnessed(AT), "what was found holds for a moment"
    running[0] = LOOK_SECONDS
    assert witnessed(AT) == ""
    assert witnessed(AT + timedelta(hours=1)), "by then it is long ago"


def test_a_ledger_that_cannot_be_read_is_not_witnessed(book: Journal) -> None:
    cosign(book, 1, 21, NOW)
    witnessed = Witnessed(table(1), book.ledger, since=0)
    book.ledger.file.rename(book.ledger.file.with_name("moved"))
    try:
        assert witnessed(AT).startswith("no comparison: ")
    finally:
        book.ledger.file.with_name("moved").rename(book.ledger.file)
