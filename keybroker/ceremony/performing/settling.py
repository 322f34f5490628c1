"""What becomes of the key where it came from? Nothing, until the destination has proven that it holds it. SEC G2.22I.

Then it is transferred here for good, and destroyed, or kept where the plan and its approval say so: it is never used
again in either case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from keybroker.ceremony.erasing import UNPROVEN_OF_FILES, erase_file, find_file
from keybroker.ceremony.package import Proved, read_proof
from keybroker.ceremony.package_form import Wrapped
from keybroker.ceremony.performing.carrying import PACKAGE, PROOF, carried_name, give, take, wrapped_name
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.proof_of_possession import check_possession
from keybroker.ceremony.steps import StepName
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.hsm.destruction import Destruction, destroy_key
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import AddCopy, ConfirmCopyDestroyed, Copy, DestroyKey, KeyTransferred
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.key_uses import requests_signed
from keybroker.terms import CopyKind, KeyAlgorithm, KeyLabel

WORD = "DESTROY"
BY_WRAPPING_KEY = "overwritten and removed; the destination signed that the key that opens it is destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """``destruction`` is None for a key that is kept; ``left``: copies that are accounted for nowhere yet."""

    label: KeyLabel
    destruction: Destruction | None
    copies: tuple[Copy, ...]
    left: tuple[Copy, ...]
    known: bool


@clause("G2.22G", "G2.22I(b)")
def settle_source(stage: Stage) -> Done:
    """The proof is read and checked, key for key; the word is typed; then the key goes."""
    # 1. What the destination is to have.
    files = ", ".join([give(stage, PACKAGE), *(wrapped_name(stage, key.label) for key in stage.plan.keys)])
    stage.room.tell(f"Carry {files} to the destination. Then come back with its proof.")
    # 2. What it has, by its people's word and by the keys'.
    proved = _proved(stage)
    checked = _check_possession(stage, proved)
    # 3. The source's own.
    destroys = stage.plan.transfer is not None and stage.plan.transfer.afterwards == "destroy"
    if destroys:
        stage.room.consent(WORD, "the destination holds the keys; here they are destroyed, which cannot be undone")
    settled = [_settle(stage, key, destroys=destroys) for key in stage.plan.keys]
    keys: list[Json] = [_told(each) for each in settled]
    facts: dict[str, Json] = {
        "afterwards": "destroy" if destroys else "keep",
        "keys": keys,
        "possession": [*checked],
        "proof": proved.sha256,
    }
    return Done(facts=facts, acts=tuple(_acts(stage, settled, proved, facts)))


def _proved(stage: Stage) -> Proved:
    withheld, packed = (_sha256_of(stage, step) for step in (StepName.WITHHOLD_KEY, StepName.WRAP_KEY))
    name, plan_file = carried_name(stage, PROOF), stage.held.plan_file
    told = f"The name of a file that came from the destination: {name}."

    def read(octets: bytes) -> Proved:
        return read_proof(octets, plan_file, package_sha256=packed, withheld_sha256=withheld)

    return take(stage, name, "The proof?", told, read)


def _sha256_of(stage: Stage, step: StepName) -> str:
    return next(each.entry.sha256 for each in stage.held.steps if each.entry.step == step.value)


def _check_possession(stage: Stage, proved: Proved) -> list[str]:
    """By each key itself. That it was done stands in a file, for what a symmetric key proves is checked by the same key
    here, which may be destroyed when this goes on after an interruption. Raises: ProtectionInvalid; ModuleFault."""
    hall, kept = stage.hall, f"{stage.plan.name}.possession.json"
    told = [f"{each.key}: {each.by}" for each in proved.activated.keys]
    written = encode({"checked": [*told], "proof": proved.sha256})
    before = _is_written(stage, kept, written)
    wrapped = Wrapped.model_validate(dict(stage.held.facts(StepName.WRAP_KEY.value)))
    for moved, given in zip(wrapped.keys, proved.activated.keys, strict=True):
        label, policy = KeyLabel(moved.key), hall.line.policies[moved.purpose]
        if before and policy.algorithm is KeyAlgorithm.AES_GCM and not objects_of(hall.token, label):
            continue
        known = requests_signed(hall.book.journal.ledger, label)
        check_possession(hall.token, policy, moved, given, known)
    hall.write(kept, written)
    return told


def _is_written(stage: Stage, name: str, octets: bytes) -> bool:
    file = stage.hall.directory / name
    return file.is_file() and file.read_bytes() == octets


def _settle(stage: Stage, planned: PlannedKey, *, destroys: bool) -> _Settled:
    """Its file is erased; its objects are destroyed and searched for."""
    hall, label = stage.hall, KeyLabel(planned.label)
    erase_file(hall.directory / wrapped_name(stage, label))
    destruction = destroy_key(hall.token, label) if destroys else None
    there = [each.copy for each in copies_of(hall.book.journal.ledger, label) if each.destroyed is None]
    module = Copy(kind=CopyKind.MODULE, place=hall.token.serial)
    gone = [copy for copy in there if _is_ours(stage, label, copy)]
    if destruction is not None:
        gone.append(module)
    left = tuple(copy for copy in there if copy not in gone and copy != module)
    return _Settled(label=label, destruction=destruction, copies=tuple(gone), left=left, known=module in there)


def _is_ours(stage: Stage, label: KeyLabel, copy: Copy) -> bool:
    """The file that this ceremony wrote, and that stands here no more. Raises: NotPermitted where one like it does."""
    place = f"{stage.hall.site}/{wrapped_name(stage, label)}"
    if copy.kind is not CopyKind.WRAPPED_BLOB or copy.place != place:
        return False
    for other in find_file(stage.hall.directory, copy.sha256.hex()):
        raise NotPermitted(
            f"the wrapped key {label} stands in another file still: {other.name}; remove it, then resume"
        )
    return True


def _told(settled: _Settled) -> dict[str, Json]:
    destruction = settled.destruction
    left: list[Json] = [{**copy.told()} for copy in settled.left]
    told: dict[str, Json] = {
        "copies_left": left,
        "erased": [copy.place for copy in settled.copies if copy.kind is CopyKind.WRAPPED_BLOB],
        "key": settled.label,
    }
    if destruction is None:
        return {**told, "module": "kept, and never used again"}
    return {
        **told,
        "cannot_be_proven": [*destruction.unproven, *UNPROVEN_OF_FILES],
        "module": destruction.module_serial,
        "searched": destruction.searched,
        "witness": destruction.witness,
    }


def _acts(stage: Stage, settled: list[_Settled], proved: Proved, facts: dict[str, Json]) -> Iterator[Act]:
    proof = bytes.fromhex(proved.sha256)
    transcript = sha256(encode(facts)).digest()
    module = Copy(kind=CopyKind.MODULE, place=stage.hall.token.serial)
    for each in settled:
        yield KeyTransferred(label=each.label, proof=proof)
        if each.destruction is not None and not each.known:
            yield AddCopy(label=each.label, copy=module)
        for copy in each.copies:
            searched = copy.kind is CopyKind.MODULE
            how = "destroyed in the module and searched for" if searched else BY_WRAPPING_KEY
            yield ConfirmCopyDestroyed(label=each.label, copy=copy, how=how, searched=searched)
        # What people have yet to account for is done in a ceremony of its own (destroy).
        if each.destruction is not None and not each.left:
            yield DestroyKey(label=each.label, transcript=transcript)
