"""People, at random: no engagement ever makes a refused person allowed, and time frees whom a refusal says it frees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.terms import Finding, RelevantSystem
from tests.gates.people_cases import (
    CLERK,
    COOLING_OFF,
    DAY,
    DEVELOPMENT,
    ENGAGED,
    EXCLUDED,
    FOREVER,
    PRIVILEGED,
    SECOND,
    Engaged,
    Scene,
    alex,
    held,
    located,
    seconds,
    shortened,
    with_engagements,
)
from tests.gates.people_scene import until_of
from tests.situations import AT

EXCLUSIONS = {case.rule for case in EXCLUDED}


# Whatever the engagements.
MOMENTS = st.integers(min_value=seconds(AT - 1200 * DAY), max_value=seconds(AT + 1200 * DAY))
ENGAGEMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "system": st.sampled_from([each.value for each in RelevantSystem]),
            "activity": st.sampled_from([PRIVILEGED, DEVELOPMENT, ENGAGED]),
            "since": MOMENTS,
            "until": st.none() | MOMENTS,
        }
    ),
    max_size=6,
)
OPINIONS = st.lists(
    st.builds(
        lambda until, issued, lasts: shortened(
            datetime.fromtimestamp(until, UTC), at=datetime.fromtimestamp(issued, UTC), exp=issued + lasts
        ),
        until=MOMENTS,
        issued=MOMENTS,
        lasts=st.integers(min_value=1, max_value=86_400 * 2000),
    ),
    max_size=3,
)
SCENES = st.builds(
    lambda system, engagements, opinions, privileged: Scene(
        system=system,
        statements=(
            alex(*engagements, exp=FOREVER),
            located(exp=FOREVER),
            *(held(opinion, CLERK) for opinion in opinions),
        ),
        privileged=privileged,
    ),
    system=st.sampled_from(RelevantSystem),
    engagements=ENGAGEMENTS,
    opinions=OPINIONS,
    privileged=st.booleans(),
)


def excluding(scene: Scene) -> dict[str, Finding]:
    return {rule: finding for rule, finding in scene.refusing().items() if rule in EXCLUSIONS}


@pytest.mark.clause("G2.23", "G2.24", "G3.12", "G3.13", shows="refusal")
@given(scene=SCENES, more=ENGAGEMENTS)
def test_another_engagement_never_makes_a_refused_person_allowed(scene: Scene, more: list[Engaged]) -> None:
    said = scene.statements[0].payload
    engagements = [*said.model_dump()["engagements"], *more]
    added = replace(scene, statements=(alex(*engagements, exp=FOREVER), *scene.statements[1:]))
    assert set(scene.refusing()) <= set(added.refusing())


@given(scene=SCENES, more=ENGAGEMENTS)
def test_what_another_attester_adds_never_makes_a_refused_person_allowed(scene: Scene, more: list[Engaged]) -> None:
    lapsed = alex(*more, at=AT - 800 * DAY, by=CLERK)
    added = replace(scene, statements=(lapsed, *scene.statements))
    assert set(scene.refusing()) <= set(added.refusing())


@given(scene=SCENES)
def test_at_the_moment_that_a_refusal_names_it_refuses_for_that_no_more_and_not_before(scene: Scene) -> None:
    for rule, finding in excluding(scene).items():
        free = until_of(finding)
        if free is None:
            assert "while that lasts" in finding.found
            continue
        assert free > AT
        assert rule not in replace(scene, at=free).refusing()
        assert rule in replace(scene, at=free - SECOND).refusing()


@pytest.mark.clause("G2.23", "G2.24", "G3.12", "G3.13", shows="acceptance")
@given(scene=SCENES)
def test_time_frees_whoever_is_engaged_nowhere_any_more(scene: Scene) -> None:
    said = scene.statements[0].payload.model_dump()["engagements"]
    over = [each for each in said if each["until"] is not None]
    last = max((max(each["since"], each["until"]) for each in over), default=seconds(AT))
    later = datetime.fromtimestamp(last, UTC) + timedelta(days=2 * 366 + 1) + COOLING_OFF
    after = replace(scene, statements=(alex(*over, exp=FOREVER), *scene.statements[1:]), at=later)
    assert excluding(after) == {}


@pytest.mark.clause("G2.22B(c)", shows="refusal")
@given(scene=SCENES)
def test_an_opinion_shortens_what_a_developer_waits_and_nothing_else(scene: Scene) -> None:
    without = replace(scene, statements=scene.statements[:2])
    changed = {
        rule
        for rule in {*scene.refusing(), *without.refusing()}
        if scene.refusing().get(rule) != without.refusing().get(rule)
    }
    assert changed <= {"person-developed-elsewhere"}
    assert set(scene.refusing()) <= set(without.refusing())


@pytest.mark.clause("G4.8", shows="refusal")
@given(engagements=ENGAGEMENTS, system=st.sampled_from(RelevantSystem))
def test_what_is_not_a_privileged_act_is_never_refused_more(engagements: list[Engaged], system: RelevantSystem) -> None:
    scene = with_engagements(system, *engagements)
    assert set(replace(scene, privileged=False).refusing()) <= set(scene.refusing())
