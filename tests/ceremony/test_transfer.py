"""Keys go from one system to another: at every instant at most one may use each, and at least one holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side
from keybroker.config import read_configuration, reading
from keybroker.keys.copies import copies_of
from keybroker.keys.history import history_of
from keybroker.keys.register import Register
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, Provenance
from tests.ceremony.conducting import PAUSED, outputs
from tests.ceremony.killing import Story
from tests.ceremony.plans import NOTHING, a_key, a_plan, written
from tests.deployments import prepare_rehearsal

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]
SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION
ONE: Mapping[str, KeyPurpose] = {"moved": KeyPurpose.COS_PARTY_TLS}
OF_EVERY_SORT: Mapping[str, KeyPurpose] = {
    "signs": KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    "agrees": KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
    "enciphers": KeyPurpose.DCO_SMETS1,
    "bound-by-itself": KeyPurpose.CONTINGENCY_COMMAND,
}


def a_transfer_plan(keys: Mapping[str, KeyPurpose] = ONE, *, afterwards: str = "destroy") -> PlanFile:
    planned = tuple(a_key(purpose, label, public_key_sha256=NOTHING) for label, purpose in keys.items())
    plan = a_plan(CeremonyKind.TRANSFER, planned[0]).plan
    assert plan.transfer is not None
    terms = plan.transfer.model_copy(update={"afterwards": afterwards})
    return written(plan.model_copy(update={"transfer": terms, "keys": planned}))


def a_story(directory: Path, plan_file: PlanFile) -> Story:
    place = prepare_rehearsal(plan_file, directory)
    return Story(directory=directory, plan=place.plan, sides=tuple(place.configurations))


def held(story: Story, side: Side) -> Mapping[KeyLabel, RegisteredKey]:
    """The plan's keys that this side's register has."""
    configuration = read_configuration(story.directory / side.value / "keybroker.toml")
    labels = {key.label for key in story.plan_file.plan.keys}
    with reading(configuration) as ledger:
        keys = Register(ledger, configuration.anchors).refresh().keys
    return {label: key for label, key in keys.items() if label in labels}


def states(story: Story, side: Side) -> set[KeyState]:
    return {key.state for key in held(story, side).values()}


def check_at_most_one(story: Story) -> None:
    source, destination = held(story, SOURCE), held(story, DESTINATION)
    for label, key in source.items():
        there = destination.get(label)
        usable = [each for each in (key, there) if each is not None and each.state is KeyState.ACTIVE]
        assert len(usable) <= 1, label


@pytest.mark.clause(
    "G2.22G", "G2.22H(a)", "G2.22H(b)", "G2.22I(a)(i)", "G2.22I(a)(ii)", "G2.22I(b)(ii)", shows="acceptance"
)
def test_keys_of_every_sort_are_used_at_the_destination_alone(tmp_path: Path) -> None:
    story = a_story(tmp_path, a_transfer_plan(OF_EVERY_SORT))
    before = held(story, SOURCE)
    for _ in range(2):
        for side in story.sides:
            story.life(side)
            check_at_most_one(story)
    story.finish()
    assert states(story, SOURCE) == {KeyState.DESTROYED}
    assert states(story, DESTINATION) == {KeyState.ACTIVE}
    for label, key in held(story, DESTINATION).items():
        was = before[label]
        assert key.provenance is Provenance.UNWRAPPED
        assert (key.public_key, key.purpose, key.party) == (was.public_key, was.purpose, was.party)
        assert (key.eui, key.activated_at) == (was.eui, was.activated_at)
        assert (key.certificate and key.certificate.der) == (was.certificate and was.certificate.der)
    with reading(read_configuration(tmp_path / "source" / "keybroker.toml")) as ledger:
        for label in before:
            copies = copies_of(ledger, label)
            assert {each.copy.kind.value for each in copies} == {"module", "wrapped-blob"}
            assert all(each.destroyed is not None for each in copies)
            assert history_of(ledger, label)[-1].act == "DestroyKey"
    assert [
        each for side in story.sides for each in outputs(tmp_path, story.plan_file, side).glob("*.wrapped.json")
    ] == []


@pytest.mark.clause("G2.22G", shows="refusal")
def test_a_wrapped_key_that_was_altered_is_not_taken_and_a_key_that_is_kept_is_not_used(tmp_path: Path) -> None:
    story = a_story(tmp_path, a_transfer_plan(afterwards="keep"))
    for side in (SOURCE, DESTINATION, SOURCE):
        assert story.life(side) == PAUSED
    assert states(story, SOURCE) == {KeyState.TRANSFERRING}
    wrapped = outputs(tmp_path, story.plan_file, SOURCE) / f"{story.plan_file.plan.name}.moved.wrapped.json"
    good = wrapped.read_bytes()
    wrapped.write_bytes(good.replace(b'"blob":"', b'"blob":"00000000', 1))
    assert story.life(DESTINATION) == PAUSED
    assert any("not so: altered" in line for line in story.said)
    assert held(story, DESTINATION) == {}
    wrapped.write_bytes(good)
    story.finish()
    assert states(story, SOURCE) == {KeyState.TRANSFERRED}
    assert states(story, DESTINATION) == {KeyState.ACTIVE}


INSTANTS: Mapping[Side, tuple[str, ...]] = {
    DESTINATION: ("offer-wrapping-key", "import-key", "activate-transferred"),
    SOURCE: ("withhold-key", "wrap-key", "settle-source"),
}
"""Steps after which something of a key was done, and nobody has signed for it yet."""


@pytest.mark.clause("G2.22G", shows="acceptance")
def test_killed_while_a_key_is_under_way_it_comes_to_its_end(tmp_path: Path) -> None:
    story = a_story(tmp_path, a_transfer_plan({"moved": KeyPurpose.DCO_SMETS1}))
    left = {side: [f"{side}:{name}:done" for name in names] for side, names in INSTANTS.items()}
    for _ in range(10):
        for side in story.sides:
            if story.life(side, dies_at=left[side][0] if left[side] else "-") == -9:
                left[side].pop(0)
            check_at_most_one(story)
    assert not any(left.values()), left
    story.finish()
    assert states(story, SOURCE) == {KeyState.DESTROYED}
    assert states(story, DESTINATION) == {KeyState.ACTIVE}
