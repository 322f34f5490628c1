"""Keys that a maker's tool moves: looked for before and after, what it showed is signed, possession proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.ceremony.plan import Side
from keybroker.terms import KeyPurpose, KeyState
from tests.ceremony.conducting import PAUSED
from tests.ceremony.conducting_by_hand import COMMAND
from tests.ceremony.killing import Story
from tests.ceremony.plans import written
from tests.ceremony.test_transfer import a_story, a_transfer_plan, states
from tests.lives import live

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(400)]
ORDER = (Side.DESTINATION, Side.SOURCE, Side.DESTINATION, Side.SOURCE)


def by_cloning(directory: Path, label: str) -> Story:
    plan = a_transfer_plan({label: KeyPurpose.ACCESS_CONTROL_BROKER_MAC}).plan
    assert plan.transfer is not None
    terms = plan.transfer.model_copy(update={"mechanism": "luna-cloning"})
    return a_story(directory, written(plan.model_copy(update={"transfer": terms})))


def lived(story: Story, side: Side) -> tuple[int, str]:
    """Exit status of one life of one side, and what was said."""
    arguments = [str(story.directory), str(story.plan), side.value]
    done = live("tests.ceremony.conducting_by_hand", arguments, seconds=240)
    return done.returncode, done.stdout + done.stderr


def test_a_key_that_was_cloned_is_found_proven_and_used_at_the_destination_alone(tmp_path: Path) -> None:
    story = by_cloning(tmp_path, "moved")
    lives = [lived(story, side) for side in ORDER]
    assert [status for status, _ in lives] == [PAUSED, PAUSED, 0, 0], lives[-1][1]
    assert all(COMMAND in said and "never tried here" in said for _, said in lives[1:3])
    assert states(story, Side.SOURCE) == {KeyState.DESTROYED}
    assert states(story, Side.DESTINATION) == {KeyState.ACTIVE}
    for side in story.sides:
        story.verified(side)


def test_a_key_that_did_not_arrive_is_not_taken_for_one_that_did(tmp_path: Path) -> None:
    story = by_cloning(tmp_path, "lost")
    lives = [lived(story, side) for side in ORDER[:3]]
    assert lives[2][0] not in (0, PAUSED)
    assert "the module does not show the key" in lives[2][1]
    assert states(story, Side.SOURCE) == {KeyState.TRANSFERRING}
    assert states(story, Side.DESTINATION) == set()


def test_a_mechanism_that_was_not_approved_moves_nothing(tmp_path: Path) -> None:
    story = a_story(tmp_path, a_transfer_plan())
    status, said = lived(story, Side.DESTINATION)
    assert status not in (0, PAUSED)
    assert "the mechanism pkcs11-wrap was approved" in said
    assert states(story, Side.SOURCE) == {KeyState.ACTIVE}
