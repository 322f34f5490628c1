"""How does a key become parts, and its whole go from the module? The first step and the last two of a split.

SEC G2.44B: "unusable for the purposes set out in G2.44 because of it being split into multiple parts". Until the last
step the module holds the key whole and everything can be begun anew; the last step is done only after the shares and
the copies were shown to bring the key back.
"""

from __future__ import annotations

from hashlib import sha256

from keybroker.ceremony.custody_child import opened_custody
from keybroker.ceremony.kept_sets import every_set
from keybroker.ceremony.performing import by_module_quorum
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.joining import own_set, read_back
from keybroker.ceremony.performing.sharing_out import (
    ask_copies,
    check_generation,
    copies_added,
    quorum_of,
    registered,
    share_copy,
    share_out,
    terms_of,
)
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.quorum_sets import quorum_sets
from keybroker.errors import NotPermitted
from keybroker.gates.split_key import obligation_of
from keybroker.hsm.destruction import Destruction, destroy_key
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import ConfirmCopyDestroyed, Copy, SplitKey
from keybroker.ledger.canonical_json import Json
from keybroker.terms import CopyKind, KeyLabel

HOW_DESTROYED = "C_DestroyObject in the module, and a search that finds another object"
_BEFORE = "wrapped, quorum-held: G2.44 stands"


def share_key(stage: Stage) -> Done:
    """Wrapped in the module, split in a process that holds secrets, sealed to each custodian.

    One that was killed has concluded nothing: the key is whole in the module. It is begun anew with a new wrapping key
    and a new set; envelopes of the broken attempt are replaced, and open nothing.
    """
    if by_module_quorum.is_conducted(stage):
        for key in stage.plan.keys:
            _check_whole_nowhere_else(stage, KeyLabel(key.label))
        return by_module_quorum.put_under_quorum(stage)
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        check_generation(stage, key.label)
        _check_whole_nowhere_else(stage, KeyLabel(key.label))
        copies = ask_copies(stage, key.label)
        with opened_custody() as custody:
            shared = share_out(stage, key, custody, copies)
        told.append(shared.facts)
        acts += copies_added(stage, shared.kept)
    stage.room.tell(
        "Each custodian takes the file that bears his name with him, from the ceremony's directory. It opens with his"
        " own key alone."
    )
    return Done(facts={"keys": told}, acts=tuple(acts))


def read_back_blobs(stage: Stage) -> Done:
    """Every copy, from where it is kept, is what was written."""
    told: list[Json] = []
    for key in stage.plan.keys:
        kept = own_set(stage, key.label)
        for number, copy in enumerate(kept.copies, start=1):
            read_back(stage, kept, number, copy)
            stage.room.progress("copies read back", number, len(kept.copies))
        places: list[Json] = [copy.place for copy in kept.copies]
        told.append({"blob_sha256": kept.blob, "key": key.label, "read_back": places})
    return Done(facts={"keys": told})


def destroy_in_module(stage: Stage) -> Done:
    """Destroyed, and searched for where a search finds something; where it is gone already, searched for."""
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        _check_whole_nowhere_else(stage, KeyLabel(key.label))
        destruction = destroy_key(stage.hall.token, KeyLabel(key.label))
        told.append({**_told(stage, key, destruction), **_held_since(stage, key)})
        acts += _acts(stage, key, destruction.module_serial)
    return Done(facts={"keys": told}, acts=tuple(acts))


def _check_whole_nowhere_else(stage: Stage, label: KeyLabel) -> None:
    """A key that stands whole in another module, a file or a back-up is in no parts. Raises: NotPermitted."""
    here = Copy(kind=CopyKind.MODULE, place=stage.hall.token.serial)
    sets = every_set(stage.hall.book, label)
    shares = [share_copy(kept, holder.custodian) for kept in sets for holder in kept.share_set.shares]
    # What a module's quorum opens is whole to nobody else.
    shares += [copy for given in quorum_sets(stage.hall.book, label, done=False) for copy in given.copies]
    for each in copies_of(stage.hall.book.journal.ledger, label):
        # What is wrapped is whole to nobody.
        if each.destroyed is None and each.copy.kind is not CopyKind.WRAPPED_BLOB and each.copy not in (here, *shares):
            raise NotPermitted(
                f"{label} stands whole elsewhere too ({each.copy.kind} {each.copy.place}): its parts would keep nobody"
                " from using it; have that copy destroyed, and confirmed (keybroker keys copies), then resume (G2.44B)"
            )


def _held_since(stage: Stage, key: PlannedKey) -> dict[str, Json]:
    """By which set; and where that is the module's own quorum, that the broker's login can do nothing with the key."""
    if by_module_quorum.is_conducted(stage):
        given = by_module_quorum.of_this_ceremony(stage, key)
        return {"away": by_module_quorum.away(stage, key), "set_sha256": given.sha256.hex()}
    return {"set_sha256": own_set(stage, key.label).share_set.sha256.hex()}


def _told(stage: Stage, key: PlannedKey, destruction: Destruction) -> dict[str, Json]:
    destroyed: list[Json] = [*destruction.destroyed]
    return {
        "destroyed": destroyed,
        "held_under": _held_under(stage, key),
        "how": HOW_DESTROYED,
        "key": key.label,
        "module": destruction.module_serial,
        "not_proven": [*destruction.unproven],
        "public_key_sha256": sha256(registered(stage, key).public_key).hexdigest(),
        "searched": destruction.searched,
    }


def _held_under(stage: Stage, key: PlannedKey) -> str:
    """Which clause the key is kept under from now on: claimed where the plan says so and the SMKI PMA did."""
    if not terms_of(stage).of_appendix_l:
        return _BEFORE
    return obligation_of(registered(stage, key), stage.hall.line.register.current().standing)


def _acts(stage: Stage, key: PlannedKey, serial: str) -> tuple[Act, ...]:
    quorum, label = quorum_of(stage), KeyLabel(key.label)
    here = [
        each.copy
        for each in copies_of(stage.hall.book.journal.ledger, label)
        if each.destroyed is None and each.copy.kind is CopyKind.MODULE and each.copy.place == serial
    ]
    return (
        SplitKey(label=label, quorum=quorum.threshold, parts=quorum.count),
        *(ConfirmCopyDestroyed(label=label, copy=copy, how=HOW_DESTROYED, searched=True) for copy in here),
    )
