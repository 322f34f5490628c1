"""How do other shares take the place of those that were given out? In the module: no wrapping key is used twice.

SEC G2.44B, G5.13(b). A quorum of the old set joins the key in a session of the module, as one that may leave wrapped
once more, and the module wraps it under a new wrapping key, which is split anew. Wrapping the blob anew outside would
put the private key into host memory. Old shares count as live until every blob of theirs is accounted for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from keybroker.ceremony.blobs import BlobCopy, is_copy
from keybroker.ceremony.custody_child import opened_custody
from keybroker.ceremony.erasing import erase_file
from keybroker.ceremony.kept_sets import KeptSet, every_set, newest_set
from keybroker.ceremony.performing import by_module_quorum
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.handing_in import hand_in_quorum, one_of
from keybroker.ceremony.performing.joining import expect, found_blob, held_by_quorum, opened_pair, own_set
from keybroker.ceremony.performing.sharing_out import (
    SharedOut,
    ask_copies,
    blob_copy,
    check_generation,
    copies_added,
    registered,
    share_copy,
    share_out,
)
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.room import Answered
from keybroker.errors import LedgerUnavailable
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import CombineKey, ConfirmCopyDestroyed, Copy, RejoinKey
from keybroker.ledger.canonical_json import Json
from keybroker.terms import KeyLabel, KeyState

_ERASED = "overwritten and removed here; that the medium keeps no trace of it is not proven"
_SAID = "destroyed elsewhere, as those who sign say"
_ROTATE = (
    "an old blob is not accounted for: whoever finds it and joins old shares has the key. Rotate the key; until then"
    " every old share counts as live"
)
_RETIRED = "every old blob is accounted for: old shares open nothing that is known"


def reshare_key(stage: Stage) -> Done:
    """One that was killed has concluded nothing: the old set counts, and the session's key is gone with the process. It
    is begun anew."""
    if by_module_quorum.is_conducted(stage):
        return by_module_quorum.replace_cards(stage)
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        check_generation(stage, key.label)
        copies, old = ask_copies(stage, key.label), newest_set(stage.hall.book, key.label)
        present, shared = _reshared(stage, key, old, copies)
        told.append({**shared.facts, "joined_by": [*present], "old_set_sha256": old.share_set.sha256.hex()})
        acts += [*_was_whole(stage, key), *copies_added(stage, shared.kept)]
    stage.room.tell(
        "Each custodian takes his new file with him. The old ones are kept until the new ones were tried, and destroyed"
        " in the last step."
    )
    return Done(facts={"keys": told}, acts=tuple(acts))


def _reshared(
    stage: Stage, key: PlannedKey, old: KeptSet, copies: Sequence[BlobCopy]
) -> tuple[tuple[str, ...], SharedOut]:
    """Who joined it, and what was given out."""
    blob, token, label = found_blob(stage, old), stage.hall.token, KeyLabel(key.label)
    with opened_custody() as joining, opened_pair(token, stage.plan.name) as pair:
        expect(stage, joining, old)
        present = hand_in_quorum(stage, joining, old.share_set)
        with (
            held_by_quorum(stage, key, blob, joining, present, pair, label=label, leaves_again=True),
            opened_custody() as splitting,
        ):
            return present, share_out(stage, key, splitting, copies)


def _was_whole(stage: Stage, key: PlannedKey) -> tuple[Act, ...]:
    """That a quorum held it in a session, which has ended, stands in its history too."""
    label = KeyLabel(key.label)
    if registered(stage, key).state is not KeyState.SPLIT:
        return ()
    return (CombineKey(label=label), RejoinKey(label=label))


def retire_old_shares(stage: Stage) -> Done:
    """Every copy of an old blob, and every old share: destroyed here, destroyed elsewhere, or missing."""
    if by_module_quorum.is_conducted(stage):
        return by_module_quorum.retire_old_cards(stage)
    told: list[Json] = []
    acts: list[Act] = []
    for key in stage.plan.keys:
        retired = _retired(stage, key)
        missing = [*retired.missing_blobs, *retired.missing_shares]
        told.append(
            {
                "key": key.label,
                "missing": [*missing],
                "retired": [*retired.told],
                "then": _ROTATE if retired.missing_blobs else _RETIRED,
            }
        )
        acts += retired.acts
        if retired.missing_blobs:
            stage.room.tell(f"{key.label}: {_ROTATE}.")
    return Done(facts={"keys": told}, acts=tuple(acts))


@dataclass(slots=True, kw_only=True)
class _Retired:
    """What became of the old copies of one key; filled one by one."""

    told: list[dict[str, Json]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    missing_blobs: list[str] = field(default_factory=list)
    missing_shares: list[str] = field(default_factory=list)

    def confirm(self, label: str, copy: Copy, how: str, *, searched: bool) -> None:
        self.told.append({**copy.told(), "how": how, "searched": searched})
        self.acts.append(ConfirmCopyDestroyed(label=KeyLabel(label), copy=copy, how=how, searched=searched))


def _retired(stage: Stage, key: PlannedKey) -> _Retired:
    """Of every other set of this key, whatever is not accounted for yet."""
    own, retired = own_set(stage, key.label), _Retired()
    known = copies_of(stage.hall.book.journal.ledger, KeyLabel(key.label))
    live = {each.copy for each in known if each.destroyed is None}
    others = [each for each in every_set(stage.hall.book, key.label) if each.share_set.sha256 != own.share_set.sha256]
    for old in others:
        for number, copy in enumerate(old.copies, start=1):
            if blob_copy(old, copy) in live:
                _retire_blob(stage, retired, old, (number, copy))
        for holder in old.share_set.shares:
            if share_copy(old, holder.custodian) in live:
                _retire_share(stage, retired, old, holder.custodian)
    return retired


def _retire_blob(stage: Stage, retired: _Retired, old: KeptSet, numbered: tuple[int, BlobCopy]) -> None:
    number, copy = numbered
    stage.room.facts({"old blob": copy.path, "site": copy.site, "generation": old.share_set.generation})
    question = f"Old blob, {copy.site} ({number}): destroy, destroyed or missing?"
    answer = stage.room.ask(question, _OF_A_BLOB, partial(_blob_answered, copy, old.blob))
    if answer == "missing":
        retired.missing_blobs.append(copy.place)
        return
    here = answer == "destroy"
    retired.confirm(old.share_set.key, blob_copy(old, copy), _ERASED if here else _SAID, searched=here)


def _retire_share(stage: Stage, retired: _Retired, old: KeptSet, custodian: str) -> None:
    copy = share_copy(old, custodian)
    stage.room.facts({"old share": custodian, "generation": old.share_set.generation})
    check = partial(one_of, ("destroyed", "missing"))
    if stage.room.ask(f"Old share of {custodian}: destroyed or missing?", _OF_A_SHARE, check) == "missing":
        retired.missing_shares.append(copy.place)
    else:
        retired.confirm(old.share_set.key, copy, _SAID, searched=False)


def _blob_answered(copy: BlobCopy, blob: str, answer: str) -> str:
    """Erased here where that is wanted: the blob itself, and not what stands in its place. Raises: Answered."""
    said, file = one_of(("destroy", "destroyed", "missing"), answer), Path(copy.path)
    if said == "destroy":
        if file.is_symlink() or not is_copy(copy, blob):
            raise Answered(f"the blob does not stand at {file}: mount its medium first, or say destroyed or missing")
        try:
            erase_file(file)
        except LedgerUnavailable as unavailable:
            raise Answered(unavailable.sentence) from unavailable
    return said


_OF_A_BLOB = (
    "destroy: it is overwritten and removed now, where it was written. destroyed: it was destroyed elsewhere, and those"
    " who sign this step say so. missing: nobody knows where it is."
)
_OF_A_SHARE = (
    "destroyed: the custodian destroyed the old envelope and the old paper, and says so with his signature. missing:"
    " nobody can say that."
)
