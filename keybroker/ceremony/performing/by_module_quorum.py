"""How does a module's own quorum come to hold a key, and how do new cards take the place of old? People do it.

The ceremony prints the maker's commands, has the key looked for and tried before and after, names who holds which card
and where the copies are that the cards open, and takes in what shows that it was carried out (SEC G2.44B). What the
maker's tool did inside the module nobody here can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256

from keybroker.ceremony.kept_sets import every_set
from keybroker.ceremony.performing.conducted import ask_evidence, tell_commands
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.handing_in import one_of
from keybroker.ceremony.performing.sharing_out import check_generation, quorum_of, registered, terms_of
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import SLIP39, PlannedKey, Role
from keybroker.ceremony.quorum_sets import QuorumSet, newest_quorum, quorum_given_out, quorum_sets
from keybroker.ceremony.room import Answered
from keybroker.errors import NotPermitted
from keybroker.hsm.profile_sections import QuorumFacts
from keybroker.hsm.quorum_held import check_away, check_usable
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import AddCopy, ConfirmCopyDestroyed
from keybroker.ledger.canonical_json import Json
from keybroker.policy.model import Policy
from keybroker.terms import KeyLabel

_LONGEST = 120
_SAID = "destroyed, or made useless by the maker's tool, as those who sign say"
_LIVE = "an old card or copy is not accounted for: with enough others it opens what it opened. Rotate the key"
_RETIRED = "every old card and copy is accounted for"


def is_conducted(stage: Stage) -> bool:
    """Does the plan put the key under the module's own quorum?"""
    return terms_of(stage).mechanism != SLIP39


def facts_of(stage: Stage, mechanism: str) -> QuorumFacts:
    """The maker's commands for it. Raises: NotPermitted where this module has another."""
    facts, title = stage.hall.token.profile.quorum, stage.hall.token.profile.title
    if facts.adapter.value != mechanism:
        raise NotPermitted(f"the key is held by {mechanism}, and {title} has {facts.adapter} (G2.44B)")
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the ceremony knows of a quorum, and fills in where the maker's command has it in braces."""

    threshold: int
    count: int
    generation: int

    def filled(self, command: str, label: str) -> str:
        for name, value in {"label": label, **asdict(self)}.items():
            command = command.replace(f"{{{name}}}", str(value))
        return command


def numbers_of(held: QuorumSet) -> Numbers:
    return Numbers(threshold=held.threshold, count=held.count, generation=held.generation)


def tell(stage: Stage, key: PlannedKey, what: str, commands: Sequence[str], numbers: Numbers) -> None:
    """The maker's commands for this key."""
    filled = [numbers.filled(command, key.label) for command in commands]
    tell_commands(stage, what, filled, tried=stage.hall.token.profile.quorum.tried)


def policy_of(stage: Stage, key: PlannedKey) -> Policy:
    return stage.hall.line.policies[key.purpose]


def put_under_quorum(stage: Stage) -> Done:
    """``share-key``: the key is whole and of use in the module meanwhile, and after; a broken attempt is begun anew."""
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        facts, known = facts_of(stage, terms_of(stage).mechanism), registered(stage, key).public_key
        _check_generation(stage, key.label)
        check_usable(stage.hall.token, KeyLabel(key.label), policy_of(stage, key), known)
        given, evidence = _given_out(stage, key, facts.split, f"{key.label} is put under {facts.adapter}.")
        # What the tool did to the key itself is seen before anybody relies on it.
        check_usable(stage.hall.token, KeyLabel(key.label), policy_of(stage, key), known)
        told.append({**given.told(), "evidence": [*evidence], "set_sha256": given.sha256.hex()})
        acts += _added(stage, given)
    return Done(facts={"keys": told}, acts=tuple(acts))


