"""How does the destination of a transfer give up what it was offered, or holds by half? SEC G2.22G, G2.22I.

The wrapping pair goes first: what was wrapped to it opens nowhere then. After it the keys that this ceremony brought
in, and no other; each is searched for. Everybody signs, and the source may then give its keys to somebody else: never
to two, because whoever renounced can neither open a wrapped key nor activate one any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from keybroker.ceremony.erasing import erase_file
from keybroker.ceremony.package import Packed, read_package
from keybroker.ceremony.performing.carrying import PACKAGE, brought_before, carried_name, wrapped_name
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.receiving import NOT_MADE, take_package
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.steps import StepName
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import key_identifier
from keybroker.hsm.connection import ObjectKind
from keybroker.hsm.destruction import UNPROVEN, destroy_key
from keybroker.hsm.generate import IDENTIFIER_OCTETS
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.inventory import StoredObject, list_objects
from keybroker.hsm.wrapping_pair import destroy_wrapping_pair
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import ConfirmCopyDestroyed, Copy, DestroyKey, RenounceKey
from keybroker.ledger.canonical_json import Json, encode
from keybroker.terms import CopyKind, KeyLabel, KeyState

IRREVOCABLE = "From this entry on this system imports and activates nothing of this transfer: none of its keys is here."
PAIR_GONE = "destroyed in the module, and searched for: what was wrapped to it opens nowhere"
_HOW = "destroyed in the module and searched for; it was never used here"
_OVER = frozenset({KeyState.RENOUNCED, KeyState.DESTROYED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gone:
    """``state``: in the register, None where this ceremony did not bring it in."""

    planned: PlannedKey
    destroyed: tuple[str, ...]
    searched: int
    state: KeyState | None

    def told(self) -> dict[str, Json]:
        return {
            "cannot_be_proven": [*UNPROVEN],
            "destroyed": [*self.destroyed],
            "key": self.planned.label,
            "public_key_sha256": self.planned.public_key_sha256,
            "searched": self.searched,
            "state": None if self.state is None else self.state.value,
        }


def renounce(stage: Stage) -> Done:
    """Raises: ModuleDisagrees where the module holds what cannot be told apart, or still shows a key; NotPermitted
    while a copy elsewhere is accounted for by nobody."""
    for planned in stage.plan.keys:
        _check_copies(stage, planned)
    pair = _without_pair(stage)
    keys: list[Json] = []
    gone: list[_Gone] = []
    for number, planned in enumerate(stage.plan.keys, start=1):
        erase_file(stage.hall.directory / wrapped_name(stage, planned.label))
        gone.append(_gone(stage, planned))
        keys.append(gone[-1].told())
        stage.room.progress("keys renounced", number, len(stage.plan.keys))
    facts: dict[str, Json] = {
        "because": stage.held.given["because"],
        "irrevocable": IRREVOCABLE,
        "keys": keys,
        "offer": _concluded(stage, StepName.OFFER_WRAPPING_KEY),
        "package": _imported(stage).get("package"),
        "serial": stage.hall.token.serial,
        "wrapping_key": pair,
    }
    transcript = sha256(encode(facts)).digest()
    return Done(facts=facts, acts=tuple(act for each in gone for act in _acts(stage, each, transcript)))


def _without_pair(stage: Stage) -> str:
    """What is said of it."""
    if stage.hall.token.profile.wrapping.adapter.is_conducted:
        return NOT_MADE
    destroy_wrapping_pair(stage.hall.token, stage.plan.name)
    return PAIR_GONE


def _gone(stage: Stage, planned: PlannedKey) -> _Gone:
    """Nothing of the key stands in the module. Another's that stands under its label is left as it is."""
    token, label = stage.hall.token, KeyLabel(planned.label)
    there = (*objects_of(token, label), *objects_of(token, authentication_label(label)))
    identity = _identity(stage, planned)
    if identity is None and not _are_strangers(there, label):
        # Half of a key, say a private half alone, is known by what came with it.
        identity = bytes.fromhex(take_package(stage).key(label).public_key)
    everywhere = list_objects(token)
    own = [each for each in everywhere if identity is not None and _is_of(each, identity)]
    if strays := sorted({each.label for each in own} - {label}):
        raise ModuleDisagrees(
            f"{label} stands in the module under another label: {', '.join(strays)}; an operator must look, then go on"
        )
    if there and not own and _are_strangers(there, label):
        stage.room.tell(f"Another key stands in the module under the label {label}; it is left as it is.")
        return _Gone(planned=planned, destroyed=(), searched=len(everywhere), state=None)
    if any(each.label == label and each not in own for each in there):
        raise ModuleDisagrees(f"another key stands in the module under the label {label}; an operator must look")
    destruction = destroy_key(token, label)
    state = _state(stage, label)
    return _Gone(planned=planned, destroyed=destruction.destroyed, searched=destruction.searched, state=state)


