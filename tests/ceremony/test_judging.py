"""What a plan is refused for, before anybody enters the room: each fault by its own reason, and with its clause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.ceremony.judging import check_plan, judge_plan
from keybroker.ceremony.judging_approvals import demanded_approvals
from keybroker.ceremony.judging_people import judge_people
from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile, Quorum, Role, Side, read_plan
from keybroker.ceremony.plan_writing import plan_text
from keybroker.ceremony.scene import Scene
from keybroker.cli.ceremony_hall import scene_of
from keybroker.config import read_configuration
from keybroker.errors import ConfigurationInvalid, NotPermitted
from keybroker.statement.payloads import Location
from keybroker.statement.standing import Standing
from keybroker.terms import DeploymentKind, KeyPurpose, KeyState
from tests.ceremony.plans import a_key, a_plan, written
from tests.deployments import prepare_rehearsal
from tests.situations import packaged_policies

pytestmark = pytest.mark.hsm

Change = Callable[[Plan], dict[str, Any]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanFile, Scene]:
    """A split that is fit, and the scene in which it is."""
    directory = tmp_path_factory.mktemp("judged")
    rehearsal = prepare_rehearsal(a_plan(CeremonyKind.SPLIT, a_key(KeyPurpose.RECOVERY_COMMAND, "recovery")), directory)
    return read_plan(rehearsal.plan.read_bytes()), scene_of(
        read_configuration(rehearsal.configurations[Side.HERE]), Side.HERE
    )


def reasons(plan_file: PlanFile, scene: Scene) -> set[str]:
    return {finding.reason for finding in judge_plan(plan_file, scene) if not finding.passed}


def test_the_plan_that_everything_below_is_made_of_is_fit(judged: tuple[PlanFile, Scene]) -> None:
    plan_file, scene = judged
    assert all(finding.passed and finding.clause for finding in check_plan(plan_file, scene))


def custodians(plan: Plan) -> list[Any]:
    return [person for person in plan.people if person.role is Role.CUSTODIAN]


def others(plan: Plan) -> list[Any]:
    return [person for person in plan.people if person.role is not Role.CUSTODIAN]


FAULTS: dict[str, tuple[Change, str]] = {
    "no quorum": (lambda _: {"quorum": None}, "QUORUM_MISSING"),
    "a quorum of none": (lambda _: {"quorum": Quorum(threshold=0, count=3)}, "QUORUM_UNSOUND"),
    "a quorum of one": (lambda _: {"quorum": Quorum(threshold=1, count=3)}, "QUORUM_UNSOUND"),
    "more than there are": (lambda _: {"quorum": Quorum(threshold=4, count=3)}, "QUORUM_UNSOUND"),
    "seventeen": (lambda _: {"quorum": Quorum(threshold=2, count=17)}, "QUORUM_UNSOUND"),
    "a custodian too few": (lambda plan: {"people": (*others(plan), *custodians(plan)[1:])}, "CUSTODIANS_NOT_AS_MANY"),
    "a custodian twice": (
        lambda plan: {"people": (*others(plan), *custodians(plan)[1:], custodians(plan)[1])},
        "PERSON_TWICE",
    ),
    "the administrator is a custodian": (
        lambda plan: {
            "people": (
                *others(plan),
                *custodians(plan)[1:],
                plan.in_role(Role.ADMINISTRATOR)[0].model_copy(update={"role": Role.CUSTODIAN}),
            )
        },
        "PERSON_TWICE",
    ),
    "no witness": (
        lambda plan: {"people": tuple(each for each in plan.people if each.role is not Role.WITNESS)},
        "ROLE_NOT_FILLED",
    ),
    "a custodian who cannot receive": (
        lambda plan: {
            "people": (
                *others(plan),
                *custodians(plan)[1:],
                custodians(plan)[0].model_copy(update={"receiving_sha256": None}),
            )
        },
        "RECEIVING_MISSING",
    ),
    "nobody knows him": (
        lambda plan: {
            "people": (
                *others(plan),
                *custodians(plan)[1:],
                custodians(plan)[0].model_copy(update={"name": "stranger"}),
            )
        },
        "PERSON_NOT_ENROLLED",
    ),
    "another certificate": (
        lambda plan: {
            "people": (
                *others(plan),
                *custodians(plan)[1:],
                custodians(plan)[0].model_copy(update={"signing_sha256": "ab" * 32}),
            )
        },
        "PERSON_NOT_ENROLLED",
    ),
    "an approval is not demanded": (lambda plan: {"approvals": plan.approvals[1:]}, "APPROVAL_NOT_DEMANDED"),
    "no approval is demanded": (lambda _: {"approvals": ()}, "APPROVAL_NOT_DEMANDED"),
    "one letter is another": (lambda plan: {"reason": plan.reason + "!"}, "APPROVAL_NOT_ON_RECORD"),
    "a step is left out": (lambda plan: {"steps": plan.steps[:-2] + plan.steps[-1:]}, "STEPS_DIFFER"),
    "no steps": (lambda _: {"steps": ()}, "STEPS_DIFFER"),
    "no keys": (lambda _: {"keys": ()}, "KEYS_UNCLEAR"),
    "an unknown key": (lambda plan: {"keys": (plan.keys[0].model_copy(update={"label": "another"}),)}, "KEY_UNKNOWN"),
    "another fingerprint": (
        lambda plan: {"keys": (plan.keys[0].model_copy(update={"public_key_sha256": "ab" * 32}),)},
        "ANOTHER_KEY",
    ),
    "a key that is never split": (
        lambda plan: {"keys": (plan.keys[0].model_copy(update={"purpose": KeyPurpose.SUPPLIER_PRE_COMMAND}),)},
        "KEY_NOT_SPLITTABLE",
    ),
    "another module": (
        lambda plan: {"modules": (plan.modules[0].model_copy(update={"serial": "another"}),)},
        "ANOTHER_MODULE",
    ),
    "no module": (lambda _: {"modules": ()}, "MODULES_DIFFER"),
    "two copies": (
        lambda plan: {"split": plan.split and plan.split.model_copy(update={"copies": 2})},
        "COPIES_TOO_FEW",
    ),
    "one site twice": (
        lambda plan: {"split": plan.split and plan.split.model_copy(update={"sites": ("a", "a")})},
        "COPIES_TOO_FEW",
    ),
    "no terms of a split": (lambda _: {"split": None}, "TERMS_DIFFER"),
    "over": (lambda plan: {"valid_until": plan.valid_from + timedelta(minutes=1)}, "PLAN_NOT_IN_FORCE"),
}


@pytest.mark.clause("G2.56", "G2.60", "G2.61", shows="refusal")
@pytest.mark.parametrize(("change", "reason"), FAULTS.values(), ids=FAULTS)
def test_refuses(judged: tuple[PlanFile, Scene], change: Change, reason: str) -> None:
    plan_file, scene = judged
    faulty = written(plan_file.plan.model_copy(update=change(plan_file.plan)))
    found = {finding.reason: finding for finding in judge_plan(faulty, scene) if not finding.passed}
    assert reason in found
    assert found[reason].clause
    assert found[reason].expected
    assert found[reason].remedy
    with pytest.raises(NotPermitted):
        check_plan(faulty, scene)


SCENES: dict[str, tuple[Callable[[Scene], Scene], str]] = {
    "a key in another ceremony": (lambda scene: replace(scene, busy={"recovery": "another"}), "KEY_IN_A_CEREMONY"),
    "a key that is split already": (
        lambda scene: replace(scene, keys={"recovery": replace(scene.keys["recovery"], state=KeyState.SPLIT)}),
        "KEY_STATE_UNFIT",
    ),
    "a clearance that nobody reviewed for a year": (
        lambda scene: replace(scene, at=scene.at + timedelta(days=399)),
        "PLAN_NOT_IN_FORCE",
    ),
    "a rehearsal's plan in a live deployment": (
        lambda scene: replace(scene, deployment=DeploymentKind.LIVE),
        "PLAN_REHEARSES",
    ),
}


@pytest.mark.parametrize(("change", "reason"), SCENES.values(), ids=SCENES)
def test_refuses_in_another_scene(
    judged: tuple[PlanFile, Scene], change: Callable[[Scene], Scene], reason: str
) -> None:
    plan_file, scene = judged
    assert reason in reasons(plan_file, change(scene))


def test_a_lapsed_clearance_is_found_with_its_clause(judged: tuple[PlanFile, Scene]) -> None:
    plan_file, scene = judged
    later = replace(scene, at=scene.at + timedelta(days=380))
    found = [each for each in judge_plan(plan_file, later) if not each.passed and each.clause.startswith("G4")]
    assert found


ABROAD, NOWHERE = "admin-1", "witness-1"


def scattered(standing: Standing) -> Standing:
    """One of two people is stated to be abroad, of the other nobody states where he is."""
    moved = []
    for each in standing.statements:
        said = each.payload
        if not isinstance(said, Location) or said.subject not in (ABROAD, NOWHERE):
            moved.append(each)
        elif said.subject == ABROAD:
            moved.append(replace(each, payload=said.model_copy(update={"country": "FR"})))
    return replace(standing, statements=tuple(moved))


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
@pytest.mark.clause("G3.23", "G3.24", shows="acceptance")
def test_people_of_a_ceremony_on_a_key_in_scope_are_in_the_united_kingdom_and_on_another_wherever_they_are(
    judged: tuple[PlanFile, Scene],
) -> None:
    plan_file, scene = judged
    people = tuple(each for each in plan_file.plan.people if each.name in (ABROAD, NOWHERE))
    away = replace(scene, standing=scattered(scene.standing), policies=packaged_policies())

    def refusals(purpose: KeyPurpose, scene: Scene) -> list[tuple[str, str, str]]:
        plan = a_plan(CeremonyKind.GENERATE, a_key(purpose, "new")).plan.model_copy(update={"people": people})
        findings = judge_people(plan, scene)
        return [(each.clause, each.reason, each.expected) for each in findings if not each.passed]

    expected = "location evidence in force that {} is in the United Kingdom, by another attester"
    assert refusals(KeyPurpose.SUPPLIER_PRE_COMMAND, away) == [
        ("G3.23", "PERSON_NOT_IN_UNITED_KINGDOM", expected.format(ABROAD)),
        ("G3.23", "PERSON_LOCATION_NOT_SHOWN", expected.format(NOWHERE)),
    ]
    assert refusals(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, away) == []
    assert refusals(KeyPurpose.SUPPLIER_PRE_COMMAND, replace(away, standing=scene.standing)) == []


@pytest.mark.clause("G2.22I(a)(i)", "G2.22I(a)(ii)", shows="refusal")
def test_who_requested_it_cannot_approve_it(judged: tuple[PlanFile, Scene]) -> None:
    """By the officer all approvals of the rehearsal are."""
    plan_file, scene = judged
    plan = written(plan_file.plan.model_copy(update={"requested_by": "evidence-officer"}))
    found = [each for each in judge_plan(plan, scene) if each.reason == "APPROVAL_NOT_ON_RECORD"]
    assert found


@pytest.mark.clause("G2.22I(a)(i)", "G2.22I(a)(ii)", shows="refusal")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_configuration_is_fit_without_its_quorum_and_every_approval(
    judged: tuple[PlanFile, Scene], data: st.DataObject
) -> None:
    """Whatever is left out, doubled or counted otherwise: what is fit has M of 2 or more and all that it needs."""
    plan_file, scene = judged
    plan = plan_file.plan
    quorum = st.none() | st.builds(Quorum.model_construct, threshold=st.integers(-1, 18), count=st.integers(-1, 18))
    changed = plan.model_copy(
        update={
            "kind": data.draw(st.sampled_from(CeremonyKind)),
            "quorum": data.draw(quorum),
            "approvals": tuple(data.draw(st.lists(st.sampled_from(plan.approvals), max_size=4))),
            "people": tuple(data.draw(st.lists(st.sampled_from(plan.people), max_size=8))),
        }
    )
    # Its own digest is that of the plan that was approved: only what the plan says is left to refuse it.
    findings = judge_plan(PlanFile(plan=changed, octets=plan_file.octets), scene)
    if all(finding.passed for finding in findings):
        assert changed.quorum is not None
        assert 2 <= changed.quorum.threshold <= changed.quorum.count <= 16
        assert demanded_approvals(changed).items() <= {each.about: each.committee for each in changed.approvals}.items()
        assert len({person.name for person in changed.people}) == len(changed.people)


UNREADABLE: dict[str, Callable[[str], str]] = {
    "an unknown key": lambda text: text + "\nforce = true\n",
    "a missing name": lambda text: text.replace('name = "split-recovery"\n', "", 1),
    "a mistyped quorum": lambda text: text.replace("threshold = 2", 'threshold = "2"'),
    "a moment without its offset": lambda text: text.replace("Z\nvalid_until", "\nvalid_until"),
    "an unknown kind": lambda text: text.replace('kind = "split"', 'kind = "clone"'),
    "an unknown role": lambda text: text.replace('role = "internal-witness"', 'role = "friend"'),
    "no TOML": lambda text: text + "]",
    "too long": lambda text: text + "#" * 70_000,
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_refuses_to_read(judged: tuple[PlanFile, Scene], change: Callable[[str], str]) -> None:
    text = plan_text(judged[0].plan)
    assert change(text) != text
    with pytest.raises(ConfigurationInvalid):
        read_plan(change(text).encode())


def test_what_is_written_reads_back_the_same(judged: tuple[PlanFile, Scene]) -> None:
    plan = judged[0].plan
    assert read_plan(plan_text(plan).encode()).plan == plan
