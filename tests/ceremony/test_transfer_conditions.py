"""What must be so before a key goes to another system, clause by clause: SEC G2.22F to G2.22I."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.book import Held
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.judging import judge_plan
from keybroker.ceremony.performing import Stage
from keybroker.ceremony.performing.complying import check_complies
from keybroker.ceremony.performing.gathering import tick_conditions
from keybroker.ceremony.plan import Condition, PlanFile, Side, read_plan
from keybroker.ceremony.scene import Scene
from keybroker.ceremony.steps import procedure
from keybroker.cli.ceremony_hall import opened_hall, scene_of
from keybroker.cli.dev.deployment import open_deployment
from keybroker.config import read_configuration
from keybroker.errors import NotPermitted
from keybroker.ledger.ceremony_form import OPEN
from keybroker.statement.approval import Approval
from keybroker.statement.statement import Statement
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, KeyState
from tests.ceremony.plans import written
from tests.ceremony.scripted import ScriptedRoom
from tests.ceremony.test_transfer import a_transfer_plan
from tests.deployments import prepare_rehearsal

pytestmark = pytest.mark.hsm
COURIERS = Condition(id="couriers", words="Two couriers travel with the package.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One under a condition, with everything on record on both sides."""

    directory: Path
    plan_file: PlanFile
    scenes: Mapping[Side, Scene]

    def found(self, side: Side = Side.SOURCE, *, scene: Scene | None = None, **changes: Any) -> list[Finding]:
        """What is amiss, where the plan or the scene is changed. The plan keeps the digest that was approved."""
        plan = self.plan_file.plan.model_copy(update=changes)
        findings = judge_plan(PlanFile(plan=plan, octets=self.plan_file.octets), scene or self.scenes[side])
        return [finding for finding in findings if not finding.passed]


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> Transfer:
    directory = tmp_path_factory.mktemp("transfer")
    plan = a_transfer_plan().plan.model_copy(update={"conditions": (COURIERS,)})
    plan = plan.model_copy(update={"steps": tuple(step.told for step in procedure(plan))})
    rehearsal = prepare_rehearsal(written(plan), directory)
    scenes = {side: scene_of(read_configuration(path), side) for side, path in rehearsal.configurations.items()}
    return Transfer(directory=directory, plan_file=read_plan(rehearsal.plan.read_bytes()), scenes=scenes)


def with_approvals(scene: Scene, change: Callable[[Statement, Approval], Statement | None]) -> Scene:
    """The same scene, with each approval as ``change`` leaves it; None takes it away."""
    kept: list[Statement] = []
    for statement in scene.standing.statements:
        payload = statement.payload
        changed = change(statement, payload) if isinstance(payload, Approval) else statement
        kept += [] if changed is None else [changed]
    return replace(scene, standing=replace(scene.standing, statements=tuple(kept)))


CLAUSES = {
    "replaced-contract": "G2.22F",
    "requisite": "G2.22G",
    "views": "G2.22I(a)",
    "transfer": "G2.22I(a)(i)",
    "mechanism": "G2.22I(a)(ii)",
}


@pytest.mark.clause("G2.22F", "G2.22G", "G2.22I(a)(i)", "G2.22I(a)(ii)", shows="refusal")
@pytest.mark.parametrize("about", CLAUSES)
def test_refuses_a_transfer_that_lacks_one_approval_under_its_own_clause(transfer: Transfer, about: str) -> None:
    others = tuple(each for each in transfer.plan_file.plan.approvals if each.about != about)
    (unlisted,) = transfer.found(approvals=others)
    assert (unlisted.reason, unlisted.clause) == ("APPROVAL_NOT_DEMANDED", CLAUSES[about])
    for side, scene in transfer.scenes.items():
        without = with_approvals(scene, lambda statement, said: None if said.about == about else statement)
        missing = transfer.found(side, scene=without)
        assert ("APPROVAL_NOT_ON_RECORD", CLAUSES[about]) in {(each.reason, each.clause) for each in missing}


OTHERWISE: dict[str, tuple[dict[str, Any], str]] = {
    "another plan": ({"plan_sha256": "ab" * 32}, "of plan abab"),
    "other keys": ({"keys": ["ab" * 32]}, "of other keys"),
    "another destination": ({"destination": "somebody-else"}, "from old-provider to somebody-else"),
    "another mechanism": ({"mechanism": "luna-cloning"}, "by luna-cloning"),
    "views that nobody gave": ({"views": "SSC-0"}, "which are not on record"),
}


@pytest.mark.clause("G2.22F", "G2.22I(a)(i)", "G2.22I(a)(ii)", shows="refusal")
@pytest.mark.parametrize(("changes", "told"), OTHERWISE.values(), ids=OTHERWISE)
def test_refuses_an_approval_of_something_else(transfer: Transfer, changes: dict[str, Any], told: str) -> None:
    def change(statement: Statement, said: Approval) -> Statement:
        one = said.about == "transfer"
        return replace(statement, payload=said.model_copy(update=changes)) if one else statement

    scene = with_approvals(transfer.scenes[Side.SOURCE], change)
    (found,) = transfer.found(scene=scene)
    assert (found.reason, found.clause) == ("APPROVAL_NOT_ON_RECORD", "G2.22I(a)(i)")
    assert told in found.found


