"""What can be done to a key in the register: one frozen type an act, and the states it leads from and to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.trust import Anchor
from keybroker.terms import (
    CallerKind,
    ContentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyState,
    PartyName,
    Provenance,
    RequestId,
)

BOUND_BY_PUBLIC_KEY = frozenset(
    purpose for purpose, obligation in OBLIGATIONS.items() if obligation.binding != "certificate-role"
)
"""Purposes whose keys need no certificate to become active (G2.45; Contingency: handbook 3.5; symmetric keys)."""

REQUESTS_CERTIFICATES = frozenset(
    purpose
    for purpose, obligation in OBLIGATIONS.items()
    if ContentKind.CERTIFICATE_SIGNING_REQUEST in obligation.content_kinds
)
"""Purposes whose keys may sign a request for a certificate (G2.56(b), G2.60(b), G2.61(b), G3.29(b))."""


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
    """The module holds it now. ``public_key``: the uncompressed point (65 octets), a secret key's CKA_ID (20)."""

    label: KeyLabel
    public_key: bytes
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEnrolment:
    """From now on it may sign the request for its certificate; a Key Agreement key signs nothing else, ever."""

    label: KeyLabel


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSession:
    """The broker is about to make a key for one TLS session with ``device`` (SEC G2.44A(d)); it cannot be used yet.

    ``parent`` is the S1SP's key whose system title it bears; ``public_key`` the CKA_ID (20) that it will have.
    ``handshake`` is the leaf index of our signature in the session's handshake, not older than ``within`` seconds at
    ``begins``; it lives until ``until``. ``broker`` is this run of the broker; ``request_id`` and ``sha256`` are the
    request's.
    """

    label: KeyLabel
    parent: KeyLabel
    party: PartyName
    device: EntityIdentifier
    public_key: bytes
    handshake: int
    within: int
    begins: datetime
    until: datetime
    broker: str
    request_id: RequestId
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeyMade:
    """The module holds the session's key: from now on it may be used."""

    label: KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeyDestroyed:
    """The session ended (the key was retired) and the module, searched, holds its key no more."""

    label: KeyLabel


Act = (
    OrderKey
    | KeyGenerated
    | BeginEnrolment
    | EnrolCertificate
    | ActivateKey
    | SuspendKey
    | ResumeKey
    | RetireKey
    | RevokeCertificate
    | BeginSession
    | SessionKeyMade
    | SessionKeyDestroyed
)

_ORDERED, _GENERATED, _ENROLLING = KeyState.ORDERED, KeyState.GENERATED, KeyState.ENROLLING
_ACTIVE, _SUSPENDED, _RETIRED = KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.RETIRED

TRANSITIONS: Mapping[type[Act], Mapping[KeyState, KeyState]] = {
    KeyGenerated: {_ORDERED: _GENERATED},
    BeginEnrolment: {_GENERATED: _ENROLLING},
    EnrolCertificate: {_GENERATED: _ENROLLING, _ENROLLING: _ENROLLING, _ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    ActivateKey: {_ENROLLING: _ACTIVE, _GENERATED: _ACTIVE},
    SuspendKey: {_ACTIVE: _SUSPENDED},
    ResumeKey: {_SUSPENDED: _ACTIVE},
    RetireKey: {state: _RETIRED for state in KeyState if state is not _RETIRED},
    RevokeCertificate: {_ENROLLING: _ENROLLING, _ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    SessionKeyMade: {_ORDERED: _ACTIVE},
    SessionKeyDestroyed: {_RETIRED: _RETIRED},
}
"""Per act: from which state to which. What is not here is refused; OrderKey and BeginSession start from nothing."""
