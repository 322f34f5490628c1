"""The Contingency Private Key and its Symmetric Key go into parts together, and come back together. SEC G2.44B(b)."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from keybroker.ceremony.book import Held
from keybroker.ceremony.kept_sets import newest_set
from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile
from keybroker.content.decoding import decode
from keybroker.hsm.destruction import is_absent
from keybroker.hsm.verify import Verifier
from keybroker.terms import ContentKind, KeyLabel, KeyPurpose, KeyState
from tests.ceremony.module_quorum import ByModule, by_luna
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.scripted import Answer
from tests.ceremony.shared import Rehearsed, of_generation
from tests.messages import ANY_BY_CONTINGENCY, compose_command
from tests.situations import a_policy

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]
KEY, SYMMETRIC = KeyLabel("contingency"), KeyLabel("contingency-symmetric")
BOTH = {KEY, SYMMETRIC}


class Contingency(Rehearsed):
    """Both keys in every plan."""

    def plan(self, kind: CeremonyKind, name: str, change: Callable[[Plan], Plan] = lambda plan: plan) -> PlanFile:
        keys = (a_key(KeyPurpose.CONTINGENCY_COMMAND, KEY), a_key(KeyPurpose.CONTINGENCY_SYMMETRIC, SYMMETRIC))
        file = a_plan(kind, keys[0], name=name, threshold=self.threshold, count=self.count)
        return written(change(file.plan.model_copy(update={"keys": keys})))

    def states(self) -> set[KeyState]:
        """Of both, and that no module holds either."""
        with self.hall(self.directory) as hall:
            assert all(is_absent(hall.token, label) for label in BOTH)
            keys = hall.line.register.refresh().keys
            return {keys[label].state for label in BOTH}

    def point(self) -> bytes:
        with self.hall(self.directory) as hall:
            return hall.line.register.refresh().keys[KEY].public_key

    def usual(self, given: Path) -> dict[str, Answer | list[Answer]]:
        """Each key has media and custodians of its own; what is known by both is asked of each in turn."""
        custodians: list[Answer] = ["custodian-1", "custodian-2", "custodian-2", "custodian-3"]
        return {"Who hands in": custodians, **_envelopes(self.directory, given), **_without(super().usual(given))}


def _without(usual: dict[str, Answer | list[Answer]]) -> dict[str, Answer | list[Answer]]:
    return {word: answer for word, answer in usual.items() if word not in ("Who hands in", "Envelope of")}


def _envelopes(directory: Path, given: Path) -> dict[str, Answer | list[Answer]]:
    """The Contingency key's first, the Symmetric Key's after it: each two custodians, of other ceremonies."""
    asked: list[str] = []

    def envelope(question: str) -> str:
        name = question.removeprefix("Envelope of ").removesuffix("?")
        label = (KEY, SYMMETRIC)[len(asked) // 2]
        asked.append(name)
        found = [*directory.glob(f"*.here/{label}.generation-*.{name}.share")]
        return str(max((file for file in found if file.parent != given), key=lambda file: file.stat().st_mtime_ns))

    return {"Envelope of": envelope}


def facts(held: Held, step: str) -> dict[str, Any]:
    """By key."""
    return {each["key"]: each for each in json.loads(json.dumps(held.facts(step)))["keys"]}


def test_no_policy_permits_an_operation_of_the_symmetric_key() -> None:
    policy = a_policy(KeyPurpose.CONTINGENCY_SYMMETRIC)
    assert not policy.operations
    assert not policy.content_kinds
    assert not policy.caller_kinds


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Contingency:
    """Split in one ceremony."""
    rehearsed = Contingency(directory=tmp_path_factory.mktemp("contingency"))
    rehearsed.run(rehearsed.plan(CeremonyKind.SPLIT, "split-contingency"), {})
    return rehearsed


def test_each_has_shares_of_its_own_and_nothing_of_either_is_in_the_module(together: Contingency) -> None:
    with together.hall(together.directory) as hall:
        split = hall.book.get("split-contingency")
    sets = {label: told["set_sha256"] for label, told in facts(split, "share-key").items()}
    assert set(sets) == BOTH
    assert len(set(sets.values())) == 2
    assert {*facts(split, "trial-quorum")} == {*facts(split, "destroy-in-module")} == BOTH
    assert together.states() == {KeyState.SPLIT}


def test_a_quorum_signs_an_approved_contingency_command_and_the_symmetric_key_joins_and_signs_nothing(
    together: Contingency,
) -> None:
    eui = together.deployment.keys[KEY].eui
    assert eui is not None
    message = compose_command(code=ANY_BY_CONTINGENCY, originator=eui, counter=7)
    # The very message is named for the Symmetric Key too.
    asked: dict[str, Answer | list[Answer]] = {
        "message or done": ["message", "done", "message", "done"],
        "Message ": ["asked-1", "asked-1"],
    }
    combined = together.combine([message], uses=2, name="combine-contingency", answers=asked)
    used, let_go = facts(combined, "combine-and-use"), facts(combined, "let-go")
    assert {label: told["quorums"] for label, told in used.items()} == {
        KEY: [["custodian-1", "custodian-2"]],
        SYMMETRIC: [["custodian-2", "custodian-3"]],
    }
    assert {label: (told["absent"], told["times_used"]) for label, told in let_go.items()} == {
        KEY: (True, 1),
        SYMMETRIC: (True, 0),
    }
    given = together.given("combine-contingency")
    assert [file.name for file in given.glob("*.signed")] == [f"{KEY}.use-1.signed"]
    (refused,) = [told for told in together.room.told if told.startswith("Not signed")]
    assert "more findings refuse" in refused
    signed = (given / f"{KEY}.use-1.signed").read_bytes()
    Verifier(together.point()).check(signed[-64:], decode(ContentKind.COMMAND, message, ()).sha256)
    assert used[KEY]["uses"][0]["message_sha256"] == sha256(message).hexdigest()
    assert together.states() == {KeyState.SPLIT}


def test_both_are_shared_anew(together: Contingency) -> None:
    with together.hall(together.directory) as hall:
        old = {label: newest_set(hall.book, label).share_set.sha256.hex() for label in BOTH}
    reshared = together.run(together.plan(CeremonyKind.RESHARE, "reshare-2", of_generation(2)), {})
    assert {label: told["old_set_sha256"] for label, told in facts(reshared, "reshare-key").items()} == old
    with together.hall(together.directory) as hall:
        assert {newest_set(hall.book, label).share_set.generation for label in BOTH} == {2}
    assert together.states() == {KeyState.SPLIT}


class ByModuleTogether(ByModule):
    """Both keys under a module's own quorum."""

    def plan(self, kind: CeremonyKind, name: str, change: Callable[[Plan], Plan] = lambda plan: plan) -> PlanFile:
        return by_luna(Contingency.plan(cast("Contingency", self), kind, name, change).plan)


def test_a_modules_own_quorum_holds_both_and_gives_both_back(tmp_path: Path) -> None:
    rehearsed = ByModuleTogether(directory=tmp_path)
    split = facts(rehearsed.run(rehearsed.plan(CeremonyKind.SPLIT, "split-contingency"), {}), "destroy-in-module")
    assert {label: told["away"]["tried"] for label, told in split.items()} == dict.fromkeys(
        BOTH, "no handle by which it could be asked"
    )
    eui = rehearsed.deployment.keys[KEY].eui
    assert eui is not None
    asked: dict[str, Answer | list[Answer]] = {
        "Who presents a card": ["custodian-1", "custodian-2", "custodian-3", "custodian-1"],
        "message or done": ["message", "done"],
    }
    message = compose_command(code=ANY_BY_CONTINGENCY, originator=eui, counter=7)
    combined = rehearsed.combine([message], name="combine-contingency", answers=asked)
    assert {label: told["times_used"] for label, told in facts(combined, "let-go").items()} == {KEY: 1, SYMMETRIC: 0}
    assert {label: len(told["quorums"]) for label, told in facts(combined, "combine-and-use").items()} == {
        KEY: 1,
        SYMMETRIC: 1,
    }
