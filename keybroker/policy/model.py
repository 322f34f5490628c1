"""What policy judges with (the policy file, the registered key) and what it makes (the Decision)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.content.contents import Content
from keybroker.policy.claim import Claim
from keybroker.policy.settings import Settings
from keybroker.policy.trust import RevocationList, Trust
from keybroker.statement.standing import Standing
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    Export,
    Finding,
    KeyAlgorithm,
    KeyLabel,
    KeyPurpose,
    KeyState,
    KeyUsage,
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
    ``eui`` is None for a CA, ``subject`` its name in DER. ``issuers`` are the identities (SHA-256 of the public point)
    of the CAs above it, its own issuer first, the anchor last; ``serials`` are what each of them issued.
    """

    der: tuple[bytes, ...]
    subject_key_identifier: bytes
    role: RemotePartyRole
    eui: EntityIdentifier | None
    subject: bytes
    serial: int
    usage: KeyUsage
    issuers: tuple[bytes, ...] = ()
    serials: tuple[int, ...] = ()
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    test_anchor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What a session key was made for: one TLS session with one SMETS1 Device (SEC G2.44A(d)).

    ``parent`` is the S1SP's key under whose entitlement and system title it is used; ``handshake`` the leaf index of
    the record that holds our signature in the session's handshake; it may be used from ``made_at``, before ``until``.
    """

    parent: KeyLabel
    device: EntityIdentifier
    handshake: int
    made_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredKey:
    """A key as the register holds it, at one moment.

    ``public_key`` is the uncompressed point, 65 octets (04 || x || y); for a symmetric key, which has none, its CKA_ID
    of 20 random octets stands there. ``eui`` is the originator the key speaks for: the certificate's, or for a key
    bound by public key alone (Contingency) the register's own. ``certificate`` is None for keys that have none.
    ``attributes_expected`` follow from purpose and provenance and are hsm's business.
    """

    label: KeyLabel
    purpose: KeyPurpose
    party: PartyName
    state: KeyState
    provenance: Provenance
    public_key: bytes
    eui: EntityIdentifier | None
    certificate: CertificateFacts | None
    session: SessionFacts | None = None
    """Of a session key alone, which the broker made and destroys."""
    activated_at: datetime | None = None
    """When it first came into use, here or where it came from; None while it has not."""
    uses_before: int = 0
    """How often the system it came from used it."""

    @property
    def certificate_der(self) -> bytes | None:
        """The key's own certificate, which a document signed with it names; None where the register holds none."""
        return self.certificate.der[0] if self.certificate is not None and self.certificate.der else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegister:
    """The register at one moment. ``version`` grows with every change; the journal spends under no older one."""

    version: int
    keys: Mapping[KeyLabel, RegisteredKey]
    lists: Mapping[bytes, RevocationList] = field(default_factory=dict)
    """The current ARLs and CRLs, by the identity of their issuer (see ``Trust``)."""
    standing: Standing = field(default_factory=Standing)
    """The evidence that is held: attesters and statements."""


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
    algorithm: KeyAlgorithm
    key_usage: KeyUsage
    export: Export
    settings: Settings
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What else a rule may look at. ``at`` is the broker's clock, read once per batch."""

    deployment: DeploymentKind
    ledger_origin: str
    operation: Operation
    at: datetime
    trust: Trust = field(default_factory=Trust)
    register: KeyRegister | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedUse:
    """One use of a key as it is asked for. That it is asked for allows nothing."""

    content: Content
    key: RegisteredKey
    caller: Caller
    policy: Policy
    situation: Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(AskedUse):
    """The rules allow it. Made only by ``policy.decide``; holds every finding, all passed.

    ``claims`` are what the use takes from the ledger, in the transaction that writes its intent.
    """

    findings: tuple[Finding, ...]
    claims: tuple[Claim, ...] = ()
