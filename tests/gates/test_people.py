"""People: every way in which one may not act, its clause and its date; then the ways in which one may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from keybroker.errors import PersonMayNotAct
from keybroker.gates.people import PeopleSettings, check_may_act
from keybroker.gates.people.months import months_after
from keybroker.statement.payloads import CommitteeOpinion
from keybroker.statement.statement import Statement
from keybroker.terms import RelevantSystem
from tests.gates.people_cases import (
    ACCEPTED,
    ALEX,
    CLERK,
    DAY,
    DCC_B,
    DCC_C,
    DEVELOPMENT,
    ENGAGED,
    EXCLUDED,
    PRIVILEGED,
    REFUSALS,
    SECOND,
    USERS,
    WITHDRAWN_OFFICER,
    Case,
    Engaged,
    Scene,
    alex,
    held,
    located,
    seconds,
    shortened,
    stay,
    with_engagements,
)
from tests.gates.people_scene import until_of
from tests.situations import AT

EXCLUSIONS = {case.rule for case in EXCLUDED}


@pytest.mark.clause(
    "G1.2",
    "G1.3",
    "G2.22B(c)",
    "G2.22B(d)",
    "G2.23",
    "G2.24",
    "G3.12",
    "G3.13",
    "G3.23",
    "G3.24",
    "G4.1",
    "G4.2",
    "G4.3",
    "G4.4",
    "G4.5",
    "G4.6",
    "G4.7",
    "G4.8",
    shows="refusal",
)
@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_a_person_and_tells_what_it_found_under_which_clause(case: Case) -> None:
    refusing = case.scene.refusing()
    assert list(refusing) == [case.rule]
    finding = refusing[case.rule]
    assert (finding.clause, finding.reason) == (case.clause, case.reason)
    assert case.found in finding.found
    assert finding.expected
    assert finding.remedy


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_the_refusal_tells_clause_and_finding_in_one_sentence(case: Case) -> None:
    with pytest.raises(PersonMayNotAct, match=r"^alex may not act: ") as refusal:
        check_may_act(ALEX, **case.scene.asked())
    assert refusal.value.clause == case.clause
    assert refusal.value.findings == case.scene.findings()
    assert f"({case.clause}); " in refusal.value.sentence
    assert case.found in refusal.value.sentence


def test_the_sentence_tells_the_first_refusal_and_counts_the_others() -> None:
    with pytest.raises(PersonMayNotAct, match=r"^alex may not act: person-enrolled: .* \(3 more findings refuse\)$"):
        check_may_act(ALEX, **Scene(attesters=(), statements=(alex(stay(DCC_C, ENGAGED)),)).asked())


@pytest.mark.clause(
    "G1.2",
    "G1.3",
    "G2.22B(c)",
    "G2.22B(d)",
    "G2.23",
    "G2.24",
    "G3.12",
    "G3.13",
    "G4.1",
    "G4.2",
    "G4.3",
    "G4.4",
    "G4.5",
    "G4.6",
    "G4.7",
    "G4.8",
    shows="acceptance",
)
@pytest.mark.parametrize("scene", ACCEPTED.values(), ids=ACCEPTED)
def test_accepts_at_the_edge(scene: Scene) -> None:
    assert scene.refusing() == {}
    check_may_act(ALEX, **scene.asked())


@pytest.mark.parametrize(
    ("system", "rules"),
    [
        (USERS, {"person-independent"}),
        (RelevantSystem.DCC_LIVE_SYSTEMS_A, {"person-security-checked", "person-independent", "person-separated"}),
        (DCC_B, {"person-security-checked", *EXCLUSIONS}),
        (DCC_C, {"person-security-checked", *EXCLUSIONS}),
    ],
)
def test_looks_at_the_clauses_that_bind_the_deployments_system(system: RelevantSystem, rules: set[str]) -> None:
    common = {"person-enrolled", "person-vouched-for", "person-has-role", "person-cleared", "person-screened"}
    looked = {finding.rule for finding in Scene(system=system, in_united_kingdom=False).findings()}
    assert looked == common | rules
    assert {finding.rule for finding in Scene(system=system).findings()} - looked == {"person-in-united-kingdom"}


def test_the_cases_refuse_by_every_finding_there_is() -> None:
    every = {finding.rule for system in RelevantSystem for finding in Scene(system=system).findings()}
    assert {case.rule for case in REFUSALS} == every


def test_evidence_from_before_a_restore_vouches_for_nobody_but_is_not_forgotten() -> None:
    refusing = with_engagements(DCC_B, stay(DCC_C, PRIVILEGED), restored_at=AT - SECOND).refusing()
    assert {rule: finding.reason for rule, finding in refusing.items()} == {
        "person-vouched-for": "STATEMENT_BEFORE_RESTORE",
        "person-privileged-elsewhere": "PERSON_PRIVILEGED_ELSEWHERE",
        "person-separated": "PERSON_PRIVILEGED_TWICE",
        "person-in-united-kingdom": "STATEMENT_BEFORE_RESTORE",
    }


# Exclusions outlive the statements that told of the engagement.

_OLD = AT - 500 * DAY
_THERE = stay(DCC_C, DEVELOPMENT, since=AT - 700 * DAY)
_ENDED = stay(DCC_C, DEVELOPMENT, since=AT - 700 * DAY, until=AT - 600 * DAY)
_LONG_OVER = stay(DCC_C, DEVELOPMENT, since=AT - 2000 * DAY, until=AT - 1000 * DAY)


@pytest.mark.clause("G2.22B(d)", shows="refusal")
@pytest.mark.parametrize(
    ("statements", "until"),
    [
        ([alex(_ENDED, at=_OLD), alex()], "2026-05-25"),
        ([alex(_ENDED, at=_OLD)], "2026-05-25"),
        ([alex(_THERE, at=_OLD), alex()], None),
        ([alex(_THERE, at=_OLD), alex(_ENDED)], "2026-05-25"),
        ([alex(_ENDED), alex(_THERE, at=_OLD)], "2026-05-25"),
        ([alex(_THERE), alex(_ENDED, by=ALEX, at=AT)], None),
        ([alex(_THERE, _ENDED)], None),
        ([alex(_ENDED, _THERE)], None),
        ([alex(_LONG_OVER), alex(_ENDED, by=CLERK)], "2026-05-25"),
    ],
)
def test_an_engagement_is_remembered_until_somebody_else_says_when_it_ended(
    statements: Sequence[Statement], until: str | None
) -> None:
    finding = Scene(system=DCC_B, statements=(*statements, located())).refusing()["person-developed-elsewhere"]
    assert str(until_of(finding))[:10] == str(until)


def test_of_two_statements_of_one_second_what_came_last_says_until_when_somebody_was_engaged() -> None:
    ended, lasting = alex(_LONG_OVER), alex(_LONG_OVER | {"until": None}, by=CLERK)
    assert "person-developed-elsewhere" in Scene(system=DCC_B, statements=(ended, lasting, located())).refusing()
    assert "person-developed-elsewhere" not in Scene(system=DCC_B, statements=(lasting, ended, located())).refusing()


@pytest.mark.clause("G2.22B(d)", shows="refusal")
def test_what_a_withdrawn_attester_said_frees_nobody_and_still_excludes() -> None:
    there = _LONG_OVER | {"until": None}
    said = (alex(there, by=CLERK, at=_OLD), alex(_LONG_OVER), located(by=CLERK))
    assert "person-developed-elsewhere" not in Scene(system=DCC_B, statements=said).refusing()
    doubted = Scene(system=DCC_B, statements=said, attesters=WITHDRAWN_OFFICER).refusing()
    assert until_of(doubted["person-developed-elsewhere"]) is None
    alone = Scene(system=DCC_B, statements=(alex(_THERE), alex(by=CLERK)), attesters=WITHDRAWN_OFFICER).refusing()
    assert "person-developed-elsewhere" in alone


def test_what_a_person_says_of_himself_neither_frees_nor_excludes() -> None:
    own = alex(stay(DCC_C, DEVELOPMENT), stay(DCC_C, PRIVILEGED), stay(USERS, ENGAGED), by=ALEX, at=AT)
    assert Scene(system=DCC_B, statements=(alex(), located(), own)).refusing() == {}


def test_an_engagement_that_ends_before_it_begins_is_over_when_it_begins() -> None:
    said = stay(DCC_C, PRIVILEGED, since=AT - DAY, until=AT - 300 * DAY)
    finding = with_engagements(DCC_B, said).refusing()["person-privileged-elsewhere"]
    assert until_of(finding) == months_after(AT - DAY, 6)


def test_the_moment_named_is_after_engagements_that_are_still_to_come() -> None:
    first = stay(DCC_C, PRIVILEGED, until=AT - DAY)
    second = stay(DCC_C, PRIVILEGED, since=AT + 30 * DAY, until=AT + 60 * DAY)
    finding = with_engagements(DCC_B, first, second).refusing()["person-privileged-elsewhere"]
    assert until_of(finding) == months_after(AT + 60 * DAY, 6)


# What the Security Sub-Committee approved, and what it did not.

_LEFT = stay(DCC_C, DEVELOPMENT, until=AT - 30 * DAY)
_FULL = months_after(AT - 30 * DAY, 24)


@pytest.mark.clause("G2.22B(c)", shows="refusal")
@pytest.mark.parametrize(
    ("engagement", "opinion", "by", "until"),
    [
        (_LEFT, shortened(AT + 30 * DAY), CLERK, AT + 30 * DAY),
        (_LEFT, shortened(_FULL + DAY), CLERK, _FULL),
        (_LEFT, shortened(None), CLERK, _FULL),
        (_LEFT, shortened(AT), ALEX, _FULL),
        (_LEFT, shortened(AT, subject="sam"), CLERK, _FULL),
        (_LEFT, shortened(AT, committee="smki-pma"), CLERK, _FULL),
        (_LEFT, shortened(AT, about="threshold-consulted"), CLERK, _FULL),
        (_LEFT, shortened(AT, at=AT - DAY, exp=seconds(AT)), CLERK, _FULL),
        (_LEFT, shortened(AT + 30 * DAY, at=AT - DAY, exp=seconds(AT + DAY)), CLERK, _FULL),
        (_LEFT, shortened(AT - 30 * DAY, at=AT - 31 * DAY), CLERK, _FULL),
        (_LEFT, shortened(AT, at=AT - 401 * DAY), CLERK, _FULL),
        (stay(DCC_C, DEVELOPMENT), shortened(AT), CLERK, None),
    ],
)
def test_a_shorter_period_is_what_the_security_sub_committee_approved_and_no_other(
    engagement: Engaged, opinion: CommitteeOpinion, by: str, until: datetime | None
) -> None:
    scene = Scene(system=DCC_B, statements=(alex(engagement), located(), held(opinion, by)))
    assert until_of(scene.refusing()["person-developed-elsewhere"]) == until


def test_the_last_opinion_counts_and_an_earlier_one_does_not_come_back() -> None:
    earlier, later = shortened(AT - DAY, at=AT - 20 * DAY), shortened(AT + DAY, at=AT - 10 * DAY, exp=seconds(AT))
    scene = Scene(system=DCC_B, statements=(alex(_LEFT), located(), held(later), held(earlier)))
    assert until_of(scene.refusing()["person-developed-elsewhere"]) == _FULL
    assert until_of(replace(scene, at=AT - SECOND).refusing()["person-developed-elsewhere"]) == _FULL


@pytest.mark.clause("G2.22B(c)", shows="acceptance")
def test_a_pass_tells_the_opinion_that_it_rests_on() -> None:
    (finding,) = [
        finding
        for finding in ACCEPTED["shortened by the Security Sub-Committee"].findings()
        if finding.rule == "person-developed-elsewhere"
    ]
    told = "period approved until 2026-01-15T12:00:00Z by the Security Sub-Committee, SSC 2026-01"
    assert finding.found == told


# Calendar months.


@pytest.mark.clause("G2.22B(d)", shows="acceptance")
@pytest.mark.parametrize(
    ("ceased", "months", "free"),
    [
        ("2026-01-15T12:00:00", 6, "2026-07-15T12:00:00"),
        ("2026-01-15T12:00:00", 24, "2028-01-15T12:00:00"),
        ("2026-07-01T00:00:00", 6, "2027-01-01T00:00:00"),
        ("2026-12-31T23:59:59", 6, "2027-07-01T00:00:00"),
        ("2026-08-31T10:00:00", 6, "2027-03-01T00:00:00"),
        ("2026-08-28T10:00:00", 6, "2027-02-28T10:00:00"),
        ("2027-08-29T10:00:00", 6, "2028-02-29T10:00:00"),
        ("2027-08-30T10:00:00", 6, "2028-03-01T00:00:00"),
        ("2028-02-29T10:00:00", 6, "2028-08-29T10:00:00"),
        ("2028-02-29T10:00:00", 24, "2030-03-01T00:00:00"),
        ("2026-02-28T10:00:00", 24, "2028-02-28T10:00:00"),
    ],
)
def test_calendar_months_end_on_the_same_day_or_with_the_month(ceased: str, months: int, free: str) -> None:
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (ceased, free)]
    assert months_after(moments[0], months) == moments[1]


@pytest.mark.clause("G2.22B(c)", shows="acceptance")
@pytest.mark.parametrize("ceased", [AT - 3 * DAY, datetime(2027, 8, 31, 10, tzinfo=UTC)])
def test_is_excluded_until_the_moment_named_and_free_from_it_on(ceased: datetime) -> None:
    scene = with_engagements(DCC_B, stay(DCC_C, PRIVILEGED, until=ceased))
    free = months_after(ceased, 6)
    assert "person-privileged-elsewhere" in replace(scene, at=free - SECOND).refusing()
    assert "person-privileged-elsewhere" not in replace(scene, at=free).refusing()


def test_a_cooling_off_of_less_than_nothing_is_no_setting() -> None:
    with pytest.raises(ValueError, match="cooling_off: expected no time or more"):
        PeopleSettings(system=USERS, cooling_off=-SECOND)
