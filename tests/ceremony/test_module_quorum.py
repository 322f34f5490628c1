"""A Recovery key that a module's own quorum holds: put under it, used by it, given new cards; and every step aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.book import Held
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.performing import Stage
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.performing.using import Message, use
from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.quorum_sets import newest_quorum
from keybroker.ceremony.room import Paused
from keybroker.ceremony.transcript_verifying import verify_transcript
from keybroker.content.decoding import decode
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.destruction import destroy_key, is_absent
from keybroker.hsm.profile_sections import QuorumAdapter
from keybroker.hsm.quorum_held import check_away
from keybroker.hsm.verify import Verifier
from keybroker.keys.copies import copies_of
from keybroker.terms import ContentKind, KeyLabel, KeyState
from tests.ceremony.module_quorum import JOIN, LET_GO, SPLIT, ByModule
from tests.ceremony.shared import Rehearsed, of_generation

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]
LABEL = KeyLabel("recovery")
_numbers = count(1)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> ByModule:
    """Two of three cards bring the Recovery key in. Tests use it; they do not lose it."""
    rehearsed = ByModule(directory=tmp_path_factory.mktemp("held"))
    rehearsed.split()
    return rehearsed


@pytest.fixture
def name() -> str:
    return f"ceremony-{next(_numbers)}"


@pytest.fixture
def hall(held: ByModule, tmp_path: Path) -> Iterator[Hall]:
    with held.hall(tmp_path) as opened:
        yield opened


def facts(conducted: Held, step: str) -> Any:
    (key,) = json.loads(json.dumps(conducted.facts(step)))["keys"]
    return key


def state(rehearsed: ByModule) -> KeyState:
    with rehearsed.hall(rehearsed.directory) as hall:
        return hall.line.register.refresh().keys[LABEL].state


# ---- refusals


def refused(rehearsed: Rehearsed, plan_kind: CeremonyKind = CeremonyKind.SPLIT) -> str:
    with pytest.raises(NotPermitted) as refusal:
        rehearsed.run(rehearsed.plan(plan_kind, f"refused-{next(_numbers)}", of_generation(7)), {})
    return refusal.value.sentence


class Slip39AllTheSame(ByModule):
    """The plan does not take the module's own quorum."""

    plan = Rehearsed.plan


def test_refuses_shares_of_ours_where_the_module_has_a_quorum_of_its_own(tmp_path: Path) -> None:
    rehearsed = Slip39AllTheSame(directory=tmp_path)
    assert "plan-mechanism: expected luna-m-of-n, found slip39 (G2.44B)" in refused(rehearsed)
    assert state(rehearsed) is KeyState.ACTIVE


@pytest.mark.parametrize("adapter", [QuorumAdapter.NONE, QuorumAdapter.NSHIELD_CARD_SET, QuorumAdapter.UTIMACO_MBK])
def test_refuses_a_quorum_that_the_module_has_not(tmp_path: Path, adapter: QuorumAdapter) -> None:
    rehearsed = ByModule(directory=tmp_path, adapter=adapter)
    own = "slip39" if adapter is QuorumAdapter.NONE else adapter.value
    assert f"plan-mechanism: expected {own}, found luna-m-of-n (G2.44B)" in refused(rehearsed)


def test_refuses_new_shares_of_ours_for_a_key_that_the_modules_quorum_holds(held: ByModule) -> None:
    other = Slip39AllTheSame(directory=held.directory)
    assert "plan-mechanism: expected luna-m-of-n, found slip39" in refused(other, CeremonyKind.RESHARE)


@pytest.mark.parametrize("kind", [CeremonyKind.COMBINE, CeremonyKind.VERIFY_SHARES, CeremonyKind.RESHARE])
def test_refuses_a_module_that_has_no_such_quorum(held: ByModule, kind: CeremonyKind) -> None:
    elsewhere = ByModule(directory=held.directory, adapter=QuorumAdapter.NONE)
    with pytest.raises(NotPermitted, match="expected a module of luna-m-of-n"):
        elsewhere.run(elsewhere.plan(kind, f"refused-{next(_numbers)}"), {})


def test_a_key_that_was_not_brought_in_signs_nothing(held: ByModule, name: str) -> None:
    held.lazy = {KeyState.COMBINED}
    try:
        with pytest.raises(ModuleDisagrees, match="does not show the key"):
            held.combine([held.message(901)], name=name)
    finally:
        held.lazy = set()
    assert not [*held.given(name).glob("*.signed")]
    held.combine([held.message(901)], name=name)
    assert state(held) is KeyState.SPLIT