def replace_cards(stage: Stage) -> Done:
    """``reshare-key``: a quorum of the old cards has the tool give out new ones; the key is away before and after."""
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        facts, old = facts_of(stage, terms_of(stage).mechanism), newest_quorum(stage.hall.book, key.label)
        if old is None:
            raise NotPermitted(f"the ledger knows no quorum of {key.label}: it was not split in a ceremony here")
        _check_generation(stage, key.label)
        away(stage, key)
        given, evidence = _given_out(stage, key, facts.replace, f"New cards of {facts.adapter} for {key.label}.")
        told.append(
            {
                **given.told(),
                "away": away(stage, key),
                "evidence": [*evidence],
                "old_set_sha256": old.sha256.hex(),
                "set_sha256": given.sha256.hex(),
            }
        )
        acts += _added(stage, given)
    return Done(facts={"keys": told}, acts=tuple(acts))


def try_quorum(stage: Stage) -> Done:
    """``trial-quorum``: custodians present their cards to the maker's tool until everybody took part. What it showed is
    taken in: this software sees nothing of what the quorum's copy is."""
    told: list[Json] = []
    for key in stage.plan.keys:
        given = of_this_ceremony(stage, key)
        facts = facts_of(stage, given.mechanism)
        stage.room.tell(
            f"{given.threshold} custodians present their cards, the others after them, until everybody took part; each"
            " time the tool shows the key. Nothing of it is brought into the broker's reach now."
        )
        tell(stage, key, f"The quorum of {key.label} is tried.", facts.join, numbers_of(given))
        evidence = ask_evidence(stage, key.label)
        told.append(
            {
                "evidence": [*evidence],
                "key": key.label,
                "set_sha256": given.sha256.hex(),
                "shown_by": "the maker's tool, as those who sign saw it",
                "took_part": [*given.cards],
            }
        )
    return Done(facts={"keys": told})


def retire_old_cards(stage: Stage) -> Done:
    """``retire-old-shares``: every card and copy of earlier generations that is not accounted for yet."""
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        own, missing, retired = of_this_ceremony(stage, key), list[Json](), list[Json]()
        for place in _old_places(stage, own):
            check = partial(one_of, ("destroyed", "missing"))
            if stage.room.ask(f"Old: {place}: destroyed or missing?", _OLD, check) == "missing":
                missing.append(place)
                continue
            retired.append(place)
        old = {copy for each in quorum_sets(stage.hall.book, key.label, done=False) for copy in each.copies}
        acts += (
            ConfirmCopyDestroyed(label=KeyLabel(key.label), copy=copy, how=_SAID, searched=False)
            for copy in sorted(old, key=lambda copy: copy.place)
            if copy.place in retired
        )
        then = _LIVE if missing else _RETIRED
        told.append({"key": key.label, "missing": missing, "retired": retired, "then": then})
        stage.room.tell(f"{key.label}: {then}.")
    return Done(facts={"keys": told}, acts=tuple(acts))


def of_this_ceremony(stage: Stage, key: PlannedKey) -> QuorumSet:
    """Raises: NotPermitted where it gave out none."""
    given = quorum_given_out(stage.held, key.label)
    if given is None:
        raise NotPermitted(f"this ceremony has put {key.label} under no quorum")
    return given


def away(stage: Stage, key: PlannedKey) -> dict[str, Json]:
    """What was looked for and not found, and what the broker's own look-up says. Raises: ModuleDisagrees."""
    token, label, known = stage.hall.token, KeyLabel(key.label), registered(stage, key)
    found = check_away(token, label, policy_of(stage, key), known.public_key)
    served = token.served(stage.hall.line.register.current())[label]
    if served.passed:
        raise NotPermitted(f"the broker would still serve {label}: it is not away")
    return {
        "broker": f"expected {served.expected}, found {served.found}",
        "looked_for": [*found.looked_for],
        "module": found.module_serial,
        "searched": found.searched,
        "tried": found.tried,
        "witness": found.witness,
    }


