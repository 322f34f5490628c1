"""Anomaly Detection Thresholds in the ledger: never more than N in any period, exactly N in one; what exceeds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.errors import LedgerBroken, ThresholdExceeded
from keybroker.ledger import audit, canonical_json, record
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Intent
from keybroker.ledger.verify_counts import Counts
from keybroker.ledger.window import MOST_BUCKETS, Window, bucket_length, no_window
from keybroker.terms import KeyPurpose
from tests.ledger import books
from tests.ledger.test_store import tamper
from tests.ledger.thresholds import SECOND, USER, act, asking, begin, counted, held, let_through, put_row, rows
from tests.situations import AT

PERIODS = st.integers(60, 5_000)


def let_by(moments: list[int], period: int, most: int) -> list[int]:
    """The moments that are let through, one after the other, as the ledger counts them."""
    window, through = no_window(period), []
    for at in moments:
        if window.within(period, at) + 1 <= most:
            window = Window.from_octets(window.with_more(at).to_octets())
            through.append(at)
    return through


def most_in_any(moments: list[int], period: int) -> int:
    return max((sum(end - period < at <= end for at in moments) for end in moments), default=0)


# ---- the window


@given(st.lists(st.integers(0, 20_000), max_size=100), PERIODS, st.integers(0, 9))
def test_there_are_never_more_than_n_in_any_period_wherever_the_clock_is_stepped(
    moments: list[int], period: int, most: int
) -> None:
    assert most_in_any(let_by(moments, period, most), period) <= most


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", shows="acceptance")
@given(st.integers(0, 2**33), PERIODS, st.integers(0, 300))
def test_exactly_n_are_let_through_within_one_period(start: int, period: int, most: int) -> None:
    moments = [start + (period - 1) * place // (most + 5) for place in range(most + 5)]
    assert len(let_by(moments, period, most)) == most


@given(st.integers(0, 2**33), PERIODS, st.integers(1, 50))
def test_what_was_counted_is_forgotten_a_bucket_after_the_period_at_the_latest(
    start: int, period: int, most: int
) -> None:
    later = start + period + bucket_length(period)
    assert len(let_by([start] * most + [later] * most, period, most)) == 2 * most


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 5)), max_size=300), PERIODS, PERIODS)
def test_a_row_is_read_as_it_was_written_and_another_period_forgets_nothing(
    events: list[tuple[int, int]], period: int, other: int
) -> None:
    window = no_window(period)
    for at, more in events:
        window = window.with_more(at, more)
    assert Window.from_octets(window.to_octets()) == window
    assert len(window.counts) <= MOST_BUCKETS
    latest = max((at for at, _ in events), default=0)
    shorter, moved = min(period, other), window.for_period(other)
    # What lay within the shorter of both periods before is counted by the longer afterwards.
    assert moved.within(other, latest) >= min(window.within(shorter, latest), moved.within(shorter, latest))
    assert sum(each for _, each in moved.counts) == sum(each for _, each in window.counts)


def test_a_clock_that_was_far_ahead_and_goes_back_counts_more_never_less() -> None:
    window, period = no_window(60), 60
    for at in range(1_000_000, 1_000_000 + 200):
        window = window.with_more(at)
    window = window.with_more(5)
    assert window.within(period, 5) == sum(each for _, each in window.counts)
    assert window.within(period, 5) > MOST_BUCKETS


@pytest.mark.parametrize(
    "octets", [b"", b"\0\0\0", bytes(4), bytes(4) + bytes(12), b"\0\0\0\1" + bytes(24), b"\0\0\0\1x"]
)
def test_refuses_a_row_that_no_count_makes(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"count|buckets"):
        Window.from_octets(octets)


# ---- refusals in the transaction


def test_refuses_what_would_exceed_the_threshold_and_counts_nothing_for_it(journal: Journal) -> None:
    asked = [asking(f"r{number}", counted(most=2), counter=number) for number in range(1, 6)]
    answers = begin(journal, *asked)
    assert [type(answer) for answer in answers] == [Intent, Intent, *[ThresholdExceeded] * 3]
    refusal = answers[2]
    assert isinstance(refusal, ThresholdExceeded)
    assert (refusal.clause, refusal.gate) == ("G6.3(a)(i)", "anomaly-threshold")
    *before_it, finding = refusal.findings
    assert before_it
    assert all(each.passed for each in before_it)
    assert (finding.expected, finding.found) == ("at most 2 in 3600 s of critical 7.2 of the User", "number 3")
    assert finding.reason == "THRESHOLD_EXCEEDED"
    assert "signed order" in finding.remedy
    (buckets,) = rows(journal).values()
    assert sum(each for _, each in Window.from_octets(buckets).counts) == 2
    assert [each.state for each in held(journal)] == ["quarantined"] * 3
    audit.verify(journal.ledger, AT)


@pytest.mark.clause("G6.4A", shows="refusal")
def test_refuses_everything_where_the_threshold_is_zero(journal: Journal) -> None:
    (answer,) = begin(journal, asking("r", counted(most=0, clause="G6.4A")))
    assert isinstance(answer, ThresholdExceeded)
    assert answer.clause == "G6.4A"
    assert rows(journal) == {}


def test_one_threshold_of_several_that_is_reached_refuses_and_the_others_count_nothing(journal: Journal) -> None:
    both = counted("a", most=5), counted("b", most=1)
    assert let_through(journal, asking("1", *both), asking("2", *both, counter=2)) == 1
    assert let_through(journal, *(asking(f"a{it}", both[0], counter=9) for it in range(6))) == 4


def test_refuses_a_row_that_is_no_count(journal: Journal) -> None:
    put_row(journal, b"critical 7.2", b"nonsense")
    with pytest.raises(LedgerBroken, match=r"count of critical 7\.2"):
        begin(journal, asking("r", counted()))


def test_a_clock_stepped_back_lets_no_more_through(journal: Journal) -> None:
    assert let_through(journal, *(asking(f"a{it}", counted(), counter=it + 1) for it in range(3))) == 3
    for step in (timedelta(hours=-5), timedelta(days=-400), -SECOND, timedelta(minutes=59)):
        assert let_through(journal, asking(f"b{step}", counted(), counter=8), at=AT + step) == 0
    assert let_through(journal, asking("c", counted(), counter=9), at=AT + timedelta(minutes=62)) == 1
    audit.verify(journal.ledger, AT)


# ---- quarantine


def test_what_is_asked_for_again_while_it_is_quarantined_is_kept_once(journal: Journal) -> None:
    for name in ("first", "again", "and-again"):
        assert let_through(journal, asking(name, counted(most=0))) == 0
    (one,) = held(journal)
    assert (one.user, one.key, one.party, one.kept) == (USER, "supplier-a", "supplier-a", True)
    assert one.name == "SignPreCommand supplier-a first"
    audit.verify(journal.ledger, AT)


def test_what_was_released_is_let_through_once_and_counts(journal: Journal) -> None:
    assert let_through(journal, *(asking(f"{it}", counted(most=1), counter=it) for it in (1, 2))) == 1
    (one,) = held(journal)
    act(journal, one.record, "release")
    # Other octets, or another key's, rest on no release.
    assert let_through(journal, asking("other", counted(most=1), counter=3)) == 0
    (intent,) = begin(journal, asking("again", counted(most=1), counter=2))
    assert isinstance(intent, Intent)
    stored = journal.find(intent.receipt.leaf_index)
    assert stored is not None
    body = canonical_json.decode(stored.octets)
    assert (body["released"], body["counted"]) == (one.record, [["critical 7.2", 3_600, 2, 1]])
    assert body["warned"] == ["critical 7.2"]
    assert intent.warned == ("critical 7.2",)
    assert [each.state for each in held(journal, every=True)] == ["processed", "quarantined"]
    assert held(journal, every=True)[0].kept is False
    assert let_through(journal, asking("once-more", counted(most=1), counter=2)) == 0
    audit.verify(journal.ledger, AT)


def test_two_of_one_batch_cannot_rest_on_one_release(journal: Journal) -> None:
    assert let_through(journal, asking("1", counted(most=0))) == 0
    act(journal, held(journal)[0].record, "release")
    assert let_through(journal, asking("2", counted(most=0)), asking("3", counted(most=0))) == 1


def test_what_was_deleted_is_quarantined_anew_when_it_is_asked_for_again(journal: Journal) -> None:
    assert let_through(journal, asking("1", counted(most=0))) == 0
    act(journal, held(journal)[0].record, "delete")
    assert let_through(journal, asking("2", counted(most=0))) == 0
    assert [each.state for each in held(journal, every=True)] == ["deleted", "quarantined"]


def test_octets_that_disclose_a_key_are_quarantined_without_them(journal: Journal) -> None:
    permit = replace(books.a_permit(1, KeyPurpose.CONTINGENCY_COMMAND), counts=(counted(most=0),))
    assert let_through(journal, books.a_request("r", permit)) == 0
    assert [(each.state, each.kept) for each in held(journal)] == [("quarantined", False)]


@pytest.mark.clause("G6.1", shows="refusal")
def test_a_smets1_service_request_with_a_value_out_of_range_is_deleted(journal: Journal) -> None:
    value = counted(
        "value", most=0, told="0x001C adjust-meter-balance of 0 to 5", found="7", deletes=True, clause="G6.1(d)(i)"
    )
    (answer,) = begin(journal, asking("r", value))
    assert isinstance(answer, ThresholdExceeded)
    finding = answer.findings[-1]
    assert (finding.clause, finding.reason) == ("G6.1(d)(i)", "DATA_VALUE_OUT_OF_RANGE")
    assert (finding.expected, finding.found) == ("0x001C adjust-meter-balance of 0 to 5", "7")
    assert "deleted" in finding.remedy
    assert [(each.state, each.kept) for each in held(journal, every=True)] == [("deleted", False)]
    assert held(journal) == []
    audit.verify(journal.ledger, AT)


def test_octets_in_quarantine_are_erased_with_the_others(journal: Journal) -> None:
    assert let_through(journal, asking("r", counted(most=0))) == 0
    (one,) = held(journal)
    assert audit.erase_octets(journal.ledger, bytes.fromhex(one.octets_sha256)) == 1
    assert held(journal)[0].kept is False
    audit.verify(journal.ledger, AT)


def test_warns_above_the_warning_level_and_still_signs(journal: Journal) -> None:
    asked = [asking(f"{it}", counted(most=3, warning=1), counter=it + 1) for it in range(3)]
    answers = begin(journal, *asked)
    assert [answer.warned for answer in answers if isinstance(answer, Intent)] == [(), *[("critical 7.2",)] * 2]


# ---- what an auditor recomputes


TAMPERED: dict[str, tuple[tuple[str, ...], str]] = {
    "a count less": (("UPDATE anomaly_count SET buckets = x'0000003c'",), "not what the intents tell"),
    "no count": (("DELETE FROM anomaly_count",), "the table does not"),
    "a count more": (("INSERT INTO anomaly_count VALUES (x'41', x'0000003c')",), "not what the intents tell"),
    "another state": (("UPDATE quarantine SET state = 'released'",), "is released"),
    "no quarantine": (("DELETE FROM quarantine",), "not in the quarantine"),
    "another party": (("UPDATE quarantine SET party = 'other'",), "another communication"),
    "other octets": (("UPDATE quarantine SET octets = x'00'",), "another communication"),
    "a check more": (
        ("INSERT INTO threshold_check VALUES ('a', x'00', 'b', 1, 1)",),
        "table of checked notifications",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_verify_notices_tables_that_say_otherwise(tmp_path: Path, name: str) -> None:
    statements, said = TAMPERED[name]
    with books.a_book(tmp_path) as journal:
        let_through(journal, *(asking(f"{it}", counted(most=2), counter=it + 1) for it in range(3)))
        audit.verify(journal.ledger, AT)
    tamper(tmp_path, *statements)
    with books.a_book(tmp_path) as journal, pytest.raises(LedgerBroken, match=said):
        audit.verify(journal.ledger, AT)


AT_MOMENT = record.moment(AT)
ONE = ["a", 60, 1, 1]
WRONG_INTENTS: dict[str, tuple[dict[str, Any], str]] = {
    "an empty list": ({"counted": []}, "a list of what is counted"),
    "no list": ({"counted": "a"}, "a list of what is counted"),
    "another form": ({"counted": [["a", 60, 1]]}, "name, period, number and most"),
    "a period of nothing": ({"counted": [["a", 0, 1, 1]]}, "name, period, number and most"),
    "a number too few": ({"counted": [["a", 60, 0, 1]]}, "number 1 of a"),
    "a number too many": ({"counted": [["a", 60, 2, 5]]}, "number 1 of a"),
    "one name twice as if it were once": ({"counted": [ONE, ONE]}, "number 2 of a"),
    "more than there may be": ({"counted": [["a", 60, 1, 0]]}, "at most 0 of a, or a release"),
    "a release of nothing": ({"counted": [["a", 60, 1, 0]], "released": 3}, "record 3 to be released"),
    "a release without a count": ({"released": 3}, "nothing warned of where nothing counts"),
    "a warning without a count": ({"warned": ["a"]}, "nothing warned of where nothing counts"),
    "no moment": ({"counted": [ONE], "at": "today"}, "a moment"),
}


@pytest.mark.parametrize("name", WRONG_INTENTS)
def test_verify_notices_an_intent_that_counts_otherwise(name: str) -> None:
    body, said = WRONG_INTENTS[name]
    counts = Counts(find=lambda _index, _earlier: {})
    with pytest.raises(LedgerBroken, match=said):
        counts.begin(7, {"at": AT_MOMENT} | body)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ({"act": "ActOnQuarantined", "action": "release", "record": 3}, "record 3 to be quarantined"),
        ({"act": "ActOnQuarantined", "action": "delete", "record": 3}, "record 3 to be quarantined or released"),
        ({"act": "ActOnQuarantined", "action": "keep", "record": 3}, "release or delete"),
        ({"act": "CheckThresholdNotification", "part": "a", "sha256": "x"}, "SHA-256 of a notification"),
    ],
)
def test_verify_notices_an_act_that_cannot_be(act: dict[str, Any], said: str) -> None:
    with pytest.raises(LedgerBroken, match=said):
        Counts(find=lambda _index, _earlier: {}).administer(7, {"at": AT_MOMENT, "body": act})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"state": "released", "counts": []}, "quarantined or deleted"),
        ("quarantined", "quarantined or deleted"),
        ({"state": "quarantined", "counts": [], "held": 3}, "record 3 in quarantine"),
    ],
)
def test_verify_notices_a_refusal_that_quarantines_otherwise(told: Any, said: str) -> None:
    with pytest.raises(LedgerBroken, match=said):
        Counts(find=lambda _index, _earlier: {}).refuse(7, {"quarantine": told})


# ---- the ledger follows the plain functions


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(-4_000, 8_000), st.integers(1, 4)), min_size=1, max_size=12), st.integers(0, 5))
def test_the_ledger_lets_through_what_the_plain_functions_do(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, int]], most: int
) -> None:
    with books.a_book(tmp_path_factory.mktemp("book")) as journal:
        through, moments = 0, []
        for number, (after, items) in enumerate(batches):
            at = AT + after * SECOND
            asked = [asking(f"{number}-{item}", counted(most=most), counter=number + 1) for item in range(items)]
            through += let_through(journal, *asked, at=at)
            moments += [int(at.timestamp())] * items
        assert through == len(let_by(moments, 3_600, most))
        audit.verify(journal.ledger, AT)
