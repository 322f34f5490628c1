"""Every kind of ceremony at a terminal of 80 by 24, typed by nobody but a script, from plan to verified transcript.

New keys stand in ``test_generate.py``. Nothing secret is on any screen: PINs, and the words of a share that is typed;
nor, after a key was split and put together, in any file or in the memory of who conducted it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.plan import CeremonyKind, PlanFile, Role, Side
from keybroker.cli.dev.plan import DEVICES
from keybroker.terms import KeyPurpose
from tests.ceremony.at_terminal import (
    KEYBROKER,
    PAUSED,
    Look,
    at_terminal,
    brought,
    deployment,
    outputs,
    rehearse,
    shares,
    verified,
    verify,
    words_of,
)
from tests.ceremony.looked_for import LookedFor
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.shared import RECOVERY, of_generation
from tests.ceremony.terminal import ENTER, Answer, Conductor
from tests.messages import ANY_BY_RECOVERY, compose_command
from tests.messages import DEVICE as SOMEBODY_S
from tests.process_memory import children, written_in_memory

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]
SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION
_counters = count(1)


def test_a_key_is_carried_from_one_side_to_the_other_in_turns(tmp_path: Path) -> None:
    plan_file = a_plan(CeremonyKind.TRANSFER, a_key(KeyPurpose.COS_PARTY_TLS, "moved"))
    words: Mapping[str, Answer] = {
        "Type WITHHOLD": ["withhold", "help", "WITHHOLD"],
        "Type ACTIVATE": "ACTIVATE",
        "Type DESTROY": ["yes", "DESTROY"],
    }

    def turn(side: Side) -> int:
        return rehearse(tmp_path, plan_file, {**brought(tmp_path, plan_file, side), **words}, side=side)[0]

    turns = [turn(side) for side in (SOURCE, DESTINATION, SOURCE, DESTINATION, SOURCE)]
    assert turns == [PAUSED, PAUSED, PAUSED, 0, 0]
    for side in (SOURCE, DESTINATION):
        steps = verified(tmp_path, plan_file, side)["steps"]
        assert steps == [step.removeprefix(f"{side}:") for step in plan_file.plan.steps if step.startswith(f"{side}:")]


def test_a_transfer_is_given_back_by_the_word_that_everybody_signs(tmp_path: Path) -> None:
    plan_file = a_plan(CeremonyKind.TRANSFER, a_key(KeyPurpose.COS_PARTY_TLS, "moved"))
    name, place = plan_file.plan.name, tmp_path / "place"

    def turn(side: Side) -> int:
        words: Mapping[str, Answer] = {**brought(tmp_path, plan_file, side), "Type WITHHOLD": "WITHHOLD"}
        return rehearse(tmp_path, plan_file, words, side=side)[0]

    def abort(side: Side, *more: str | Path) -> tuple[int, str]:
        own = deployment(place, side)
        command = (KEYBROKER, "ceremony", "abort", name, "--because", "it is not to be", "--config", own.config_path)
        words: Mapping[str, Answer] = {"Type RENOUNCE": ["renounce", "RENOUNCE"]}
        return at_terminal((*command, *more), words, own.directory, own.broker_environment)

    assert [turn(side) for side in (DESTINATION, SOURCE)] == [PAUSED, PAUSED]
    given = outputs(tmp_path, plan_file, DESTINATION)
    room = ("--side", DESTINATION.value, "--people", place / "people.toml", "--directory", given)
    assert abort(DESTINATION)[0] != 0
    status, screen = abort(DESTINATION, *room)
    assert (status, f"Carry {name}.renunciation.json to the source" in screen) == (0, True), screen
    # Asked again, it is written again.
    (given / f"{name}.renunciation.json").unlink()
    assert abort(DESTINATION, *room)[0] == 0
    told = verify(given / f"{name}.renunciation.json", tmp_path / "parts")
    assert (told["state"], told["complete"]) == ("aborted", False)
    assert abort(SOURCE)[0] != 0
    assert abort(SOURCE, "--renunciation", given / f"{name}.renunciation.json")[0] == 0


def test_a_key_is_destroyed_only_by_the_exact_word(tmp_path: Path) -> None:
    plan_file = a_plan(CeremonyKind.DESTROY, a_key(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, "acb"))
    answers: Mapping[str, Answer] = {
        "all the copies": ["all", "ALL"],
        "Type DESTROY": ["destroy", "DESTROY.", "DESTROY"],
        "Where to search": "done",
        "How was": "by nobody, for the test",
    }
    status, screen = rehearse(tmp_path, plan_file, answers)
    assert status == 0, screen
    assert verified(tmp_path, plan_file)["steps"] == list(plan_file.plan.steps)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of three hold the Recovery key of the rehearsals in this directory."""
    directory = tmp_path_factory.mktemp("split")
    plan_file = a_recovery_plan(CeremonyKind.SPLIT, "split-recovery")

    def look(conductor: Conductor) -> None:
        go_to(conductor, plan_file, "close")
        check_nothing_is_left(conductor, looked_for(directory, plan_file))
        conductor.give(ENTER)

    conduct(directory, plan_file, {"Type SPLIT": ["Split", "SPLIT"]}, look)
    return directory


def a_recovery_plan(kind: CeremonyKind, name: str) -> PlanFile:
    return a_plan(kind, a_key(*RECOVERY), name=name)


