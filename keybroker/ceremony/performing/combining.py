"""How is a split key used? A quorum joins it for the approved messages, it signs them on the line, and it is let go.

SEC G2.44B, and the SMKI PMA's decision (SMKI Recovery Procedure). The register says "combined" before the module holds
the key, the line's own gates look for quorum and approval at each message, and the ledger counts. Killed meanwhile, the
session's key is gone with the process: shares are handed in again where a message is still to be signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from keybroker.ceremony.custody_child import opened_custody
from keybroker.ceremony.kept_sets import KeptSet
from keybroker.ceremony.performing import by_module_quorum
from keybroker.ceremony.performing.by_module_quorum_used import (
    ask_present,
    brought_in,
    evidence_of,
    left_behind,
    take_away,
)
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.handing_in import hand_in_quorum, one_of
from keybroker.ceremony.performing.joining import expect, found_blob, held_by_quorum, opened_pair, own_set
from keybroker.ceremony.performing.sharing_out import registered
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.performing.using import next_message, times_used, unfinished, use, uses_left, uses_of
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.quorum_sets import QuorumSet, newest_quorum
from keybroker.errors import ModuleDisagrees
from keybroker.gates.model import QuorumStand
from keybroker.hsm.destruction import is_absent
from keybroker.keys.acts import Act
from keybroker.keys.administration import administer
from keybroker.keys.life_acts import CeremonyWord, CombineKey, RejoinKey
from keybroker.ledger.canonical_json import Json, decode, encode
from keybroker.signing import Line
from keybroker.terms import KeyLabel, KeyState

_THEN = (
    "joining exposed the wrapping key to the memory of one process: a new wrapping key and new shares follow (reshare)"
)

_THEN_CARDS = "the cards go back to where each is kept; what the quorum opened is its alone again"


def combine_and_use(stage: Stage) -> Done:
    """Every key of the plan, one after the other; each is let go before the next is joined."""
    # What a process that was killed left open is closed, so that it can be asked for again: how it ended, nobody knows.
    stage.hall.book.journal.close_open_intents(stage.hall.now())
    return Done(facts={"keys": [_combine(stage, key) for key in stage.plan.keys]})


def _combine(stage: Stage, key: PlannedKey) -> dict[str, Json]:
    held = newest_quorum(stage.hall.book, key.label)
    if held is not None:
        return _combine_in_module(stage, key, held)
    kept = own_set(stage, key.label)
    if _goes_on(stage, key):
        with _joined(stage, key, kept) as line:
            _use_all(stage, key, line)
    return {
        "key": key.label,
        "quorums": _quorums(stage, key),
        "set_sha256": kept.share_set.sha256.hex(),
        "threshold": kept.share_set.threshold,
        "uses": [*uses_of(stage, KeyLabel(key.label))],
    }


def _combine_in_module(stage: Stage, key: PlannedKey, held: QuorumSet) -> dict[str, Json]:
    """By the module's own quorum: the maker's tool brings the key in and takes it away."""
    by_module_quorum.facts_of(stage, held.mechanism)
    left_behind(stage, key, held)
    if _goes_on(stage, key):
        present = ask_present(stage, key, held)
        _record_combined(stage, key, present)
        with brought_in(stage, key, held, present) as line:
            _use_all(stage, key, line)
    return {
        "evidence": evidence_of(stage, key),
        "key": key.label,
        "quorums": _quorums(stage, key),
        "set_sha256": held.sha256.hex(),
        "threshold": held.threshold,
        "uses": [*uses_of(stage, KeyLabel(key.label))],
    }


def _use_all(stage: Stage, key: PlannedKey, line: Line) -> None:
    for message in unfinished(stage, key):
        use(stage, line, message)
    while _asks_for_more(stage, key):
        use(stage, line, next_message(stage, key))


def _goes_on(stage: Stage, key: PlannedKey) -> bool:
    """The first time, always; after it was interrupted, where something is left to be signed. Raises: Paused."""
    if registered(stage, key).state is KeyState.SPLIT or unfinished(stage, key):
        return True
    if uses_left(stage, key) == 0:
        return False
    told = "more: the shares are handed in again, for messages that are left. done: nothing else is signed."
    return stage.room.ask("more or done?", told, partial(one_of, ("more", "done"))) == "more"


def _asks_for_more(stage: Stage, key: PlannedKey) -> bool:
    """Raises: Paused."""
    left = uses_left(stage, key)
    if left == 0:
        stage.room.tell("Every use that was approved is taken.")
        return False
    stage.room.facts({"uses that are left": left})
    told = "message: the next approved message is signed. done: nothing else is, and the key is let go."
    return stage.room.ask("message or done?", told, partial(one_of, ("message", "done"))) == "message"


@contextmanager
def _joined(stage: Stage, key: PlannedKey, kept: KeptSet) -> Iterator[Line]:
    """The line with the quorum in the room, while the module holds the key in a session."""
    blob, label = found_blob(stage, kept), KeyLabel(key.label)
    with ExitStack() as held:
        with opened_custody() as custody, opened_pair(stage.hall.token, stage.plan.name) as pair:
            expect(stage, custody, kept)
            present = hand_in_quorum(stage, custody, kept.share_set)
            _record_combined(stage, key, present)
            held.enter_context(held_by_quorum(stage, key, blob, custody, present, pair, label=label))
        # From here on the shares are nowhere but with their custodians.
        yield replace(stage.hall.line, quorum=_stand(stage, key, kept, present))


def _record_combined(stage: Stage, key: PlannedKey, present: Sequence[str]) -> None:
    """By the word of the entry that was signed last; it stands before the module holds the key."""
    quorums: list[Json] = [*_quorums(stage, key), [*present]]
    stage.hall.write(_quorums_file(key), encode({"quorums": quorums}))
    if registered(stage, key).state is KeyState.COMBINED:
        return
    hall, word = stage.hall, CeremonyWord(ceremony=stage.plan.name, entry=bytes.fromhex(stage.held.previous))
    act = CombineKey(label=KeyLabel(key.label))
    administer(hall.book.journal, hall.book.actor, act, hall.now(), ceremony=word)
    hall.line.register.refresh()


def _quorums(stage: Stage, key: PlannedKey) -> list[Json]:
    """Who joined the key in this ceremony, each time that it was joined; kept in a file while it goes on."""
    file = stage.hall.directory / _quorums_file(key)
    quorums = decode(file.read_bytes())["quorums"] if file.is_file() else []
    return quorums if isinstance(quorums, list) else []


def _quorums_file(key: PlannedKey) -> str:
    return f"{key.label}.quorums.json"


def _stand(stage: Stage, key: PlannedKey, kept: KeptSet, present: Sequence[str]) -> QuorumStand:
    return QuorumStand(
        key=KeyLabel(key.label),
        ceremony=stage.plan.name,
        set_sha256=kept.share_set.sha256.hex(),
        threshold=kept.share_set.threshold,
        present=frozenset(present),
        plan_sha256=stage.held.plan_file.sha256.hex(),
        until=stage.plan.valid_until,
    )


def let_go(stage: Stage) -> Done:
    """Nothing of it is in the module, and the register says that it stands in parts again."""
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        label, held = KeyLabel(key.label), newest_quorum(stage.hall.book, key.label)
        stage.hall.token.let_go(label)
        if held is not None:
            take_away(stage, key, held)
        absent = is_absent(stage.hall.token, label)
        if not absent:
            raise ModuleDisagrees(
                f"the module still shows {label}, which stands in parts: destroy what is there, resume"
            )
        uses = uses_of(stage, label)
        seen: dict[str, Json] = {} if held is None else {"away": by_module_quorum.away(stage, key)}
        then = _THEN if held is None else _THEN_CARDS
        told.append(
            {"absent": absent, "key": key.label, "then": then, "times_used": times_used(uses), "uses": [*uses], **seen}
        )
        stage.room.tell(f"{key.label} is let go. What follows: {then}.")
        if registered(stage, key).state is KeyState.COMBINED:
            acts.append(RejoinKey(label=label))
    return Done(facts={"keys": told}, acts=tuple(acts))
