"""What the records answer: each question, with a period, and in one pass. Bodies are as records have them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.report import Reporting
from keybroker.ledger.report_acts import SIGNED_STEP
from keybroker.ledger.report_model import Answers, Grain, Period
from tests.ledger.told_records import CALLER, MONDAY, Body, a_closed, a_refusal, a_year, an_act, an_intent, an_outcome

NEXT = MONDAY + timedelta(days=1)


def answers(*records: Body, period: Period | None = None) -> Answers:
    reporting = Reporting(period=period or Period())
    for index, body in enumerate(records):
        reporting.observe(index, body)
    return reporting.answers()


def test_a_ledger_without_records_answers_nothing() -> None:
    found = answers()
    assert (found.records, found.uses, found.refusals, found.users, found.ceremonies) == (0, (), (), (), ())


def test_uses_are_gathered_by_day_and_purpose_with_its_clause_and_how_they_ended() -> None:
    found = answers(
        an_intent(),
        an_outcome(0),
        an_intent(),
        an_outcome(2, state="failed"),
        an_intent(),
        a_closed(4),
        an_intent(),
        an_intent(NEXT, purpose="issuing-oca", key="oca"),
        an_outcome(7, state="made"),
    )
    first, second = found.uses
    assert (first.when, first.purpose, first.clause) == ("2026-03-02", "supplier-pre-command", "G3.29")
    assert (first.uses, first.made, first.failed, first.unknown, first.open) == (4, 1, 1, 1, 1)
    assert (second.when, second.purpose, second.uses, second.made) == ("2026-03-03", "issuing-oca", 1, 1)


@pytest.mark.parametrize(
    ("grain", "when"), [(Grain.HOUR, "2026-03-02T10"), (Grain.DAY, "2026-03-02"), (Grain.MONTH, "2026-03")]
)
def test_time_is_gathered_as_it_is_asked(grain: Grain, when: str) -> None:
    (row,) = answers(an_intent(), period=Period(grain=grain)).uses
    assert row.when == when


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    records = [an_intent(MONDAY - timedelta(microseconds=1)), an_intent(), an_intent(NEXT)]
    found = answers(*records, period=Period(since=MONDAY, until=NEXT))
    assert (found.records, found.within, sum(row.uses for row in found.uses)) == (3, 1, 1)
    assert found.key_uses == (("supplier-a", 3),)


def test_an_outcome_after_the_period_is_of_the_use_that_began_in_it() -> None:
    (row,) = answers(an_intent(), an_outcome(0, NEXT), period=Period(until=NEXT)).uses
    assert (row.made, row.open) == (1, 0)


def test_refusals_by_reason_clause_and_caller_the_most_frequent_first() -> None:
    local: Body = {"act": "SuspendKey", "actor": {"identity": "local:ann"}, "reason": "PERSON_MAY_NOT_ACT"}
    malformed = a_refusal(reason="CONTENT_MALFORMED", findings=[])
    found = answers(malformed, a_refusal(), a_refusal(NEXT), {**a_refusal(), "body": local})
    rows = [(row.reason, row.clause, row.caller, row.what, row.count) for row in found.refusals]
    assert rows == [
        ("NOT_PERMITTED", "G3.29", CALLER, "SignPreCommand", 2),
        ("CONTENT_MALFORMED", "", CALLER, "SignPreCommand", 1),
        ("PERSON_MAY_NOT_ACT", "", "local:ann", "SuspendKey", 1),
    ]
    assert found.refusals[0].last.startswith("2026-03-03")


def test_a_refusal_of_the_rules_is_reported_by_their_clauses_whatever_the_gates_found_beside_them() -> None:
    failed: Json = {"clause": "G3.29", "expected": "a", "found": "b", "rule": "message-code-for-purpose"}
    gate: Json = {"clause": "G3.25", "expected": "c", "found": "d", "reason": "CHECK_MISSING", "rule": "a-gate"}
    found = answers(
        a_refusal(), a_refusal(findings=[failed, gate]), a_refusal(reason="CHECK_NOT_SHOWN", findings=[gate])
    )
    assert [(row.reason, row.clause, row.count) for row in found.refusals] == [
        ("NOT_PERMITTED", "G3.29", 2),
        ("CHECK_NOT_SHOWN", "G3.25", 1),
    ]


def test_who_used_which_key_and_had_what_given_again() -> None:
    other: Body = {"identity": "uri:urn:other", "kind": "user-system", "system": "s"}
    again: Body = {**an_intent(NEXT), "kind": "release", "outcome": 1}
    again.pop("purpose")
    found = answers(an_intent(), an_outcome(0), again, an_intent(caller=other))
    rows = [(row.caller, row.uses, row.again) for row in found.users]
    assert rows == [(CALLER, 1, 1), ("uri:urn:other", 1, 0)]
    assert {(row.key, row.purpose, row.party) for row in found.users} == {
        ("supplier-a", "supplier-pre-command", "supplier-a")
    }


def test_a_ceremony_tells_its_people_and_ends_though_it_began_before_the_period() -> None:
    begun = an_act("BeginCeremony", ceremony="c", ceremony_kind="split", side="here", keys=["a"])
    step = an_act("ConcludeCeremonyStep", NEXT, ceremony="c", number=1, signatures={"ben": "x", "ada": "x"})
    end = an_act("EndCeremony", NEXT, ceremony="c")
    (row,) = answers(begun, step, end, period=Period(since=NEXT)).ceremonies
    assert (row.name, row.kind, row.state, row.steps, row.keys) == ("c", "split", "done", 1, ("a",))
    assert row.people == ("ada", "ben")
    assert answers(begun, step, end, period=Period(since=NEXT + timedelta(days=1))).ceremonies == ()
    people = answers(begun, step, end).people
    assert [(each.person, each.act) for each in people] == [("ada", SIGNED_STEP), ("ben", SIGNED_STEP)]


def test_people_are_those_who_ordered() -> None:
    one: Json = {"attester": "ann"}
    two: Json = {"attester": "bob"}
    found = answers(
        an_act("CompromiseKey", order=one, second_order=two),
        an_act("RestoreLedger", orders=[one, two], by=1),
        an_act("Reload", order="00", person="ann"),
    )
    rows = [(each.person, each.act) for each in found.people]
    assert rows == [
        ("ann", "CompromiseKey"),
        ("ann", "Reload"),
        ("ann", "RestoreLedger"),
        ("bob", "CompromiseKey"),
        ("bob", "RestoreLedger"),
    ]


def test_events_and_reviews_are_told_as_they_are_on_record() -> None:
    event: Body = {"detector": "burst", "expected": "few", "found": "many", "record": 0, "subject": "a"}
    review: Body = {"up_to": 1, "marked": [0], "because": "weekly", "order": {"attester": "auditor-1"}}
    found = answers(an_intent(), an_act("AnomalousEvent", **event), an_act("ReviewLedger", **review))
    assert [(row.event, row.detector, row.record) for row in found.anomalies] == [(1, "burst", 0)]
    assert [(row.record, row.person, row.up_to, row.marked) for row in found.reviews] == [(2, "auditor-1", 1, (0,))]


@given(st.integers(min_value=1, max_value=9), st.integers(min_value=1, max_value=12))
def test_nothing_is_lost_between_the_records_and_the_answers(days: int, uses: int) -> None:
    """Every use, outcome and refusal is in one line of each answer that counts them."""
    records = list(a_year(days, uses))
    kinds = Counter(str(body["kind"]) for body in records)
    found = answers(*records)
    assert sum(row.uses for row in found.uses) == sum(row.uses for row in found.users) == kinds["intent"]
    assert sum(row.made + row.failed for row in found.uses) == kinds["outcome"]
    assert sum(row.count for row in found.refusals) == kinds["refusal"]
    assert sum(count for _, count in found.key_uses) == kinds["intent"]
