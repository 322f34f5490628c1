"""What is to be done, to which keys, by whom, under whose approval? One plan file for one ceremony, read strictly.

Its digest is SHA-256 of the file's very octets: approvals bind to it, and everybody present signs it first. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from keybroker.errors import ConfigurationInvalid
from keybroker.policy.toml_form import read_form
from keybroker.statement.said import Name, Reference, Serial, Sha256, Table, Words
from keybroker.terms import KeyPurpose

LONGEST = 64 * 1024
"""Octets of a plan file."""
SLIP39 = "slip39"
"""The mechanism of a split that is ours: a wrapping key in shares. Every other is a module's own quorum."""

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,63}$")]
Origin = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class CeremonyKind(StrEnum):
    """What a ceremony does with keys. Each has its own steps (``steps.py``)."""

    GENERATE = "generate"
    """A new key is made in the module and brought into use (SEC G5.13(b), G5.24(b))."""
    RENEW = "renew"
    """A successor takes the place of a key, in one step."""
    TRANSFER = "transfer"
    """A key goes from one DCC Live System to another (SEC G2.22G-G2.22I)."""
    SPLIT = "split"
    """A Recovery or Contingency key becomes parts (SEC G2.44B)."""
    COMBINE = "combine"
    """A quorum joins its parts, has the approved messages signed, and lets it go."""
    RESHARE = "reshare"
    """A quorum wraps it anew and gives out new shares."""
    DESTROY = "destroy"
    """Every copy of a key is destroyed, verifiably (SEC G5.13(c), G5.24(c))."""
    VERIFY_SHARES = "verify-shares"
    """Every custodian proves that his share is intact, without revealing it."""


class Role(StrEnum):
    """In which role a person is in the room. One person has one."""

    ADMINISTRATOR = "ceremony-administrator"
    WITNESS = "internal-witness"
    CUSTODIAN = "key-custodian"
    SECURITY_OFFICER = "security-officer"
    PMA_REPRESENTATIVE = "pma-representative"
    AUDITOR = "auditor"


class Side(StrEnum):
    """Where a step is done: of a transfer there are two sides, each with its own module and ledger."""

    HERE = "here"
    SOURCE = "source"
    DESTINATION = "destination"


class Participant(Table):
    """``signing_sha256`` and ``receiving_sha256`` are of certificates (DER). Custodians have both."""

    name: Name
    role: Annotated[Role, Field(strict=False)]
    signing_sha256: Sha256
    receiving_sha256: Sha256 | None = None


class PlannedKey(Table):
    """``public_key_sha256``: of the register's public key (65 octets, or a secret key's CKA_ID); None for a key that is
    still to be made. ``successor`` is the label of the key that takes its place (renew)."""

    label: Label
    purpose: Annotated[KeyPurpose, Field(strict=False)]
    party: Name
    eui: Annotated[str, StringConstraints(pattern=r"^([0-9A-F]{2}-){7}[0-9A-F]{2}$")] | None = None
    public_key_sha256: Sha256 | None = None
    successor: Label | None = None
    common_name: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class PlannedModule(Table):
    """The Cryptographic Module of one side, as C_GetTokenInfo tells its serial."""

    side: Annotated[Side, Field(strict=False)]
    serial: Serial
    ledger: Origin


class Quorum(Table):
    """M of N: ``threshold`` of ``count`` shares."""

    threshold: int
    count: int


class DemandedApproval(Table):
    """An approval that must be on record for this very plan before the step that needs it."""

    about: Name
    committee: Name


class Condition(Table):
    """A condition of an approval, which somebody ticks in the room with what shows it."""

    id: Name
    words: Words


class TransferTerms(Table):
    """SEC G2.22F, G2.22G. ``source`` and ``destination`` are the systems, as approvals name them; ``mechanism`` is the
    approved adapter; ``afterwards``: what becomes of the source's key."""

    source: Name
    destination: Name
    contract_replaced: Reference
    requisite_because: Words
    mechanism: Name
    afterwards: Annotated[str, StringConstraints(pattern=r"^(destroy|keep)$")]


class SplitTerms(Table):
    """By which mechanism (``SLIP39``, or a module's own as its profile names it), and where copies of what the quorum
    opens are kept: at least ``COPIES`` at ``SITES`` sites."""

    mechanism: Name
    sites: tuple[Name, ...]
    copies: int
    generation: int
    of_appendix_l: bool
    """Is the split that of Appendix L (SEC G2.44B)? Believed only beside the SMKI PMA's statement."""


class Plan(Table):
    """``steps`` repeats the kind's own steps, so that everybody reads them beforehand."""

    kind: Annotated[CeremonyKind, Field(strict=False)]
    name: Label
    reason: Words
    requested_by: Name
    valid_from: datetime
    valid_until: datetime
    steps: tuple[str, ...]
    outputs: tuple[Words, ...] = ()
    keys: tuple[PlannedKey, ...] = ()
    modules: tuple[PlannedModule, ...] = ()
    people: tuple[Participant, ...] = ()
    quorum: Quorum | None = None
    approvals: tuple[DemandedApproval, ...] = ()
    conditions: tuple[Condition, ...] = ()
    transfer: TransferTerms | None = None
    split: SplitTerms | None = None
    rehearses: Sha256 | None = None
    """Of the plan that this one rehearses; such a plan is refused by a live deployment."""

    @model_validator(mode="after")
    def _moments_in_order(self) -> Self:
        if self.valid_from.tzinfo is None or self.valid_until.tzinfo is None:
            raise ValueError("valid_from, valid_until: expected moments with their offset (2026-12-01T09:00:00Z)")
        if self.valid_until <= self.valid_from:
            raise ValueError("expected valid_until later than valid_from")
        return self

    def in_role(self, role: Role) -> tuple[Participant, ...]:
        return tuple(each for each in self.people if each.role is role)

    def module(self, side: Side) -> PlannedModule | None:
        return next((each for each in self.modules if each.side is side), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan and the octets that it was read from."""

    plan: Plan
    octets: bytes

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.octets).digest()


def read_plan(octets: bytes) -> PlanFile:
    """Raises: ConfigurationInvalid for anything unknown, missing or mistyped; what a plan says is judged elsewhere."""
    if len(octets) > LONGEST:
        raise ConfigurationInvalid(f"expected at most {LONGEST} octets, found {len(octets)}", where="plan")
    return PlanFile(plan=read_form(octets, Plan, where="plan"), octets=octets)
