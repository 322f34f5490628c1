"""How does a quorum's key come back into the module? In a session of this process, and it goes with it. SEC G2.44B.

The wrapping key leaves the process that joined it under the module's own pair (RSA-OAEP, PKCS#11 v3.0 §2.1.8) and is
never here. What the module unwraps must be the registered key, or nothing is left of it (``hsm/unwrapping.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from keybroker.ceremony.blobs import BlobCopy, read_blob, read_copy
from keybroker.ceremony.custody_child import Custody
from keybroker.ceremony.kept_sets import KeptSet, given_out, kept_sets, newest_set
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.room import Answered
from keybroker.ceremony.share_set import ShareSet
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping_pair import destroy_wrapping_pair, make_wrapping_pair
from keybroker.terms import KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A wrapping pair of the module, made for this step: its name, and its public half (DER SubjectPublicKeyInfo)."""

    name: str
    spki: bytes


def trial_label(label: str) -> KeyLabel:
    """Of a session object beside the key itself. No key's label has a dot."""
    return KeyLabel(f"{label}.trial")


@contextmanager
def opened_pair(token: Token, name: str) -> Iterator[Pair]:
    """In the place of one that a broken attempt left; destroyed at the end. Raises: ModuleFault."""
    destroy_wrapping_pair(token, name)
    try:
        yield Pair(name=name, spki=make_wrapping_pair(token, name))
    finally:
        destroy_wrapping_pair(token, name)


@contextmanager
def held_by_quorum(
    stage: Stage,
    key: PlannedKey,
    blob: WrappedKey,
    custody: Custody,
    present: Sequence[str],
    pair: Pair,
    *,
    label: KeyLabel,
    leaves_again: bool = False,
) -> Iterator[None]:
    """The key stands in the session under ``label`` while this lasts, and goes whatever happens.

    ``leaves_again``: as a key that can be wrapped once more and is not served (``reshare``). Raises: ShareUnfit where
    the shares do not give what was split; ModuleDisagrees where that is not the key; ModuleFault.
    """
    token, oaep = stage.hall.token, oaep_of_module(stage.hall.token)
    wrapped = blob.for_another(custody.join(present, pair.spki, oaep), oaep)
    policy = stage.hall.line.policies[key.purpose]
    try:
        unwrap_key(token, wrapped, policy, pair=pair.name, label=label, in_session=True, leaves_again=leaves_again)
        yield
    finally:
        token.let_go(label)


def oaep_of_module(token: Token) -> WrapMechanism:
    """The one that its profile prefers."""
    return WrapMechanism(token.profile.wrapping.oaep[0])


def own_set(stage: Stage, label: str) -> KeptSet:
    """Of which set a step asks: the one that this ceremony gave out, else the one that counts. Raises: NotPermitted."""
    return given_out(stage.held, label) or newest_set(stage.hall.book, label)


def older_sets(stage: Stage, kept: KeptSet) -> tuple[ShareSet, ...]:
    """Sets of the same key before this one: their shares are known for what they are."""
    known = kept_sets(stage.hall.book, kept.share_set.key)
    return tuple(each.share_set for each in known if each.share_set.generation < kept.share_set.generation)


def expect(stage: Stage, custody: Custody, kept: KeptSet) -> None:
    custody.expect(kept.share_set, older_sets(stage, kept))


def found_blob(stage: Stage, kept: KeptSet) -> WrappedKey:
    """From any copy that is at hand, else from a file that somebody names. Raises: Paused."""
    for copy in kept.copies:
        octets = read_copy(copy)
        if octets is not None:
            try:
                return read_blob(octets, kept.blob)
            except (ModuleDisagrees, ContentMalformed) as unfit:
                stage.room.tell(f"The copy {copy.place} is not as it was written: {unfit.sentence}")
    places = "; ".join(copy.place for copy in kept.copies)
    return stage.room.ask_file(f"Blob of {kept.share_set.key}?", f"A copy of it: {places}.", _reading(kept.blob))


def read_back(stage: Stage, kept: KeptSet, number: int, copy: BlobCopy) -> None:
    """This very copy, from its site. Raises: Paused."""
    octets = read_copy(copy)
    if octets is not None:
        try:
            read_blob(octets, kept.blob)
        except (ModuleDisagrees, ContentMalformed) as unfit:
            stage.room.tell(f"The copy {copy.place} is not as it was written: {unfit.sentence}")
        else:
            return
    told = f"The file that was written to {copy.path}, as it is now at {copy.site}."
    stage.room.ask_file(f"Copy {number} of {kept.share_set.key}, {copy.site}?", told, _reading(kept.blob))


def _reading(digest: str) -> Callable[[bytes], WrappedKey]:
    def read(octets: bytes) -> WrappedKey:
        try:
            return read_blob(octets, digest)
        except (ModuleDisagrees, ContentMalformed) as unfit:
            raise Answered(unfit.sentence) from unfit

    return read