def _identity(stage: Stage, planned: PlannedKey) -> bytes | None:
    """Its public key, or CKA_ID, by what was imported, what came with it, or what stands in the module; None where
    nobody knows."""
    keys = _imported(stage).get("keys")
    if isinstance(keys, list):
        told = {str(each["key"]): str(each["public_key"]) for each in keys if isinstance(each, dict)}
        return bytes.fromhex(told[planned.label])
    packed = _packed(stage)
    if packed is not None:
        return bytes.fromhex(packed.key(planned.label).public_key)
    names = (name for each in list_objects(stage.hall.token) for name in (each.point, each.identifier) if name)
    return next((name for name in names if sha256(name).hexdigest() == planned.public_key_sha256), None)


def _packed(stage: Stage) -> Packed | None:
    offer, plan_file = _concluded(stage, StepName.OFFER_WRAPPING_KEY), stage.held.plan_file
    if offer is None:
        return None
    name = carried_name(stage, PACKAGE)
    return brought_before(stage, name, lambda octets: read_package(octets, plan_file, offer_sha256=offer))


def _are_strangers(objects: tuple[StoredObject, ...], label: KeyLabel) -> bool:
    """Of keys that are known, and are none of the plan's: its fingerprint would have told. True of none."""
    known = {key_identifier(each.point) for each in objects if each.point is not None}
    known |= {each.identifier for each in objects if each.kind is ObjectKind.SECRET_KEY}
    keys = [each for each in objects if each.label == label]
    return not objects or (bool(keys) and all(each.identifier in known for each in keys))


def _is_of(one: StoredObject, identity: bytes) -> bool:
    if one.point is not None:
        return one.point == identity
    return one.identifier == (identity if len(identity) == IDENTIFIER_OCTETS else key_identifier(identity))


def _imported(stage: Stage) -> dict[str, Json]:
    """What the entry of ``import-key`` says, nothing where it is not concluded."""
    entries = (entry for entry in stage.held.entries if entry.step == StepName.IMPORT_KEY.value)
    return next((dict(entry.facts) for entry in entries), {})


def _concluded(stage: Stage, step: StepName) -> str | None:
    """SHA-256 of its entry."""
    return next((entry.sha256 for entry in stage.held.entries if entry.step == step.value), None)


def _state(stage: Stage, label: KeyLabel) -> KeyState | None:
    """Only where the ceremony brought it in: one of its label that somebody ordered meanwhile is not its own."""
    if not _imported(stage):
        return None
    return stage.hall.line.register.refresh().keys[label].state


def _check_copies(stage: Stage, planned: PlannedKey) -> None:
    """Raises: NotPermitted. Before anything is destroyed, so that people know at once what is left to do."""
    label = KeyLabel(planned.label)
    if _state(stage, label) in (None, *_OVER):
        return
    left = [copy.place for copy in _there(stage, label) if copy.kind is not CopyKind.MODULE]
    if left:
        raise NotPermitted(
            f"copies of {label} are accounted for by nobody: {', '.join(left)}; have them destroyed (keybroker keys"
            " copies confirm-destroyed), then go on"
        )


def _there(stage: Stage, label: KeyLabel) -> tuple[Copy, ...]:
    known = copies_of(stage.hall.book.journal.ledger, label)
    return tuple(each.copy for each in known if each.destroyed is None)


def _acts(stage: Stage, gone: _Gone, transcript: bytes) -> Iterator[Act]:
    label, module = KeyLabel(gone.planned.label), Copy(kind=CopyKind.MODULE, place=stage.hall.token.serial)
    if gone.state in (None, *_OVER):
        return
    if module in _there(stage, label):
        yield ConfirmCopyDestroyed(label=label, copy=module, how=_HOW, searched=True)
    # One that was retired or compromised meanwhile does not come again.
    over = gone.state is not KeyState.INSTALLED
    yield DestroyKey(label=label, transcript=transcript) if over else RenounceKey(label=label)