def conduct(
    directory: Path, plan_file: PlanFile, answers: Mapping[str, Answer], look: Look = lambda _: None
) -> Mapping[str, Any]:
    """In one life, to its end; the facts of its steps."""
    status, screen = rehearse(directory, plan_file, {**answers, **shares(directory, plan_file)}, look=look)
    assert status == 0, screen
    check_no_word_is_shown(directory, plan_file, screen)
    verified(directory, plan_file)
    transcript = outputs(directory, plan_file) / f"{plan_file.plan.name}.transcript.json"
    steps = json.loads(transcript.read_bytes())["steps"]
    return {entry["step"]: entry["facts"] for entry in (json.loads(step["entry"]) for step in steps)}


def check_no_word_is_shown(directory: Path, plan_file: PlanFile, screen: str) -> None:
    """Of any share, typed or not: single words are in other texts too, so each with its neighbour."""
    shown = " ".join(screen.split())
    for person in plan_file.plan.in_role(Role.CUSTODIAN):
        words = words_of(directory / "place", person.name)
        assert not [one for one, other in pairwise(words) if f"{one} {other}" in shown]


def test_a_split_key_signs_two_messages_for_its_quorum_and_is_let_go(split: Path) -> None:
    plan_file = a_recovery_plan(CeremonyKind.COMBINE, "combine-recovery")
    given = outputs(split, plan_file)
    given.mkdir()
    eui = deployment(split / "place").keys["recovery"].eui
    assert eui is not None
    for name, device in {"asked-1": "device-1", "asked-2": "device-2", "of-another": "-"}.items():
        recipient = DEVICES.get(device, SOMEBODY_S)
        octets = compose_command(code=ANY_BY_RECOVERY, originator=eui, recipient=recipient, counter=next(_counters))
        (given / name).write_bytes(octets)
    answers: Mapping[str, Answer] = {
        "Type COMBINE": ["combine", "COMBINE"],
        "message or done": ["more", "message", "message", "message", "done"],
        "Message 1": ["asked-0", "of-another", "asked-1"],
        "Message 2": "asked-2",
    }
    facts = conduct(split, plan_file, answers, look_into_memory(split, plan_file))
    (used,) = facts["combine-and-use"]["keys"]
    assert used["quorums"] == [["custodian-1", "custodian-2"]]
    assert [use["state"] for use in used["uses"]] == ["signed", "signed"]
    assert facts["let-go"]["keys"][0]["absent"] is True
    assert len([*given.glob("recovery.use-*.signed")]) == 2
    # The whole deployment, its ledger, what the ceremonies gave, transcripts taken apart, and pages: after all of it.
    own = deployment(split / "place").directory
    assert looked_for(split, plan_file).told_in(split) == {own / "pin", own / "so-pin"}


def looked_for(directory: Path, plan_file: PlanFile) -> LookedFor:
    custodians = [person.name for person in plan_file.plan.in_role(Role.CUSTODIAN)]
    return LookedFor.in_place(directory / "place", custodians, deployment(directory / "place"))


def look_into_memory(directory: Path, plan_file: PlanFile) -> Look:
    """When words were typed, and when the key was used and is about to be let go."""

    def look(conductor: Conductor) -> None:
        secrets = looked_for(directory, plan_file)
        conductor.to("Who hands in")
        conductor.give("custodian-1")
        conductor.to("Who hands in")
        check_typed_words_are_in_one_process(conductor, secrets)
        conductor.give("custodian-2")
        go_to(conductor, plan_file, "let-go")
        check_nothing_is_left(conductor, secrets)
        conductor.give(ENTER)

    return look


def go_to(conductor: Conductor, plan_file: PlanFile, step: str) -> None:
    conductor.to(f"Press Enter to begin step {plan_file.plan.steps.index(step) + 1} of")


def check_typed_words_are_in_one_process(conductor: Conductor, secrets: LookedFor) -> None:
    """The one that holds secrets has them as they were typed, so the search finds what is there. The other, through
    which they passed, has given them back, and what is given back is overwritten."""
    if os.geteuid() == 0:
        (custody,) = children(conductor.pid)
        assert written_in_memory(custody, secrets.in_memory()) == secrets.typed("custodian-1")
        assert written_in_memory(conductor.pid, secrets.in_memory()) == set()


def check_nothing_is_left(conductor: Conductor, secrets: LookedFor) -> None:
    """In what root would read in a core image of the conductor, which leaves none, but the module's own PIN: it is kept
    to log in again. The process that held secrets has ended."""
    assert children(conductor.pid) == []
    if os.geteuid() == 0:
        left = written_in_memory(conductor.pid, secrets.in_memory() | secrets.pins())
        assert left == {secrets.deployment.pin.encode()}


def test_every_custodian_proves_his_share_by_envelope_or_by_words(split: Path) -> None:
    facts = conduct(split, a_recovery_plan(CeremonyKind.VERIFY_SHARES, "verify-recovery"), {})
    (key,) = facts["prove-shares"]["keys"]
    assert sorted(key["proven"]) == ["custodian-1", "custodian-2", "custodian-3"]
    assert key["stands"].startswith("fine")


def test_new_shares_take_the_place_of_the_old_ones(split: Path) -> None:
    plan_file = a_recovery_plan(CeremonyKind.RESHARE, "reshare-recovery")
    plan_file = written(of_generation(2)(plan_file.plan))
    old = [*["destroy"] * 3, *["destroyed"] * 3]
    facts = conduct(split, plan_file, {"Type RESHARE": "RESHARE", r"missing\?": old})
    (key,) = facts["retire-old-shares"]["keys"]
    assert key["missing"] == []
    assert len(key["retired"]) == 6
