"""Do the shares bring the key back, before it goes? Every one is opened by its custodian, every one joins in a quorum.

SEC G2.44B, G5.13(a). A share that was never opened, or a quorum that was never tried, is found out too late.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from keybroker.ceremony.custody_child import Custody, opened_custody
from keybroker.ceremony.kept_sets import KeptSet
from keybroker.ceremony.performing import by_module_quorum
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.handing_in import WORDS_OF_A_SHARE, custodians, hand_in_envelope
from keybroker.ceremony.performing.joining import (
    expect,
    found_blob,
    held_by_quorum,
    opened_pair,
    own_set,
    trial_label,
)
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import Participant, PlannedKey
from keybroker.ceremony.room import Answered
from keybroker.errors import ModuleDisagrees
from keybroker.ledger.canonical_json import Json

_NO_PAPER = "none"


def open_shares(stage: Stage) -> Done:
    """Each custodian opens his envelope; it is held against the set, and printed where he wants it on paper."""
    told: list[Json] = []
    for key in stage.plan.keys:
        kept = own_set(stage, key.label)
        with opened_custody() as custody:
            expect(stage, custody, kept)
            opened = [_opened(stage, custody, kept, person) for person in custodians(stage, kept.share_set)]
        told.append({"key": key.label, "opened": [*opened], "set_sha256": kept.share_set.sha256.hex()})
    return Done(facts={"keys": told})


def _opened(stage: Stage, custody: Custody, kept: KeptSet, person: Participant) -> dict[str, Json]:
    index = hand_in_envelope(stage, custody, kept.share_set, person)
    printed = _print(stage, custody, person)
    stage.room.progress("shares opened", index, kept.share_set.count)
    return {"custodian": person.name, "envelope_sha256": kept.envelopes[person.name], "index": index, "paper": printed}


def _print(stage: Stage, custody: Custody, person: Participant) -> bool:
    """On paper, read back from it in the same step; nothing of either is kept here. Raises: Paused."""
    question = f"Printer for the share of {person.name}, or none?"
    printer = stage.room.ask(question, _PAPER, partial(_printed, custody, person.name))
    if printer == _NO_PAPER:
        return False
    told = "Words and first letters as on the paper that has just come out. Nothing that is typed is shown."
    asked = f"{person.name} reads his paper back: he types its words."
    stage.room.ask_words(asked, told, WORDS_OF_A_SHARE, partial(custody.check_read_back, person.name))
    return True


def _printed(custody: Custody, name: str, answer: str) -> str:
    """Raises: Answered where it cannot be printed there."""
    printer = answer.strip()
    if printer.lower() == _NO_PAPER:
        return _NO_PAPER
    try:
        custody.print_share(name, printer)
    except ModuleDisagrees as refused:
        raise Answered(refused.sentence) from refused
    return printer


def trial_quorum(stage: Stage) -> Done:
    """As many quorums as it takes for every share to join in one; each gives the registered key, in the session."""
    if by_module_quorum.is_conducted(stage):
        return by_module_quorum.try_quorum(stage)
    told: list[Json] = []
    for key in stage.plan.keys:
        kept = own_set(stage, key.label)
        blob = found_blob(stage, kept)
        with opened_custody() as custody:
            expect(stage, custody, kept)
            people = custodians(stage, kept.share_set)
            for number, person in enumerate(people, start=1):
                hand_in_envelope(stage, custody, kept.share_set, person)
                stage.room.progress("shares", number, len(people))
            groups = trial_groups([person.name for person in people], kept.share_set.threshold)
            with opened_pair(stage.hall.token, stage.plan.name) as pair:
                for number, group in enumerate(groups, start=1):
                    with held_by_quorum(stage, key, blob, custody, group, pair, label=trial_label(key.label)):
                        stage.room.progress("quorums tried", number, len(groups))
        told.append(_tried(key, kept, groups, blob.identity))
    return Done(facts={"keys": told})


def _tried(key: PlannedKey, kept: KeptSet, groups: Sequence[Sequence[str]], identity: bytes) -> dict[str, Json]:
    return {
        "key": key.label,
        "public_key_sha256": sha256(identity).hexdigest(),
        "quorums": [[*group] for group in groups],
        "set_sha256": kept.share_set.sha256.hex(),
    }


def trial_groups(names: Sequence[str], threshold: int) -> tuple[tuple[str, ...], ...]:
    """Quorums in which everybody takes part at least once, as few as there can be.

    The last one is filled up from the beginning: of five names and a threshold of two the third is of the fifth and the
    first. ``threshold`` is at most the number of names.
    """
    around = [*names, *names]
    return tuple(tuple(around[start : start + threshold]) for start in range(0, len(names), threshold))


_PAPER = (
    "The device of a printer (such as /dev/usb/lp0), if this custodian also keeps his share on paper; else none. The"
    " printer keeps nothing: one without a memory of its own, on a cable. A file is refused."
)
