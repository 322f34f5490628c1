"""What travels between the two sides of a transfer, and is it what the other side's people signed? Pure.

A side carries its transcript as far as it is: plan, entries, everybody's signatures, records and approvals. Out of its
entries an offer, a package or a proof is read, each strictly, and only where all in the transcript verifies against
this very plan. The wrapped keys travel beside it, each a file whose SHA-256 the package names: ciphertext stands in no
ledger and no transcript, so that it can be destroyed. SEC G2.22G-G2.22I.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from keybroker.ceremony.entry import Entry
from keybroker.ceremony.package_form import (
    CHALLENGE_OCTETS,
    POINT_OCTETS,
    Activated,
    Imported,
    MovedKey,
    Offer,
    Renounced,
    Withheld,
    Wrapped,
)
from keybroker.ceremony.plan import Plan, PlanFile, Side
from keybroker.ceremony.steps import StepName
from keybroker.ceremony.transcript_form import read_form
from keybroker.ceremony.transcript_verifying import TranscriptUnfit, verify_transcript
from keybroker.clause import clause
from keybroker.errors import ContentMalformed
from keybroker.hsm.wrapped_key import WrappedKey, read_wrapped_key
from keybroker.statement.said import Table

LONGEST_WRAPPED = 64 * 1024
"""Octets of a file with a wrapped key."""


class Flaw(StrEnum):
    """Why what was brought does not do."""

    UNREADABLE = "unreadable"
    """It is no transcript, or no wrapped key, as they are written here."""
    ANOTHER_CEREMONY = "another-ceremony"
    """Of another plan: replayed from elsewhere, or the plan was changed."""
    ANOTHER_SIDE = "another-side"
    NOT_SHOWN = "not-shown"
    """Entries, signatures, records or approvals do not verify, or are not of the plan's people."""
    NOT_YET = "not-yet"
    """The step that is waited for is not concluded in it."""
    ANOTHER_MECHANISM = "another-mechanism"
    ANOTHER_MODULE = "another-module"
    """Made for, or in, another module than the plan's."""
    ANOTHER_OFFER = "another-offer"
    """It answers something else than what was given from here."""
    OTHER_KEYS = "other-keys"
    ALTERED = "altered"
    """Its octets are not those whose digest was signed."""