def _given_out(stage: Stage, key: PlannedKey, commands: Sequence[str], what: str) -> tuple[QuorumSet, Sequence[str]]:
    """As those in the room say, and SHA-256 of what the tool showed. Raises: Paused."""
    terms, quorum = terms_of(stage), quorum_of(stage)
    numbers = Numbers(threshold=quorum.threshold, count=quorum.count, generation=terms.generation)
    tell(stage, key, what, commands, numbers)
    cards: dict[str, str] = {}
    for person in stage.plan.in_role(Role.CUSTODIAN):
        check = partial(_another_card, tuple(cards.values()))
        cards[person.name] = stage.room.ask(f"What does {person.name} hold of {key.label}?", _CARD, check)
    places: list[str] = []
    for number in range(1, terms.copies + 1):
        site = terms.sites[(number - 1) % len(terms.sites)]
        question = f"Where is copy {number} of {terms.copies} of {key.label}, {site}?"
        places.append(f"{site}: {stage.room.ask(question, _COPY, partial(_another, site, tuple(places)))}")
    given = QuorumSet(
        ceremony=stage.plan.name,
        key=key.label,
        public_key_sha256=sha256(registered(stage, key).public_key).hexdigest(),
        mechanism=terms.mechanism,
        generation=terms.generation,
        threshold=quorum.threshold,
        cards=cards,
        places=tuple(places),
    )
    stage.room.digest(f"quorum of {key.label}", given.sha256)
    return given, ask_evidence(stage, key.label)


def _added(stage: Stage, given: QuorumSet) -> tuple[Act, ...]:
    """What the register does not know of yet: a copy that stands where one stood is the same."""
    label = KeyLabel(given.key)
    known = {each.copy for each in copies_of(stage.hall.book.journal.ledger, label) if each.destroyed is None}
    return tuple(AddCopy(label=label, copy=copy) for copy in given.copies if copy not in known)


def _old_places(stage: Stage, own: QuorumSet) -> tuple[str, ...]:
    label = KeyLabel(own.key)
    live = {each.copy for each in copies_of(stage.hall.book.journal.ledger, label) if each.destroyed is None}
    old = (copy for each in quorum_sets(stage.hall.book, own.key, done=False) for copy in each.copies)
    return tuple(dict.fromkeys(copy.place for copy in old if copy in live and copy not in own.copies))


def _check_generation(stage: Stage, label: str) -> None:
    """Raises: NotPermitted where this one, or a later, was given out before, or shares of ours hold the key."""
    check_generation(stage, label)
    name, planned = stage.plan.name, terms_of(stage).generation
    others = [each.generation for each in quorum_sets(stage.hall.book, label, done=False) if each.ceremony != name]
    if planned <= max(others, default=0):
        raise NotPermitted(f"cards of generation {max(others)} were given out for {label}; plan a later one")
    if any(each.share_set.ceremony != name for each in every_set(stage.hall.book, label)):
        stage.room.tell(f"Shares of ours were given out for {label} before: account for their blobs and envelopes.")


def _named(answer: str) -> str:
    """Raises: Answered."""
    said = answer.strip()
    if not 0 < len(said) <= _LONGEST or not said.isprintable():
        raise Answered(f"expected 1 to {_LONGEST} printable characters")
    return said


def _another_card(others: Sequence[str], answer: str) -> str:
    said = _named(answer)
    if said in others:
        raise Answered("another custodian holds that one: each has a card of his own")
    return said


def _another(site: str, others: Sequence[str], answer: str) -> str:
    said = _named(answer)
    if f"{site}: {said}" in others:
        raise Answered("another copy is there already: each has a place of its own")
    return said


_CARD = "The serial number that stands on his card or key. He takes it with him; nobody has two."
_COPY = (
    "Where it stands: a partition, a back-up device, a medium, by its serial number or name. It is of no use without a"
    " quorum's cards, and the cards are of no use without it."
)
_OLD = (
    "destroyed: the maker's tool, or the custodian, made it useless, and those who sign this step say so. missing:"
    " nobody can say that."
)