BEFORE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "destroyed": ({"state": KeyState.DESTROYED}, ["LABEL_USED"]),
    "in use": ({"state": KeyState.ACTIVE}, ["LABEL_USED"]),
    "transferred": ({"state": KeyState.TRANSFERRED}, ["LABEL_USED"]),
    "renounced as another key": ({"public_key": b"\x04" + bytes(64)}, ["LABEL_USED"]),
    "renounced for another purpose": ({"purpose": KeyPurpose.RECOVERY_COMMAND}, ["LABEL_USED"]),
    "renounced as another party's": ({"party": "supplier-a"}, ["LABEL_USED"]),
    "renounced under another label": ({"label": "other"}, ["KEY_WAS_HERE"]),
    "renounced": ({}, []),
}


@pytest.mark.parametrize(("changes", "reasons"), BEFORE.values(), ids=BEFORE)
def test_a_destination_takes_a_key_again_only_where_that_very_key_was_renounced_there(
    transfer: Transfer, changes: dict[str, Any], reasons: list[str]
) -> None:
    (key,) = transfer.plan_file.plan.keys
    known = replace(transfer.scenes[Side.SOURCE].keys[key.label], **{"state": KeyState.RENOUNCED, **changes})
    scene = replace(transfer.scenes[Side.DESTINATION], keys={known.label: known})
    assert [finding.reason for finding in transfer.found(scene=scene)] == reasons


@pytest.mark.clause("G2.22I(b)(i)", shows="refusal")
def test_refuses_a_plan_that_leaves_a_condition_of_the_smki_pma_out(transfer: Transfer) -> None:
    found = {finding.reason: finding for finding in transfer.found(conditions=())}
    assert "under a condition that is not in the plan: couriers" in found["APPROVAL_NOT_ON_RECORD"].found
    # Nor may it stand there and be ticked by nobody.
    steps = tuple(each for each in transfer.plan_file.plan.steps if "tick-conditions" not in each)
    assert [finding.reason for finding in transfer.found(steps=steps)] == ["STEPS_DIFFER"]


@pytest.mark.clause("G2.22G", shows="refusal")
def test_refuses_to_move_a_key_that_is_not_the_dccs(transfer: Transfer) -> None:
    keys = tuple(
        key.model_copy(update={"purpose": KeyPurpose.SUPPLIER_PRE_COMMAND}) for key in transfer.plan_file.plan.keys
    )
    found = {(finding.reason, finding.clause) for finding in transfer.found(keys=keys)}
    assert ("KEY_NEVER_LEAVES", "G2.22G") in found


@pytest.mark.clause("G2.22F", "G2.22I(a)(i)", "G2.22I(a)(ii)", shows="acceptance")
@pytest.mark.parametrize("side", [Side.SOURCE, Side.DESTINATION])
def test_a_transfer_with_everything_on_record_is_fit_on_both_sides(transfer: Transfer, side: Side) -> None:
    assert transfer.found(side) == []


@pytest.fixture
def hall(transfer: Transfer, tmp_path: Path) -> Iterator[Hall]:
    """That of the destination."""
    deployment = open_deployment(transfer.directory / "destination")
    os.environ.update(deployment.broker_environment)
    configuration, room = read_configuration(deployment.config_path), ScriptedRoom(directory=tmp_path)
    people = transfer.directory / "people.toml"
    with opened_hall(configuration, room, side=Side.DESTINATION, people=people, directory=tmp_path) as opened:
        yield opened


def a_stage(transfer: Transfer, hall: Hall, room: ScriptedRoom) -> Stage:
    held = Held(plan_file=transfer.plan_file, side=hall.side, state=OPEN, steps=(), begun=True, given={})
    return Stage(hall=hall, room=room, held=held)


@pytest.mark.clause("G2.22I(b)(ii)", shows="refusal")
def test_refuses_a_destination_that_does_not_comply_with_what_the_keys_purposes_demand(
    transfer: Transfer, hall: Hall, tmp_path: Path
) -> None:
    """A software token holds no live key of the DCC."""
    live = replace(hall, line=replace(hall.line, deployment=DeploymentKind.LIVE))
    with pytest.raises(NotPermitted, match=r"G2\.22I\(b\)\(ii\).*moved: gate validated-module"):
        check_complies(a_stage(transfer, live, ScriptedRoom(directory=tmp_path)))


@pytest.mark.clause("G2.22I(b)(ii)", shows="acceptance")
def test_a_destination_that_complies_says_which_gates_it_passed(transfer: Transfer, hall: Hall, tmp_path: Path) -> None:
    assert check_complies(a_stage(transfer, hall, ScriptedRoom(directory=tmp_path))) == (
        "moved: validated-module, open",
    )


@pytest.mark.clause("G2.22I(b)(i)", shows="acceptance")
def test_each_condition_is_ticked_with_what_shows_it(transfer: Transfer, hall: Hall, tmp_path: Path) -> None:
    (tmp_path / "report").write_bytes(b"both came")
    room = ScriptedRoom(directory=tmp_path, answers={"What shows couriers?": "report"})
    facts = tick_conditions(a_stage(transfer, hall, room)).facts
    assert facts == {"conditions": [{"condition": "couriers", "shown_sha256": sha256(b"both came").hexdigest()}]}
    assert any(COURIERS.words in told for told in room.told)