class PackageUnfit(Exception):
    """What was brought is not relied on. ``sentence`` says what was expected and found."""

    def __init__(self, flaw: Flaw, *, expected: str, found: str) -> None:
        self.flaw = flaw
        self.sentence = f"{flaw}: expected {expected}, found {found}"
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    offer: Offer
    entry_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """``sha256`` is of the entry of ``wrap-key``, ``withheld_sha256`` of that of ``withhold-key``."""

    withheld: Withheld
    withheld_sha256: str
    wrapped: Wrapped
    sha256: str

    def key(self, label: str) -> MovedKey:
        """Of a label in the plan: there is one."""
        return next(each for each in self.wrapped.keys if each.key == label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """``sha256`` is of the entry of ``activate-transferred``."""

    imported: Imported
    activated: Activated
    sha256: str


def read_offer(octets: bytes, plan_file: PlanFile) -> Offered:
    """What the destination offers. Raises: PackageUnfit."""
    entries, plan = _entries(octets, plan_file, Side.DESTINATION), plan_file.plan
    entry = _concluded(entries, StepName.OFFER_WRAPPING_KEY)
    offer = _facts(entry, Offer)
    _expect_mechanism(offer.mechanism, plan)
    _expect_serial(str(offer.module.get("serial")), plan, Side.DESTINATION)
    spki = b"" if offer.wrapping_key is None else bytes.fromhex(offer.wrapping_key)
    digest = None if offer.wrapping_key is None else hashlib.sha256(spki).hexdigest()
    _expect(digest == offer.wrapping_key_sha256, Flaw.ALTERED, "the wrapping key's own digest", f"{digest}")
    return Offered(offer=offer, entry_sha256=entry.sha256)


@clause("G2.22G", "G2.22H(a)", "G2.22H(b)")
def read_package(octets: bytes, plan_file: PlanFile, *, offer_sha256: str) -> Packed:
    """What the source gives, in answer to the offer of that entry. Raises: PackageUnfit."""
    entries, plan = _entries(octets, plan_file, Side.SOURCE), plan_file.plan
    withheld_entry, entry = _concluded(entries, StepName.WITHHOLD_KEY), _concluded(entries, StepName.WRAP_KEY)
    withheld, wrapped = _facts(withheld_entry, Withheld), _facts(entry, Wrapped)
    for offer in (withheld.offer, wrapped.offer):
        _expect(offer == offer_sha256, Flaw.ANOTHER_OFFER, f"an answer to the offer {offer_sha256}", offer)
    _expect_mechanism(wrapped.mechanism, plan)
    _expect_serial(wrapped.serial, plan, Side.SOURCE)
    destination = "none" if plan.transfer is None else plan.transfer.destination
    _expect(withheld.destination == destination, Flaw.ANOTHER_MODULE, f"keys for {destination}", withheld.destination)
    _expect(
        wrapped.withheld == withheld_entry.sha256,
        Flaw.ANOTHER_OFFER,
        f"the suspension {withheld_entry.sha256}",
        wrapped.withheld,
    )
    _expect_keys([(each.key, each.public_key) for each in withheld.keys], plan)
    _expect_keys([(each.key, each.public_key) for each in wrapped.keys], plan)
    _expect_as_planned(wrapped.keys, plan)
    return Packed(withheld=withheld, withheld_sha256=withheld_entry.sha256, wrapped=wrapped, sha256=entry.sha256)


def read_proof(octets: bytes, plan_file: PlanFile, *, package_sha256: str, withheld_sha256: str) -> Proved:
    """What the destination says of itself, in answer to that package. Raises: PackageUnfit."""
    entries, plan = _entries(octets, plan_file, Side.DESTINATION), plan_file.plan
    entry = _concluded(entries, StepName.ACTIVATE_TRANSFERRED)
    imported, activated = _facts(_concluded(entries, StepName.IMPORT_KEY), Imported), _facts(entry, Activated)
    package = imported.package
    _expect(package == package_sha256, Flaw.ANOTHER_OFFER, f"an answer to the package {package_sha256}", package)
    for withheld in (imported.withheld, activated.withheld):
        _expect(withheld == withheld_sha256, Flaw.ANOTHER_OFFER, f"the suspension {withheld_sha256}", withheld)
    _expect_serial(imported.serial, plan, Side.DESTINATION)
    _expect_keys([(each.key, each.public_key) for each in imported.keys], plan)
    labels, planned = [each.key for each in activated.keys], [key.label for key in plan.keys]
    _expect(labels == planned, Flaw.OTHER_KEYS, f"a proof for each of {planned}", f"{labels}")
    return Proved(imported=imported, activated=activated, sha256=entry.sha256)


def read_renunciation(octets: bytes, plan_file: PlanFile, *, offer_sha256: str, package_sha256: str | None) -> Entry:
    """The entry by which the destination renounced what was given to that offer; ``package_sha256`` is of the entry of
    ``wrap-key``, None where it is not concluded. Raises: PackageUnfit."""
    entries, plan = _entries(octets, plan_file, Side.DESTINATION), plan_file.plan
    entry = _concluded(entries, StepName.RENOUNCE)
    renounced, offered = _facts(entry, Renounced), _concluded(entries, StepName.OFFER_WRAPPING_KEY).sha256
    for offer in (renounced.offer, offered):
        _expect(offer == offer_sha256, Flaw.ANOTHER_OFFER, f"the offer {offer_sha256} renounced", f"{offer}")
    package = renounced.package
    right = package in (None, package_sha256)
    _expect(right, Flaw.ANOTHER_OFFER, f"the package {package_sha256} renounced, or none", f"{package}")
    _expect_serial(renounced.serial, plan, Side.DESTINATION)
    found = [(each.key, each.public_key_sha256) for each in renounced.keys]
    wanted = [(key.label, key.public_key_sha256) for key in plan.keys]
    _expect(found == wanted, Flaw.OTHER_KEYS, f"the plan's keys {wanted}", f"{found}")
    return entry


def read_wrapped(octets: bytes, moved: MovedKey, serial: str) -> WrappedKey:
    """The wrapped key whose digest the source signed; ``serial`` is its module's. Raises: PackageUnfit."""
    _expect(len(octets) <= LONGEST_WRAPPED, Flaw.UNREADABLE, f"at most {LONGEST_WRAPPED} octets", f"{len(octets)}")
    digest = hashlib.sha256(octets).hexdigest()
    _expect(digest == moved.wrapped_sha256, Flaw.ALTERED, f"SHA-256 {moved.wrapped_sha256}", digest)
    try:
        wrapped = read_wrapped_key(octets)
    except ContentMalformed as error:
        raise PackageUnfit(Flaw.UNREADABLE, expected="a wrapped key", found=error.sentence) from error
    expected = (moved.key, moved.purpose, moved.public_key, serial)
    found = (wrapped.label, wrapped.purpose, wrapped.identity.hex(), wrapped.source_serial)
    _expect(found == expected, Flaw.OTHER_KEYS, f"the key {expected}", f"{found}")
    return wrapped


def _entries(octets: bytes, plan_file: PlanFile, side: Side) -> tuple[Entry, ...]:
    """The entries of that side of this very plan, verified. Raises: PackageUnfit."""
    try:
        form = read_form(octets)
    except ValueError as error:
        raise PackageUnfit(Flaw.UNREADABLE, expected="the other side's transcript", found=str(error)[:200]) from error
    digest = plan_file.sha256.hex()
    _expect(form.plan_sha256 == digest, Flaw.ANOTHER_CEREMONY, f"one of the plan {digest}", form.plan_sha256)
    _expect(form.side == side.value, Flaw.ANOTHER_SIDE, f"the {side}'s", f"the {form.side}'s")
    try:
        return verify_transcript(octets).entries
    except TranscriptUnfit as unfit:
        raise PackageUnfit(Flaw.NOT_SHOWN, expected="a transcript that verifies", found=str(unfit)[:400]) from unfit


def _concluded(entries: tuple[Entry, ...], step: StepName) -> Entry:
    found = [entry for entry in entries if entry.step == step.value]
    _expect(bool(found), Flaw.NOT_YET, f"the step {step.value} concluded", f"{len(entries)} steps without it")
    return found[0]


_Facts = TypeVar("_Facts", bound=Table)


def _facts(entry: Entry, form: type[_Facts]) -> _Facts:
    try:
        return form.model_validate(dict(entry.facts))
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        raise PackageUnfit(Flaw.UNREADABLE, expected=f"the facts of {entry.step}", found=told) from error


def _expect_mechanism(found: str, plan: Plan) -> None:
    wanted = "none" if plan.transfer is None else plan.transfer.mechanism
    _expect(found == wanted, Flaw.ANOTHER_MECHANISM, f"the mechanism {wanted}, as approved", found)


def _expect_serial(found: str, plan: Plan, side: Side) -> None:
    module = plan.module(side)
    wanted = "none" if module is None else module.serial
    _expect(found == wanted, Flaw.ANOTHER_MODULE, f"the {side}'s module {wanted}", found)


def _expect_keys(found: list[tuple[str, str]], plan: Plan) -> None:
    """Every key of the plan in its order, by the fingerprint that was approved."""
    told = [(label, hashlib.sha256(bytes.fromhex(public)).hexdigest()) for label, public in found]
    wanted = [(key.label, key.public_key_sha256) for key in plan.keys]
    _expect(told == wanted, Flaw.OTHER_KEYS, f"the plan's keys {wanted}", f"{told}")


def _expect_as_planned(keys: list[MovedKey], plan: Plan) -> None:
    for moved, key in zip(keys, plan.keys, strict=True):
        expected, found = (key.purpose, key.party), (moved.purpose, moved.party)
        _expect(found == expected, Flaw.OTHER_KEYS, f"{moved.key} for {expected}", f"{found}")
        lengths = (len(moved.challenge) // 2, len(moved.witness or "00" * POINT_OCTETS) // 2)
        wanted = (CHALLENGE_OCTETS, POINT_OCTETS)
        _expect(lengths == wanted, Flaw.UNREADABLE, f"a challenge and a witness of {wanted} octets", f"{lengths}")


def _expect(right: bool, flaw: Flaw, expected: str, found: str) -> None:
    """Raises: PackageUnfit."""
    if not right:
        raise PackageUnfit(flaw, expected=expected, found=found)
