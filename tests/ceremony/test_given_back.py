"""A transfer that is given back on real tokens: what is killed goes on, and never do two use a key."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.hall import Hall
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.plan import Side
from keybroker.ceremony.transcript_verifying import Verified, verify_transcript
from keybroker.cli.ceremony_hall import opened_hall
from keybroker.cli.dev.deployment import open_deployment
from keybroker.config import read_configuration, reading
from keybroker.hsm.generate import generate_key
from keybroker.hsm.wrapping_pair import wrapping_pair
from keybroker.keys.copies import copies_of
from keybroker.keys.history import history_of
from keybroker.ledger.audit import verify
from keybroker.terms import KeyLabel, KeyPurpose, KeyState
from tests.ceremony.conducting import PAUSED, outputs
from tests.ceremony.killing import Story
from tests.ceremony.plans import written
from tests.ceremony.scripted import ScriptedRoom
from tests.ceremony.test_transfer import a_story, a_transfer_plan, check_at_most_one, states

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]

SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION


class Given(Story):
    """A rehearsed transfer whose destination may renounce, and whose source may be aborted."""

    def renounce(self, dies_at: str = "-", seconds: float = 240) -> int:
        arguments = [str(self.directory), str(self.plan), dies_at]
        return self._lived("tests.ceremony.renouncing", arguments, seconds)

    def abort_source(self, file: Path | None, seconds: float = 240) -> int:
        return self.abort(SOURCE, *([] if file is None else ["--renunciation", str(file)]), seconds=seconds)

    def abort(self, side: Side, *more: str, seconds: float = 240) -> int:
        name, place = self.plan_file.plan.name, self.directory / side.value
        os.environ.update(open_deployment(place).broker_environment)
        arguments = ["ceremony", "abort", name, "--because", "it came back", *more]
        return self._lived("keybroker.cli.main", [*arguments, "--config", str(place / "keybroker.toml")], seconds)

    def _lived(self, module: str, arguments: list[str], seconds: float) -> int:
        self.said = []
        return self.lived(module, arguments, seconds)

    @property
    def renunciation(self) -> Path:
        return outputs(self.directory, self.plan_file, DESTINATION) / f"{self.plan_file.plan.name}.renunciation.json"

    def aborted(self, side: Side) -> Verified:
        """The ledger holds, and the ceremony ended so."""
        assert self.life(side) == 0
        configuration = read_configuration(self.directory / side.value / "keybroker.toml")
        with reading(configuration) as ledger:
            verify(ledger, configuration.clock.now())
        name = f"{self.plan_file.plan.name}.transcript.json"
        found = verify_transcript((outputs(self.directory, self.plan_file, side) / name).read_bytes())
        assert found.state == "aborted"
        return found

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def a_transfer(directory: Path, name: str = "transfer-moved", purpose: KeyPurpose = KeyPurpose.COS_PARTY_TLS) -> Given:
    plan = a_transfer_plan({"moved": purpose}).plan.model_copy(update={"name": name})
    story = a_story(directory, written(plan))
    return Given(directory=directory, plan=story.plan, sides=story.sides)


@contextmanager
def hall_of(story: Given) -> Iterator[Hall]:
    """The destination's."""
    deployment, given = open_deployment(story.directory / "destination"), story.directory / "looked-at"
    os.environ.update(deployment.broker_environment)
    configuration, people = read_configuration(deployment.config_path), story.directory / "people.toml"
    room = ScriptedRoom(directory=given)
    with opened_hall(configuration, room, side=DESTINATION, people=people, directory=given) as hall:
        yield hall


def renounced(story: Given) -> list[list[str]]:
    """What of each key stood in the destination's module."""
    keys: Any = story.aborted(DESTINATION).entries[-1].facts["keys"]
    return [each["destroyed"] for each in keys]


def until_given(story: Given) -> None:
    """Offered, withheld, wrapped."""
    assert [story.life(side) for side in (DESTINATION, SOURCE)] == [PAUSED, PAUSED]
    assert states(story, SOURCE) == {KeyState.TRANSFERRING}


def until_imported(story: Given) -> None:
    """Killed as soon as the import was signed for."""
    until_given(story)
    assert story.life(DESTINATION, dies_at="destination:import-key:concluded") == -signal.SIGKILL
    assert states(story, DESTINATION) == {KeyState.INSTALLED}


def test_what_was_imported_is_renounced_and_goes_to_the_same_destination_by_another_plan(tmp_path: Path) -> None:
    story = a_transfer(tmp_path)
    until_imported(story)
    # Neither side is simply aborted.
    assert story.abort(DESTINATION) != 0
    assert "destroyed and renounced" in story.text
    assert story.abort_source(None) != 0
    assert "the wrapped key may have left" in story.text
    # The destination gives back what it has, and everybody signs.
    assert story.renounce() == 0, story.text
    assert story.aborted(DESTINATION).entries[-1].step == "renounce"
    assert states(story, DESTINATION) == {KeyState.RENOUNCED}
    with reading(read_configuration(tmp_path / "destination" / "keybroker.toml")) as ledger:
        label = KeyLabel("moved")
        assert [each.act for each in history_of(ledger, label)][-2:] == ["ConfirmCopyDestroyed", "RenounceKey"]
        assert all(each.destroyed is not None for each in copies_of(ledger, label))
    # It is over there: nothing activates it, and what is brought is asked for by nobody.
    assert story.life(DESTINATION) == 0
    assert states(story, DESTINATION) == {KeyState.RENOUNCED}
    # An octet of it changed, or another document in its place, and the source goes on waiting.
    spoilt_file = tmp_path / "spoilt"
    spoilt_file.write_bytes(story.renunciation.read_bytes().replace(b'"state":"aborted"', b'"state":"Aborted"'))
    offer = outputs(tmp_path, story.plan_file, DESTINATION) / f"{story.plan_file.plan.name}.offer.json"
    for file in (spoilt_file, offer):
        assert story.abort_source(file) != 0
        assert "the renunciation is not relied on" in story.text
    assert story.abort_source(story.renunciation) == 0, story.text
    story.aborted(SOURCE)
    assert states(story, SOURCE) == {KeyState.TRANSFERRING}
    # By a plan of its own it goes there after all; what was renounced before is of no use to it.
    again = a_transfer(tmp_path, "transfer-again")
    until_given(again)
    assert again.abort_source(story.renunciation) != 0
    assert "another-ceremony" in again.text
    again.finish()
    assert states(again, DESTINATION) == {KeyState.ACTIVE}
    # The wrapped copy of the first transfer is still to be accounted for.
    assert states(again, SOURCE) == {KeyState.TRANSFERRED}


