"""What policy judges with (the policy file, the registered key) and what it makes (the Decision)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.content.model import Content
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    Export,
    Finding,
    KeyLabel,
    KeyPurpose,
    KeyState,
    Operation,
    PartyName,
    Provenance,
    RemotePartyRole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What the chain behind a key says, after every signature in it was verified up to a configured anchor.

    ``der`` is the end-entity certificate first, then its issuers (anchor excluded). ``test_anchor`` says that the
    anchor is listed as a test anchor. ``revoked_at`` is what the register knows, None where it knows of no revocation.
    """

    der: tuple[bytes, ...]
    subject_key_identifier: bytes
    role: RemotePartyRole
    eui: EntityIdentifier
    serial: int
    digital_signature: bool
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    test_anchor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredKey:
    """A key as the register holds it, at one moment.

    ``public_key`` is the uncompressed point, 65 octets (04 || x || y). ``eui`` is the originator the key speaks for:
    the certificate's, or for a key bound by public key alone (Contingency) the register's own. ``certificate`` is None
    for keys that have none. ``attributes_expected`` follow from purpose and provenance and are hsm's business.
    """

    label: KeyLabel
    purpose: KeyPurpose
    party: PartyName
    state: KeyState
    provenance: Provenance
    public_key: bytes
    eui: EntityIdentifier | None
    certificate: CertificateFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegister:
    """The register at one moment. ``version`` grows with every change; the journal spends under no older one."""

    version: int
    keys: Mapping[KeyLabel, RegisteredKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRequirement:
    """Which Cryptographic Module the clause demands: ``fips-level-3`` or ``information-classification-scheme``."""

    requirement: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequirement:
    gate: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``policies/<purpose>.toml``, read strictly. ``sha256`` is of the file's octets."""

    purpose: KeyPurpose
    title: str
    clauses: tuple[str, ...]
    use_clause: str
    effective_from: datetime
    effective_until: datetime | None
    caller_kinds: frozenset[CallerKind]
    operations: frozenset[Operation]
    content_kinds: frozenset[ContentKind]
    binding: str
    roles: frozenset[RemotePartyRole]
    message_codes: frozenset[int]
    message_code_groups: tuple[tuple[str, frozenset[int]], ...]
    module: ModuleRequirement
    location: str
    gates: tuple[GateRequirement, ...]
    algorithm: str
    export: Export
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What else a rule may look at. ``at`` is the broker's clock, read once per batch."""

    deployment: DeploymentKind
    ledger_origin: str
    operation: Operation
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The rules allow it. Made only by ``policy.decide``; holds every finding, all passed."""

    content: Content
    key: RegisteredKey
    caller: Caller
    policy: Policy
    situation: Situation
    findings: tuple[Finding, ...]
