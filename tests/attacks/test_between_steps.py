"""Against ceremonies between two steps: whoever has the file system there, or the time, and means ill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from keybroker.ceremony.conducting import conduct
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.room import Paused
from keybroker.ceremony.steps import own_steps
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.destruction import destroy_key
from keybroker.hsm.generate import generate_key
from tests.attacks.one_key import LABEL, facts
from tests.ceremony.scripted import ScriptedRoom
from tests.ceremony.shared import RECOVERY, Rehearsed

hsm = [pytest.mark.hsm, pytest.mark.timeout(300)]
_numbers = count(1)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    rehearsed = Rehearsed(directory=tmp_path_factory.mktemp("split"))
    rehearsed.split()
    return rehearsed


class TestBetween:
    """A key that is split, used and shared anew, while somebody has the file system."""

    pytestmark = hsm

    @pytest.fixture
    def name(self) -> str:
        return f"combine-{next(_numbers)}"

    def test_a_message_that_somebody_put_there_is_not_signed_unseen(self, split: Rehearsed, name: str) -> None:
        octets, given = split.message(next(_numbers)), split.given(name)

        def stop(_question: str) -> str:
            raise Paused("somebody stopped.")

        answers: dict[str, Any] = {"message or done": stop}
        with pytest.raises(Paused):
            split.combine([octets], name=name, answers=answers)
        (given / "recovery.use-7.message").write_bytes(octets)
        (given / "recovery.use-1x.message").write_bytes(octets)
        held = split.combine([octets], name=name, answers={"more or done": "done"})
        assert facts(held, "let-go")["times_used"] == 0
        assert not [*given.glob("*.signed")]

    def test_the_uses_of_a_ceremony_with_a_longer_name_are_not_this_ones(self, split: Rehearsed, name: str) -> None:
        split.combine([split.message(next(_numbers))], name=f"{name}-use-1")
        held = split.combine([split.message(next(_numbers))], name=name)
        (use,) = facts(held, "let-go")["uses"]
        assert use["request"].endswith(f" ceremony-{name}-use-1")

    def test_refuses_to_let_a_key_go_that_the_module_shows(self, split: Rehearsed, name: str) -> None:
        messages = [split.message(next(_numbers))]
        with pytest.raises(Paused):
            split.combine(messages, name=name, pause_at="let-go")
        with split.hall(split.given(name)) as hall:
            generate_key(hall.token, LABEL, hall.line.policies[RECOVERY[0]])
        with pytest.raises(ModuleDisagrees, match="still shows recovery"):
            split.combine(messages, name=name)
        with split.hall(split.given(name)) as hall:
            destroy_key(hall.token, LABEL)
        assert split.combine(messages, name=name).state == "done"

    def test_refuses_a_step_whose_plan_ended_while_the_word_was_waited_for(self, split: Rehearsed, name: str) -> None:
        messages = [split.message(next(_numbers))]
        with pytest.raises(Paused):
            split.combine(messages, name=name, pause_at="combine-and-use")
        with split.hall(split.given(name)) as hall:
            room = WaitsWithTheWord(directory=split.given(name))
            late = replace(hall, now=lambda: hall.now() + room.waited)
            with pytest.raises(NotPermitted, match="is refused"):
                conduct(late, room, name)
            assert not hall.book.get(name).begun
            hall.book.abort(name, "as the test wants it", hall.now())

    def test_refuses_to_call_destroyed_what_was_put_in_the_place_of_a_blob(self, split: Rehearsed) -> None:
        first = split.directory / "media" / "split-recovery.here" / "1"
        (blob,) = first.iterdir()
        stolen = blob.rename(split.directory / "stolen")
        blob.write_bytes(b"something else")
        answers: dict[str, Any] = {"Old blob, site-a": ["destroy", "missing", "destroy"]}
        held = split.reshare(2, answers=answers)
        assert facts(held, "retire-old-shares")["missing"] == [f"site-a: {blob}"]
        assert "Rotate the key" in facts(held, "retire-old-shares")["then"]
        assert (blob.exists(), stolen.exists()) == (True, True)

    def test_what_a_step_gives_away_is_behind_a_head_that_is_kept(self, split: Rehearsed) -> None:
        plan_file = split.plan(CeremonyKind.VERIFY_SHARES, "verify-recovery")
        with pytest.raises(Paused):
            split.run(plan_file, {}, pause_at="prove-shares")
        given = split.given("verify-recovery")
        with split.hall(given) as hall:
            kept = killed_before_the_head_is_kept(hall, "verify-recovery")

            def answer(_question: str) -> str:
                head = hall.token.read_anchor()
                assert head is not None
                kept.append(head.tree_size)
                return "lost"

            room = ScriptedRoom(directory=given, answers={"prove or lost": answer})
            conduct(hall, room, "verify-recovery")
        begun, *seen = kept
        assert min(seen) > begun


def killed_before_the_head_is_kept(hall: Hall, name: str) -> list[int]:
    """The record with which the next step was begun, by somebody whose process ended there."""
    held = hall.book.get(name)
    step = own_steps(held.plan_file.plan, Side.HERE)[len(held.steps)]
    return [hall.book.begin(name, step, {}, hall.now()).leaf_index]


class WaitsWithTheWord(ScriptedRoom):
    """A room in which nobody types the word for longer than the plan is in force."""

    waited = timedelta(0)

    def consent(self, word: str, why: str) -> None:
        super().consent(word, why)
        self.waited = timedelta(days=31)
