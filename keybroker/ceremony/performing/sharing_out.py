"""How is a wrapped key shared among custodians, and its blob written to its sites? For ``split`` and ``reshare``.

Each share goes to one custodian, in an envelope that only his key opens (``enveloped_data``): its AES-256-GCM tag says
that nobody changed it, and the set that stands in the signed entry says which share it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from keybroker.ceremony.blobs import BlobCopy, blob_octets, copy_name, write_copy
from keybroker.ceremony.custody_child import Custody, Shared
from keybroker.ceremony.custody_request import Recipient, Split
from keybroker.ceremony.kept_sets import KeptSet, envelope_name, every_set
from keybroker.ceremony.performing.handing_in import key_of
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.plan import Participant, PlannedKey, Quorum, Role, SplitTerms
from keybroker.ceremony.room import Answered
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.security_officer import Officer
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping import wrap_key
from keybroker.keys.acts import Act
from keybroker.keys.administration import administer
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import AddCopy, CeremonyWord, ConfirmCopyDestroyed, Copy
from keybroker.ledger.canonical_json import Json
from keybroker.policy.model import RegisteredKey
from keybroker.terms import CopyKind, KeyLabel

_LONGEST_PLACE = 255
_WRITTEN_OVER = "written over by the blob that took its place"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOut:
    """What was given out of one key, and what guarded the process that split it."""

    kept: KeptSet
    facts: dict[str, Json]


def share_out(stage: Stage, key: PlannedKey, custody: Custody, copies: Sequence[BlobCopy]) -> SharedOut:
    """Wrap the key in the module to the process that holds secrets, and give out what that makes of it.

    Raises: as ``wrap_key``; ModuleDisagrees where the module wrapped another key; Paused; LedgerUnavailable.
    """
    hall, policy = stage.hall, stage.hall.line.policies[key.purpose]
    wrapped = wrap_key(hall.token, KeyLabel(key.label), policy, recipient_spki=custody.spki, officer=officer_of(stage))
    if wrapped.identity != registered(stage, key).public_key:
        raise ModuleDisagrees(f"expected the registered key {key.label}, and the module wrapped another")
    blob = blob_octets(wrapped)
    shared = custody.share(_request(stage, key, wrapped, sha256(blob).hexdigest()))
    kept = KeptSet(share_set=shared.share_set, copies=tuple(copies), envelopes=_sealed(shared))
    _tell_of_blobs(stage, kept)
    for copy in copies:
        write_copy(copy, blob)
    _write_envelopes(stage, shared)
    stage.room.digest(f"share set of {key.label}", shared.share_set.sha256)
    return SharedOut(kept=kept, facts={**kept.told(), "guarded": custody.guarded.model_dump()})


def ask_copies(stage: Stage, label: str) -> tuple[BlobCopy, ...]:
    """Where each copy goes: a directory each, at the plan's sites in turn. Raises: Paused."""
    terms, copies = terms_of(stage), list[BlobCopy]()
    for number in range(1, terms.copies + 1):
        site = terms.sites[(number - 1) % len(terms.sites)]
        name = copy_name(label, terms.generation, number)
        check = partial(_checked_copy, site, name, tuple(copies))
        copies.append(stage.room.ask(f"Directory for copy {number} of {terms.copies}, {site}?", _DIRECTORY, check))
    return tuple(copies)


def _tell_of_blobs(stage: Stage, kept: KeptSet) -> None:
    """Each is known before it stands anywhere: one that is left behind by an interruption is accounted for one day too.
    By the word of the entry that was signed last."""
    hall, label = stage.hall, KeyLabel(kept.share_set.key)
    word = CeremonyWord(ceremony=stage.plan.name, entry=bytes.fromhex(stage.held.previous))
    for copy in kept.copies:
        act = AddCopy(label=label, copy=blob_copy(kept, copy))
        administer(hall.book.journal, hall.book.actor, act, hall.now(), ceremony=word)


def copies_added(stage: Stage, kept: KeptSet) -> tuple[Act, ...]:
    """What the register is to know of beside the blobs: every share, by whose it is and its envelope; and that blobs of
    broken attempts were written over."""
    label, shares = KeyLabel(kept.share_set.key), kept.share_set.shares
    known = [each.copy for each in copies_of(stage.hall.book.journal.ledger, label) if each.destroyed is None]
    places = {copy.place for copy in kept.copies}
    over = [copy for copy in known if copy.place in places and copy.sha256.hex() != kept.blob]
    return (
        *(AddCopy(label=label, copy=share_copy(kept, holder.custodian)) for holder in shares),
        *(ConfirmCopyDestroyed(label=label, copy=copy, how=_WRITTEN_OVER, searched=True) for copy in over),
    )


