"""How is a key used that a module's own quorum holds? It is brought in, signs what was approved, and is taken away.

The maker's tool brings it into the broker's reach as an object of the token, by cards of those whose names the ceremony
takes down. So it does not go with this process: whoever interrupts a use leaves a key in the module that the register
calls "combined" and the gates of every broker refuse, until the ceremony is resumed. SEC G2.44B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from keybroker.ceremony.performing.by_module_quorum import away, facts_of, numbers_of, policy_of, tell
from keybroker.ceremony.performing.conducted import ask_evidence, objects_of
from keybroker.ceremony.performing.handing_in import one_of
from keybroker.ceremony.performing.sharing_out import registered
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey, Role
from keybroker.ceremony.quorum import what_stands
from keybroker.ceremony.quorum_sets import QuorumSet
from keybroker.ceremony.room import Answered, Paused
from keybroker.gates.model import QuorumStand
from keybroker.hsm.quorum_held import check_usable
from keybroker.ledger.canonical_json import Json, decode, encode
from keybroker.signing import Line
from keybroker.terms import KeyLabel


def left_behind(stage: Stage, key: PlannedKey, held: QuorumSet) -> None:
    """What an interruption left in the module goes first: whoever uses the key presents his card for it."""
    if objects_of(stage.hall.token, key.label):
        stage.room.tell(f"{key.label} stands in the module still, since this was interrupted.")
        take_away(stage, key, held)


def ask_present(stage: Stage, key: PlannedKey, held: QuorumSet) -> tuple[str, ...]:
    """Who presents his card, as many as it takes, in any order. Raises: Paused."""
    here = tuple(person.name for person in stage.plan.in_role(Role.CUSTODIAN) if person.name in held.cards)
    present: list[str] = []
    while len(present) < held.threshold:
        left = tuple(name for name in here if name not in present)
        if not left:
            raise Paused("Too few custodians of this quorum are in the room.")
        told = f"Any of these, in any order: {', '.join(left)}."
        name = stage.room.ask(f"Who presents a card of {key.label}?", told, partial(_one_left, here, tuple(present)))
        present.append(name)
        stage.room.facts({"custodian": name, "card": held.cards[name]})
        stage.room.progress("cards", len(present), held.threshold)
    return tuple(present)


@contextmanager
def brought_in(stage: Stage, key: PlannedKey, held: QuorumSet, present: Sequence[str]) -> Iterator[Line]:
    """The line with the quorum in the room, while the module shows the key; taken away at the end, by people.

    Raises: ModuleDisagrees where another key, or a weaker one, was brought in; Paused.
    """
    token, label = stage.hall.token, KeyLabel(key.label)
    facts = facts_of(stage, held.mechanism)
    tell(stage, key, f"{key.label} is brought in by {', '.join(present)}.", facts.join, numbers_of(held))
    keep_evidence(stage, key, ask_evidence(stage, key.label))
    check_usable(token, label, policy_of(stage, key), registered(stage, key).public_key)
    token.serve_brought_in(label)
    stand = QuorumStand(
        key=label,
        ceremony=stage.plan.name,
        set_sha256=held.sha256.hex(),
        threshold=held.threshold,
        present=frozenset(present),
        plan_sha256=stage.held.plan_file.sha256.hex(),
        until=stage.plan.valid_until,
    )
    try:
        yield replace(stage.hall.line, quorum=stand)
    finally:
        # From here on this process serves it no more; that it is taken away, people see to.
        token.let_go(label)
    take_away(stage, key, held)


def take_away(stage: Stage, key: PlannedKey, held: QuorumSet) -> None:
    """Where the broker's login still sees it: the maker's commands, until it does not. Raises: ModuleDisagrees."""
    if objects_of(stage.hall.token, key.label):
        facts = facts_of(stage, held.mechanism)
        tell(stage, key, f"{key.label} is taken away.", facts.let_go, numbers_of(held))
        keep_evidence(stage, key, ask_evidence(stage, key.label))
    away(stage, key)


def keep_evidence(stage: Stage, key: PlannedKey, evidence: Sequence[str]) -> None:
    """In a file while the ceremony goes on, so that an interruption loses none of it."""
    stage.hall.write(_file(key), encode({"evidence": [*evidence_of(stage, key), *evidence]}))


def evidence_of(stage: Stage, key: PlannedKey) -> list[Json]:
    """SHA-256 of what the tool showed for this key in this ceremony, so far."""
    file = stage.hall.directory / _file(key)
    found = decode(file.read_bytes())["evidence"] if file.is_file() else []
    return found if isinstance(found, list) else []


def shown_cards(stage: Stage, key: PlannedKey, held: QuorumSet) -> dict[str, Json]:
    """``prove-shares``: who showed his card to the maker's tool, and what follows. Raises: Paused."""
    check = partial(one_of, ("shown", "lost"))
    shown = [
        name
        for name in held.cards
        if stage.room.ask(f"{name}: card shown or lost?", f"Card {held.cards[name]}. {_SHOWN}", check) == "shown"
    ]
    evidence = ask_evidence(stage, key.label)
    said = what_stands(len(shown), held.threshold)
    stage.room.facts({"key": key.label, "shown": len(shown), "needed": held.threshold, "stands": said})
    return {
        "away": away(stage, key),
        "evidence": [*evidence],
        "key": key.label,
        "lost": [name for name in held.cards if name not in shown],
        "set_sha256": held.sha256.hex(),
        "shown": [*shown],
        "stands": said,
        "threshold": held.threshold,
    }


def _one_left(here: tuple[str, ...], present: tuple[str, ...], answer: str) -> str:
    """Raises: Answered."""
    name = one_of(here, answer)
    if name in present:
        raise Answered(f"{name} presented his card before: another custodian is asked for")
    return name


def _file(key: PlannedKey) -> str:
    return f"{key.label}.evidence.json"


_SHOWN = (
    "shown: it was put into the module's reader or pad, with his own secret, and the tool read it; who is not here"
    " brings what shows it. lost: nobody can say that."
)
