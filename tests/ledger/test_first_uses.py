"""An auditor finds a first use that the watch passed without a word: whoever moves its mark on does not hide it."""

from __future__ import annotations

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger.anomaly_form import Anomaly, Detector
from keybroker.ledger.model import RecordKind
from keybroker.ledger.verify_first_uses import FirstUses
from tests.ledger.told_records import CALLER, Body, an_act, an_intent

BEFORE, TOLD, AFTER = an_intent(key="before"), an_intent(), an_intent(key="after")


def an_event(record: int, key: str = "supplier-a", detector: Detector = Detector.NEW_PAIR) -> Anomaly:
    return Anomaly(detector=detector, record=record, subject=f"{CALLER} {key}", expected="a", found="b")


def read(*records: Body | Anomaly | None) -> FirstUses:
    """None: an intent that was aged out."""
    uses = FirstUses()
    for index, each in enumerate(records):
        if each is None:
            uses.pass_over(index, RecordKind.INTENT)
        elif isinstance(each, Anomaly):
            uses.tell(each)
        elif each["kind"] == "intent":
            uses.use(index, each)
        elif isinstance(body := each["body"], dict):
            uses.administer(body)
    return uses


SESSION = an_act("BeginSession", key="session", parent="s1sp")
OVER = an_act("SessionKeyDestroyed", key="session")


@pytest.mark.parametrize(
    ("records", "record"),
    [
        ([TOLD, AFTER, an_event(0)], 1),
        ([TOLD, an_event(0), an_event(0, "after", Detector.BURST), AFTER], 3),
        ([an_intent(key="s1sp"), SESSION, an_event(0, "s1sp"), OVER, an_intent(key="session")], 4),
    ],
    ids=["after one that is told", "told of for another reason", "a session's label after its session"],
)
def test_names_a_first_use_that_was_passed_without_a_word(records: list[Body | Anomaly], record: int) -> None:
    with pytest.raises(LedgerBroken, match=f"record {record}: expected an Anomalous Event that tells of"):
        read(*records).check(len(records))


@pytest.mark.parametrize(
    ("records", "looked_to"),
    [
        ([BEFORE, AFTER], 2),
        ([BEFORE, TOLD, an_event(1)], 3),
        ([TOLD, an_event(0), AFTER], 2),
        ([TOLD, an_event(0), AFTER, an_event(2, "after")], 4),
        ([TOLD, an_event(0), TOLD], 3),
        ([an_intent(key="s1sp"), an_event(0, "s1sp"), SESSION, an_intent(key="session")], 4),
        ([TOLD, an_event(0), None, AFTER], 4),
    ],
    ids=[
        "nobody watched",
        "known before anybody watched",
        "not looked at yet",
        "told",
        "a second use",
        "of a session",
        "after uses that were aged out",
    ],
)
def test_accepts_what_was_told_and_what_nobody_can_know(records: list[Body | Anomaly | None], looked_to: int) -> None:
    read(*records).check(looked_to)