def blob_copy(kept: KeptSet, copy: BlobCopy) -> Copy:
    return Copy(kind=CopyKind.WRAPPED_BLOB, place=copy.place, sha256=bytes.fromhex(kept.blob))


def share_copy(kept: KeptSet, custodian: str) -> Copy:
    """A share is of no use without as many others and a blob; it is accounted for all the same."""
    place = f"share of {custodian}, generation {kept.share_set.generation}"
    return Copy(kind=CopyKind.BACK_UP, place=place, sha256=bytes.fromhex(kept.envelopes[custodian]))


def check_generation(stage: Stage, label: str) -> None:
    """Raises: NotPermitted where the plan's generation was given out before, or an earlier one is."""
    name, planned = stage.plan.name, terms_of(stage).generation
    others = [each.share_set for each in every_set(stage.hall.book, label) if each.share_set.ceremony != name]
    newest = max((each.generation for each in others), default=0)
    if planned <= newest:
        raise NotPermitted(
            f"the shares of {label} are those of generation {newest + 1} or later, and the plan says {planned}:"
            " shares of one generation must not be mistaken for others"
        )


def registered(stage: Stage, key: PlannedKey) -> RegisteredKey:
    """As the register has it now."""
    return stage.hall.line.register.refresh().keys[KeyLabel(key.label)]


def terms_of(stage: Stage) -> SplitTerms:
    """Raises: NotPermitted for a plan without them, which no judgement lets through."""
    if stage.plan.split is None:
        raise NotPermitted("the plan says nothing of copies and sites")
    return stage.plan.split


def quorum_of(stage: Stage) -> Quorum:
    """As ``terms_of``."""
    if stage.plan.quorum is None:
        raise NotPermitted("the plan says nothing of a quorum")
    return stage.plan.quorum


def officer_of(stage: Stage) -> Officer:
    """Raises: NotPermitted where the deployment has none at hand."""
    if stage.hall.officer is None:
        raise NotPermitted("wrapping keys are made by the module's security officer, and this side has none at hand")
    return stage.hall.officer


def _request(stage: Stage, key: PlannedKey, wrapped: WrappedKey, blob: str) -> Split:
    people = stage.plan.in_role(Role.CUSTODIAN)
    return Split(
        wrapped=wrapped.wrapped_wrapping_key.hex(),
        oaep=wrapped.oaep,
        threshold=quorum_of(stage).threshold,
        recipients=[Recipient(custodian=each.name, certificate=_receiving(stage, each).hex()) for each in people],
        ceremony=stage.plan.name,
        key=key.label,
        purpose=key.purpose.value,
        public_key_sha256=sha256(wrapped.identity).hexdigest(),
        generation=terms_of(stage).generation,
        blobs=[blob],
    )


def _receiving(stage: Stage, person: Participant) -> bytes:
    """The very certificate that the plan names, signed by the key that was enrolled. Raises: Paused, NotPermitted;
    CmsUnfit."""
    certificate = key_of(stage, person).receiving_certificate
    if certificate is None or sha256(certificate).hexdigest() != person.receiving_sha256:
        raise NotPermitted(f"{person.name} receives with another certificate than the plan names; plan it anew")
    attester = stage.hall.line.register.current().standing.attesters[person.signing_sha256]
    check_receiving(certificate, attester.certificate)
    return certificate


def _sealed(shared: Shared) -> dict[str, str]:
    """Of each custodian SHA-256 of his envelope."""
    pairs = zip(shared.share_set.shares, shared.envelopes, strict=True)
    return {holder.custodian: sha256(envelope).hexdigest() for holder, envelope in pairs}


def _write_envelopes(stage: Stage, shared: Shared) -> None:
    """Each in its file, in the place of one that a broken attempt left."""
    for holder, envelope in zip(shared.share_set.shares, shared.envelopes, strict=True):
        stage.hall.write(envelope_name(shared.share_set, holder.custodian), envelope)


def _checked_copy(site: str, name: str, others: tuple[BlobCopy, ...], answer: str) -> BlobCopy:
    """Raises: Answered."""
    directory = Path(answer.strip()).expanduser()
    if not answer.strip() or not directory.is_dir():
        raise Answered("expected a directory that is there: mount the medium first")
    copy = BlobCopy(site=site, path=str(directory.resolve() / name))
    if any(Path(other.path).parent == directory.resolve() for other in others):
        raise Answered("another copy goes there already: each has a medium of its own")
    if len(copy.place) > _LONGEST_PLACE or not copy.place.isprintable():
        raise Answered(f"expected a directory of a shorter or plainer name: {_LONGEST_PLACE} characters at most")
    return copy


_DIRECTORY = (
    "The directory of a medium that is kept at this site, mounted now. The copy is the wrapped key: of no use without a"
    " quorum, and of every use with one. Each copy has a medium of its own."
)
