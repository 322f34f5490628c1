"""Every detector by itself: what it finds, at which record, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ledger.anomalies import Detecting, differing_uses
from keybroker.ledger.anomaly_form import Anomaly, Detector, read_anomaly
from keybroker.ledger.anomaly_settings import SAFE, AnomalySettings
from keybroker.ledger.anomaly_state import Rate
from tests.ledger.told_records import CALLER, MONDAY, Body, a_closed, a_refusal, an_act, an_intent, an_outcome

FEW = AnomalySettings(burst_uses=3, burst_seconds=60, refusals=2, refusal_seconds=60, open_seconds=30)
NIGHT = MONDAY + timedelta(hours=13)
SECOND = timedelta(seconds=1)


def found(records: Sequence[Body], settings: AnomalySettings = FEW) -> list[Anomaly]:
    detecting = detector(records, settings)
    return [each for index, body in enumerate(records) for each in detecting.observe(index, body)]


def detector(records: Sequence[Body], settings: AnomalySettings = FEW) -> Detecting:
    return Detecting(settings=settings, find=lambda index: records[index])


def told(anomalies: Iterable[Anomaly], of: Detector) -> list[tuple[int, str]]:
    return [(each.record, each.subject) for each in anomalies if each.detector is of]


def allocated(number: int, after: int | None = None) -> Any:
    claim: Any = {"form": "allocated", "name": "aa", "rule": "r", "scope": "counter", "value": f"{number:040x}"}
    return [claim if after is None else {**claim, "after": after}]


def test_a_caller_is_new_to_each_key_once() -> None:
    other: Any = {"identity": "uri:urn:other", "kind": "user-system", "system": "s"}
    records = [an_intent(), an_intent(), an_intent(key="another"), an_intent(caller=other)]
    assert told(found(records), Detector.NEW_PAIR) == [
        (0, f"{CALLER} supplier-a"), (2, f"{CALLER} another"), (3, "uri:urn:other supplier-a"),
    ]  # fmt: skip


def test_the_key_of_a_session_is_its_parents() -> None:
    begun = [an_act("BeginSession", key=f"session-{number}", parent="s1sp") for number in (1, 2)]
    records = [*begun, an_intent(key="session-1"), an_intent(key="session-2")]
    assert told(found(records), Detector.NEW_PAIR) == [(2, f"{CALLER} s1sp")]


def test_a_burst_is_told_once_until_it_is_over() -> None:
    burst = [an_intent(MONDAY + each * SECOND) for each in range(6)]
    again = [an_intent(MONDAY + timedelta(minutes=5) + each * SECOND) for each in range(4)]
    assert told(found([*burst, *again]), Detector.BURST) == [(3, "supplier-a"), (9, "supplier-a")]


def test_as_many_uses_as_may_be_are_no_burst() -> None:
    steady = [an_intent(MONDAY + each * timedelta(seconds=21)) for each in range(40)]
    assert told(found(steady), Detector.BURST) == []


def test_a_storm_of_refusals_is_told_by_caller_and_by_actor() -> None:
    at_the_machine: Any = {"act": "SuspendKey", "actor": {"identity": "local:ann"}, "reason": "PERSON_MAY_NOT_ACT"}
    records = [*[a_refusal() for _ in range(4)], *[{**a_refusal(), "body": at_the_machine} for _ in range(3)]]
    assert told(found(records), Detector.REFUSAL_STORM) == [(2, CALLER), (6, "local:ann")]


@pytest.mark.parametrize(
    ("act", "at", "finds"),
    [
        (an_act("SuspendKey", NIGHT, key="a"), NIGHT, "local:ann"),
        (an_act("SuspendKey", MONDAY, key="a"), MONDAY, None),
        (an_act("SuspendKey", MONDAY + timedelta(days=5), key="a"), None, "local:ann"),
        (an_act("BeginCeremony", NIGHT, ceremony="split-2026"), NIGHT, "ceremony split-2026"),
        (an_act("SplitKey", NIGHT, ceremony={"name": "split-2026", "entry": "00"}), NIGHT, "ceremony split-2026"),
    ],
)
def test_people_are_told_of_who_act_when_nobody_should(act: Body, at: object, finds: str | None) -> None:
    assert [subject for _, subject in told(found([act]), Detector.OUT_OF_HOURS)] == ([finds] if finds else [])


def test_what_the_broker_does_at_night_is_no_finding() -> None:
    broker: Any = {"actor": {"identity": "worker:worker-0.aa", "kind": "broker", "party": ""}}
    assert told(found([an_act("Reload", NIGHT, **broker)]), Detector.OUT_OF_HOURS) == []


def test_a_ceremony_at_night_is_told_once_a_day() -> None:
    nights = [an_act("BeginCeremonyStep", NIGHT + timedelta(minutes=each), ceremony="c") for each in range(5)]
    nights.append(an_act("BeginCeremonyStep", NIGHT + timedelta(days=1), ceremony="c"))
    assert [record for record, _ in told(found(nights), Detector.OUT_OF_HOURS)] == [0, 5]


def test_hours_are_those_of_the_zone() -> None:
    """18:30 UTC is half past seven in London in July."""
    london = SAFE.within(first_hour=7, last_hour=19, days=SAFE.days, zone=ZoneInfo("Europe/London"))
    july = MONDAY.replace(month=7, day=6, hour=18, minute=30)
    assert (london.is_worked(july), SAFE.is_worked(july)) == (False, True)


def test_a_gap_in_numbers_that_the_ledger_gives_is_told() -> None:
    records = [
        an_intent(taken=allocated(5)),
        an_intent(taken=allocated(6, 0)),
        an_intent(taken=allocated(8, 1)),
        an_intent(taken=allocated(9, 2)),
    ]
    (gap,) = [each for each in found(records) if each.detector is Detector.COUNTER_GAP]
    assert (gap.record, gap.subject, gap.expected, gap.found) == (2, "counter aa", "number 7", "number 8")


def test_a_restore_is_told_once_and_not_for_every_number_that_it_advanced() -> None:
    records = [
        an_intent(taken=allocated(5)),
        an_act("RestoreLedger", by=65_540),
        an_act("AdvanceNumbers", restore=1, advanced=[]),
        an_intent(taken=allocated(65_546, 0)),
        an_intent(taken=allocated(65_547, 3)),
    ]
    assert told(found(records), Detector.COUNTER_GAP) == [(1, "the ledger was restored")]


def test_an_intent_that_is_open_too_long_is_told_until_a_record_tells_of_it() -> None:
    records = [an_intent(), an_intent(), an_intent(worker="worker-1.bb")]
    detecting = detector(records)
    for index, body in enumerate(records):
        detecting.observe(index, body)
    assert detecting.overdue(MONDAY + timedelta(seconds=30)) == []
    late = MONDAY + timedelta(seconds=31)
    first = detecting.overdue(late)
    assert told(first, Detector.WITHOUT_OUTCOME) == [(0, "worker-0.aa"), (2, "worker-1.bb")]
    for index, each in enumerate(first):
        detecting.observe(3 + index, an_act("AnomalousEvent", **each.told()))
    assert detecting.overdue(late) == []
    detecting.observe(5, an_outcome(0))
    assert told(detecting.overdue(late), Detector.WITHOUT_OUTCOME) == [(1, "worker-0.aa")]


def test_what_a_dead_worker_left_open_is_told_once() -> None:
    records = [an_intent(), an_intent(), a_closed(0), a_closed(1)]
    assert told(found(records), Detector.WITHOUT_OUTCOME) == [(0, "worker-0.aa")]


def test_an_outcome_that_nobody_knows_is_told_until_the_key_has_a_known_one() -> None:
    unknown = [an_outcome(each, state="unknown", reason="OUTCOME_UNKNOWN") for each in (0, 1)]
    records = [
        an_intent(),
        an_intent(),
        *unknown,
        an_intent(),
        an_outcome(4),
        an_intent(),
        an_outcome(6, state="unknown"),
    ]
    assert told(found(records), Detector.WITHOUT_OUTCOME) == [(0, "supplier-a"), (6, "supplier-a")]


@pytest.mark.parametrize(("counted", "differs"), [(6, True), (7, False), (8, False), (9, True)])
def test_a_module_that_counts_otherwise_is_told(counted: int, differs: bool) -> None:
    """Eight intents, of which seven signed: the eighth may have reached the module, or not."""
    anomalies = differing_uses({"a": 8}, {"a": 7}, {"a": counted}, record=99)
    assert told(anomalies, Detector.USES_DIFFER) == ([(99, "a")] if differs else [])


def test_a_key_of_which_the_ledger_tells_nothing_differs_too() -> None:
    assert told(differing_uses({}, {}, {"stolen": 1, "idle": 0}, record=5), Detector.USES_DIFFER) == [(5, "stolen")]


def test_its_own_records_are_no_finding() -> None:
    event = Anomaly(detector=Detector.BURST, record=0, subject="a", expected="b", found="c")
    assert found([an_act("AnomalousEvent", NIGHT, **event.told())]) == []
    assert read_anomaly(event.told()) == event


@pytest.mark.parametrize("changed", [{"detector": "feeling"}, {"record": "0"}, {"subject": None}, {"found": 1}])
def test_refuses_an_event_of_another_form(changed: dict[str, Any]) -> None:
    event = Anomaly(detector=Detector.BURST, record=0, subject="a", expected="b", found="c")
    with pytest.raises(ValueError, match=r".+"):
        read_anomaly({**event.told(), **changed})


@given(st.lists(st.integers(min_value=0, max_value=400), min_size=1, max_size=60), st.integers(1, 200))
def test_a_rate_counts_what_was_within_the_period_to_a_sixtieth(seconds: list[int], period: int) -> None:
    """Never less than was within it, and never what is older than the period and a bucket more."""
    rate, seen = Rate(seconds=period), list[int]()
    width = -(-period // 60)
    for second in sorted(seconds):
        seen.append(second)
        count = rate.add(second)
        assert sum(each > second - period + width for each in seen) <= count
        assert count <= sum(each > second - period - width for each in seen)


@given(st.integers(min_value=0, max_value=8))
def test_whoever_begins_again_knows_what_was_known(split: int) -> None:
    """What is remembered follows from the records: read twice, they give the same findings from any place on."""
    records = [
        an_intent(), an_outcome(0), an_intent(), a_refusal(), a_refusal(), a_refusal(), an_act("SuspendKey", NIGHT),
        a_closed(2),
    ]  # fmt: skip
    whole = detector(records)
    findings = [whole.observe(index, body) for index, body in enumerate(records)]
    again = detector(records)
    for index, body in enumerate(records[:split]):
        again.observe(index, body)
    rest = enumerate(records[split:], split)
    assert [again.observe(index, body) for index, body in rest] == findings[split:]
