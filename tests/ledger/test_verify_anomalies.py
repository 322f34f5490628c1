"""An auditor finds an event of another form, of nothing, by nobody or twice; and a review that may not be."""

from __future__ import annotations

from typing import Any

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger.anomaly_form import Anomaly, Detector
from keybroker.ledger.review_form import Review, read_review, why_not
from keybroker.ledger.verify_anomalies import Watched, WatchRows
from tests.ledger.told_records import CALLER, Body, a_refusal, an_act, an_intent

RECORDS: list[Body] = [an_act("SuspendKey"), an_intent(), a_refusal()]
BROKER: Any = {"identity": "worker:watch.aa", "kind": "broker", "party": ""}
EVENT = Anomaly(
    detector=Detector.NEW_PAIR, record=1, subject=f"{CALLER} supplier-a", expected="a", found="its first use"
)
ORDER: Any = {"attester": "auditor-1"}


def watched() -> Watched:
    return Watched(find=lambda index, at: RECORDS[at] if isinstance(at, int) and 0 <= at < index else {})


def an_event(**changes: Any) -> Body:
    return an_act("AnomalousEvent", **{**EVENT.told(), "actor": BROKER, **changes})


def a_review(**changes: Any) -> Body:
    review = Review(up_to=2, marked=(1,), because="weekly")
    return an_act("ReviewLedger", **{**review.told(), "order": ORDER, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": {"identity": "local:ann", "kind": "operator", "party": ""}},
        {"detector": "feeling"},
        {"record": 2},
        {"record": 3},
        {"record": -1},
        {"record": "1"},
        {"record": True, "detector": "burst"},
        {"subject": "somebody else supplier-a"},
        {"detector": "refusal-storm"},
        {"detector": "out-of-hours"},
    ],
)
def test_refuses_an_event(changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerBroken, match="record 3"):
        watched().administer(3, an_event(**changes))


def test_refuses_an_event_that_is_told_twice() -> None:
    told = watched()
    told.administer(3, an_event())
    with pytest.raises(LedgerBroken, match="each Anomalous Event once"):
        told.administer(4, an_event())


def test_accepts_events_of_one_record_that_differ() -> None:
    told = watched()
    told.administer(3, an_event())
    told.administer(4, an_event(detector="burst", subject="supplier-a"))
    told.check_tables(WatchRows(looked_to=2, messages=[3, 4], reviews=[]), 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"up_to": 3},
        {"up_to": -1},
        {"up_to": "2"},
        {"marked": [2, 1]},
        {"marked": [1, 1]},
        {"marked": [3]},
        {"marked": [True]},
        {"because": "  "},
        {"order": None},
        {"order": {}},
    ],
)
def test_refuses_a_review(changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerBroken, match="record 3"):
        watched().administer(3, a_review(**changes))


def test_refuses_a_review_backwards_and_accepts_one_of_nothing_new() -> None:
    told = watched()
    told.administer(3, a_review())
    with pytest.raises(LedgerBroken, match="expected up to a record between 2 and 3"):
        told.administer(4, a_review(up_to=1, marked=[]))
    told.administer(4, a_review(up_to=2))


def test_marks_no_more_than_somebody_reads() -> None:
    many = Review(up_to=2000, marked=tuple(range(1001)), because="all of it")
    assert "1000" in why_not(many, before=None, last=3000)


def test_a_review_is_read_as_it_was_told() -> None:
    review = Review(up_to=9, marked=(1, 4), because="weekly")
    assert read_review(review.told()) == review