def test_a_key_that_was_not_taken_away_is_found_and_the_ceremony_goes_on_when_it_is(held: ByModule, name: str) -> None:
    def lazily(question: str) -> str:
        """Brought in as it should be; whoever takes it away only says so."""
        shown = held._shown(question)
        held.lazy = {KeyState.COMBINED}
        return shown

    try:
        with pytest.raises(ModuleDisagrees, match="still"):
            held.combine([held.message(902)], name=name, answers={"What did the tool show": lazily})
    finally:
        held.lazy = set()
    assert state(held) is KeyState.COMBINED
    conducted = held.combine([held.message(902)], name=name)
    assert facts(conducted, "let-go")["absent"]
    assert facts(conducted, "let-go")["times_used"] == 1
    assert state(held) is KeyState.SPLIT


def test_a_key_that_still_does_what_it_is_asked_is_not_away(tmp_path: Path) -> None:
    rehearsed = ByModule(directory=tmp_path)
    plan_file = rehearsed.plan(CeremonyKind.SPLIT, "split-recovery")
    with pytest.raises(Paused):
        rehearsed.run(plan_file, {}, pause_at="destroy-in-module")
    assert state(rehearsed) is KeyState.ACTIVE
    with rehearsed.hall(tmp_path) as hall:
        key = hall.line.register.refresh().keys[LABEL]
        policy = hall.line.policies[key.purpose]
        with pytest.raises(ModuleDisagrees, match="the module still does what the broker's login asks of it"):
            check_away(hall.token, LABEL, policy, key.public_key)
        destroy_key(hall.token, LABEL)
        away = check_away(hall.token, LABEL, policy, key.public_key)
        assert away.tried == "no handle by which it could be asked"
        assert away.searched >= 1


# ---- what is done


class TestSplit:
    def test_the_brokers_login_sees_nothing_and_can_use_nothing(self, held: ByModule, hall: Hall) -> None:
        conducted = hall.book.get("split-recovery")
        destroyed = facts(conducted, "destroy-in-module")
        assert state(held) is KeyState.SPLIT
        assert is_absent(hall.token, LABEL)
        assert destroyed["away"]["tried"] == "no handle by which it could be asked"
        assert "label recovery" in destroyed["away"]["looked_for"]
        assert destroyed["away"]["broker"].endswith("found 0")
        use(
            Stage(hall=hall, room=held.room, held=conducted),
            hall.line,
            Message(key=LABEL, number=1, octets=held.message(1)),
        )
        assert "Not signed" in held.room.told[-1]

    def test_what_the_tool_showed_and_who_holds_which_card_is_signed(self, held: ByModule, hall: Hall) -> None:
        shared = facts(hall.book.get("split-recovery"), "share-key")
        assert held.adapter.value == shared["mechanism"]
        assert shared["cards"]["custodian-2"] == "PED key 2, split-recovery.here"
        assert shared["places"] == ["site-a: partition 1", "site-b: partition 2", "site-a: partition 3"]
        assert shared["threshold"] == 2
        assert len(shared["evidence"][0]) == 64
        kept = newest_quorum(hall.book, LABEL)
        assert kept is not None
        assert kept.sha256.hex() == shared["set_sha256"]
        live = [each.copy for each in copies_of(hall.book.journal.ledger, LABEL) if each.destroyed is None]
        assert set(kept.copies) <= set(live)

    def test_commands_are_printed_with_a_warning_and_nobody_has_anothers_card(self, tmp_path: Path) -> None:
        rehearsed = ByModule(directory=tmp_path)
        cards: dict[str, Any] = {
            "What does custodian-2": ["one", "\x1b[2J", "two"],
            "What does custodian": ["one", "three"],
            "Where is copy 3": ["partition 1", "", "partition 3"],
        }
        conducted = rehearsed.run(rehearsed.plan(CeremonyKind.SPLIT, "split-recovery"), cards)
        assert f"    {SPLIT}" in rehearsed.room.told
        assert [told for told in rehearsed.room.told if "never tried here" in told]
        assert facts(conducted, "share-key")["cards"] == {
            "custodian-1": "one",
            "custodian-2": "two",
            "custodian-3": "three",
        }
        assert sum(told.startswith("not so") for told in rehearsed.room.told) == 4

    def test_who_stops_while_the_tool_is_at_work_loses_nothing(self, tmp_path: Path) -> None:
        rehearsed = ByModule(directory=tmp_path)
        plan_file = rehearsed.plan(CeremonyKind.SPLIT, "split-recovery")

        def stop(question: str) -> str:
            rehearsed._shown(question)
            raise Paused("somebody stopped.")

        with pytest.raises(Paused):
            rehearsed.run(plan_file, {"What did the tool show": stop})
        assert state(rehearsed) is KeyState.ACTIVE
        rehearsed.run(plan_file, {})
        assert state(rehearsed) is KeyState.SPLIT
        transcript = (rehearsed.given("split-recovery") / "split-recovery.transcript.json").read_bytes()
        found = verify_transcript(transcript)
        assert (found.complete, found.state) == (True, "done")