@pytest.mark.parametrize(
    ("imported", "instants"),
    [
        (False, ("consented", "destroyed", "concluded")),
        (True, ("announced", "destroyed", "done", "signs", "concluded", "written")),
    ],
    ids=["offered", "imported"],
)
def test_killed_at_each_instant_the_destination_still_comes_to_its_renunciation(
    tmp_path: Path, imported: bool, instants: tuple[str, ...]
) -> None:
    story = a_transfer(tmp_path, purpose=KeyPurpose.DCO_SMETS1)
    (until_imported if imported else until_given)(story)
    for instant in instants:
        named = instant if instant in ("consented", "destroyed", "written") else f"destination:renounce:{instant}"
        assert story.renounce(named) == -signal.SIGKILL, (instant, story.text)
        check_at_most_one(story)
        if instant == "announced":
            # From here on whoever resumes goes on renouncing, and imports nothing.
            assert story.life(DESTINATION, dies_at="destination:renounce:done") == -signal.SIGKILL
    assert story.renounce() == 0
    assert story.aborted(DESTINATION).entries[-1].step == "renounce"
    assert story.abort_source(story.renunciation) == 0, story.text


def test_half_of_an_import_is_renounced_and_the_source_killed_while_it_aborts_aborts_again(tmp_path: Path) -> None:
    story = a_transfer(tmp_path)
    until_given(story)
    assert story.life(DESTINATION, dies_at="destination:import-key:done") == -signal.SIGKILL
    # The key stands in the module and nobody signed for it; the register knows nothing of it.
    assert states(story, DESTINATION) == set()
    # Of a private half alone, beside a package that was lost, nobody knows whose it is: the package is asked for.
    (outputs(tmp_path, story.plan_file, DESTINATION) / f"{story.plan_file.plan.name}.package.json").unlink()
    with hall_of(story) as hall, hall.token.exclusively() as connection:
        for each in [each for each in connection.list_objects() if each.label == "moved" and each.point is not None]:
            connection.wrapping().destroy(each.handle)
    assert story.renounce() == 0, story.text
    assert "asked The package?" in story.text
    assert [len(destroyed) for destroyed in renounced(story)] == [1]
    assert states(story, DESTINATION) == set()
    for number in range(1, 8):
        if story.abort_source(story.renunciation, seconds=0.25 * number) == 0:
            break
    else:
        # It was killed while it was told of: refused now, for it has ended.
        assert story.abort_source(story.renunciation) in (0, 1, 3)
    story.aborted(SOURCE)
    # And by no plan twice: what was given back for good is asked for by a new one.
    again = a_transfer(tmp_path, "transfer-again")
    again.finish()
    assert states(again, DESTINATION) == {KeyState.ACTIVE}
    check_at_most_one(again)


def test_another_key_that_stands_under_the_label_is_left_as_it_is(tmp_path: Path) -> None:
    story = a_transfer(tmp_path)
    assert story.life(DESTINATION) == PAUSED
    with hall_of(story) as hall:
        generate_key(hall.token, KeyLabel("moved"), hall.line.policies[KeyPurpose.COS_PARTY_TLS])
        before = objects_of(hall.token, "moved")
        assert wrapping_pair(hall.token, story.plan_file.plan.name) is not None
    assert story.renounce() == 0, story.text
    assert renounced(story) == [[]]
    with hall_of(story) as hall:
        assert objects_of(hall.token, "moved") == before
        assert wrapping_pair(hall.token, story.plan_file.plan.name) is None
    # The source had given nothing away, and needs no renunciation.
    assert story.life(SOURCE, dies_at="source:withhold-key:concluded") == -signal.SIGKILL
    assert story.abort_source(story.renunciation) != 0
    assert "abort it without a renunciation" in story.text
    assert story.abort_source(None) == 0


def test_once_activation_began_nothing_is_renounced(tmp_path: Path) -> None:
    story = a_transfer(tmp_path)
    until_given(story)
    assert story.life(DESTINATION, dies_at="destination:activate-transferred:announced") == -signal.SIGKILL
    assert story.life(DESTINATION, dies_at="destination:activate-transferred:done") == -signal.SIGKILL
    assert story.renounce() != 0
    assert "the key may be in use at the destination" in story.text
    story.finish()
    assert states(story, DESTINATION) == {KeyState.ACTIVE}
    assert states(story, SOURCE) == {KeyState.DESTROYED}
