"""What can be done to a key in the register: one frozen type an act, and the states it leads from and to.

``life_acts`` has those of its later life.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from keybroker.keys.life_acts import LifeAct
from keybroker.ledger.life_form import LIFE
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
    """A key is wanted. ``eui`` is the originator it will speak for, where no certificate will say so; ``renews`` is
    the key whose place it is to take.
    """

    label: KeyLabel
    purpose: KeyPurpose
    party: PartyName
    eui: EntityIdentifier | None = None
    renews: KeyLabel | None = None


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
    | LifeAct
)

TRANSITIONS: Mapping[type[Act], Mapping[KeyState | None, KeyState]] = {
    kind: LIFE[kind.__name__] for kind in get_args(Act)
}
"""Per act: from which state to which. What is not here is refused; OrderKey and BeginSession start from nothing."""


def name_of(act: Act) -> str:
    """As records and orders call it."""
    return type(act).__name__