class TestCombine:
    def test_signs_what_is_approved_and_the_key_is_taken_away(self, held: ByModule, name: str, hall: Hall) -> None:
        message = held.message(1_000 + next(_numbers))
        point = hall.line.register.refresh().keys[LABEL].public_key
        conducted = held.combine([message], name=name)
        combined, let_go = facts(conducted, "combine-and-use"), facts(conducted, "let-go")
        assert combined["quorums"] == [["custodian-1", "custodian-2"]]
        assert len(combined["evidence"]) == 2
        assert (let_go["absent"], let_go["times_used"]) == (True, 1)
        assert "cards go back" in let_go["then"]
        assert any(JOIN.split("(")[0] in told and "2 of 3" in told for told in held.room.told)
        assert f"    {LET_GO}" in held.room.told
        assert state(held) is KeyState.SPLIT
        signed = (held.given(name) / "recovery.use-1.signed").read_bytes()
        Verifier(point).check(signed[-64:], decode(ContentKind.COMMAND, message, ()).sha256)

    def test_refuses_a_message_that_is_not_approved(self, held: ByModule, name: str) -> None:
        approved, other = (held.message(1_000 + next(_numbers)) for _ in range(2))
        held.given(name).mkdir()
        (held.given(name) / "other").write_bytes(other)
        conducted = held.combine([approved], name=name, answers={"Message ": ["other", "asked-1"]})
        assert [told for told in held.room.told if told.startswith("Not signed")]
        assert facts(conducted, "let-go")["times_used"] == 1

    def test_nobody_presents_two_cards(self, held: ByModule, name: str) -> None:
        who = {"Who presents a card": ["custodian-3", "custodian-3", "nobody", "custodian-1"]}
        conducted = held.combine([held.message(1_000 + next(_numbers))], name=name, answers=who)
        assert facts(conducted, "combine-and-use")["quorums"] == [["custodian-3", "custodian-1"]]
        assert [told for told in held.room.told if "presented his card before" in told]

    def test_what_an_interruption_left_in_the_module_goes_before_it_is_used_again(
        self, held: ByModule, name: str
    ) -> None:
        messages = [held.message(1_000 + next(_numbers)) for _ in range(2)]

        def stop(_question: str) -> str:
            raise Paused("somebody stopped.")

        with pytest.raises(Paused):
            held.combine(messages, name=name, answers={"Message 2": stop})
        with held.hall(held.directory) as hall:
            assert objects_of(hall.token, LABEL)
            # No quorum stands in this process: the key that the module shows is used by nobody.
            stage = Stage(hall=hall, room=held.room, held=hall.book.get(name))
            use(stage, hall.line, Message(key=LABEL, number=9, octets=messages[1]))
            assert "Not signed" in held.room.told[-1]
        conducted = held.combine(messages, name=name)
        combined = facts(conducted, "combine-and-use")
        assert [told for told in held.room.told if "stands in the module still" in told]
        assert (len(combined["quorums"]), len(combined["evidence"])) == (2, 4)
        assert facts(conducted, "let-go")["times_used"] == 2


class TestCards:
    def test_shown_cards_say_fine_reshare_or_lost(self, held: ByModule) -> None:
        for lost, begins in ((0, "fine"), (1, "reshare now"), (2, "the key is lost")):
            answers: dict[str, Any] = {f"custodian-{number}: card": "lost" for number in range(1, lost + 1)}
            found = facts(held.prove(name=f"proof-{lost}-{next(_numbers)}", answers=answers), "prove-shares")
            assert found["stands"].startswith(begins)
            assert found["lost"] == [f"custodian-{number}" for number in range(1, lost + 1)]
            assert found["away"]["tried"] == "no handle by which it could be asked"

    def test_new_cards_take_the_place_of_old_ones_and_are_used(self, tmp_path: Path) -> None:
        rehearsed = ByModule(directory=tmp_path)
        rehearsed.split()
        old_set = newest(rehearsed)
        answers: dict[str, Any] = {"Old: luna-m-of-n of custodian-2": "missing"}
        conducted = rehearsed.reshare(2, answers=answers)
        retired = facts(conducted, "retire-old-shares")
        assert len(retired["retired"]) == 2
        assert [each.split(":")[0] for each in retired["missing"]] == ["luna-m-of-n of custodian-2, generation 1"]
        assert "Rotate the key" in retired["then"]
        assert facts(conducted, "reshare-key")["old_set_sha256"] == old_set
        used = facts(rehearsed.combine([rehearsed.message(1)]), "combine-and-use")
        assert used["set_sha256"] == facts(conducted, "reshare-key")["set_sha256"]
        with pytest.raises(NotPermitted, match="cards of generation 2 were given out"):
            rehearsed.run(rehearsed.plan(CeremonyKind.RESHARE, "again", of_generation(2)), {})


def newest(rehearsed: ByModule) -> str:
    with rehearsed.hall(rehearsed.directory) as hall:
        found = newest_quorum(hall.book, LABEL)
        assert found is not None
        return found.sha256.hex()
