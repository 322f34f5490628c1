"""What can be done to a key in the register: one frozen type an act, and the states it leads from and to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.policy.certificates import Anchor
from keybroker.terms import CallerKind, EntityIdentifier, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance

BOUND_BY_PUBLIC_KEY = frozenset({KeyPurpose.CONTINGENCY_COMMAND, KeyPurpose.AUDIT_CHECKPOINT})
"""Purposes whose keys need no certificate to become active (G2.45; Contingency: handbook 3.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: ``identity`` as in Caller (``local:…`` for an operator at the machine), ``party`` the deployment's."""

    identity: str
    kind: CallerKind
    party: PartyName


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """A key is wanted. ``eui`` is the originator it will speak for, where no certificate will say so."""

    label: KeyLabel
    purpose: KeyPurpose
    party: PartyName
    eui: EntityIdentifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGenerated:
    """The module holds it now. ``public_key`` is the uncompressed point, 65 octets."""

    label: KeyLabel
    public_key: bytes
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolCertificate:
    """Its certificate, end entity first, then its issuers; ``anchors`` are the configuration's.

    A key that is active or suspended stays so: that is a renewal.
    """

    label: KeyLabel
    chain: tuple[bytes, ...]
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateKey:
    """From now on it may sign."""

    label: KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendKey:
    """It may not sign until it is resumed. ``because`` is kept in the record."""

    label: KeyLabel
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeKey:
    """It may sign again."""

    label: KeyLabel
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireKey:
    """It will never sign again."""

    label: KeyLabel
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCertificate:
    """Its certificate was revoked at a moment; a certificate enrolled later is not. ``because`` is kept."""

    label: KeyLabel
    revoked_at: datetime
    because: str


Act = OrderKey | KeyGenerated | EnrolCertificate | ActivateKey | SuspendKey | ResumeKey | RetireKey | RevokeCertificate

_ORDERED, _GENERATED, _ENROLLING = KeyState.ORDERED, KeyState.GENERATED, KeyState.ENROLLING
_ACTIVE, _SUSPENDED, _RETIRED = KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.RETIRED

TRANSITIONS: Mapping[type[Act], Mapping[KeyState, KeyState]] = {
    KeyGenerated: {_ORDERED: _GENERATED},
    EnrolCertificate: {_GENERATED: _ENROLLING, _ENROLLING: _ENROLLING, _ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    ActivateKey: {_ENROLLING: _ACTIVE, _GENERATED: _ACTIVE},
    SuspendKey: {_ACTIVE: _SUSPENDED},
    ResumeKey: {_SUSPENDED: _ACTIVE},
    RetireKey: {state: _RETIRED for state in KeyState if state is not _RETIRED},
    RevokeCertificate: {_ENROLLING: _ENROLLING, _ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
}
"""Per act: from which state to which. What is not here is refused; only OrderKey starts from nothing."""
