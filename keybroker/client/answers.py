"""What does a caller of the client get? Values that never change; ``replies`` makes them of protocol buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.client.utrn import utrn
from keybroker.errors import KeybrokerError
from keybroker.terms import ContentKind, EntityIdentifier, Finding, KeyLabel, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where the record stands: the log's origin, its leaf index (from 0), its RFC 9162 leaf hash (32 octets)."""

    origin: str
    leaf_index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """A recorded signature; ``signature`` is r || s, 64 octets.

    ``octets`` is what was asked for, whole: message || 0x40 || r || s of a Command or Pre-Command; the Certificate,
    list or request in DER; the DUIS message with its ds:Signature; the DER signature of a TLS peer.

    ``given_again``: made for an earlier identical request. ``counter_reused``: how many earlier uses of a key named the
    same originator, Device and Originator Counter.
    """

    request_id: RequestId
    octets: bytes
    signature: bytes
    receipt: Receipt
    given_again: bool
    counter_reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What a key made that is no signature, recorded. ``outputs``: the Command with its MAC; each plaintext of a
    Response in its order; a PTUT (8 octets); a protected or an opened instruction; nothing where a MAC was only checked
    (it is right: otherwise ``ProtectionInvalid`` is raised). Plaintexts stay out of ``repr``.
    """

    request_id: RequestId
    outputs: tuple[bytes, ...] = field(repr=False)
    receipt: Receipt
    given_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentToken:
    """A recorded prepayment token. ``ptut`` is the Prepayment Token as a number of 64 bits."""

    request_id: RequestId
    ptut: int = field(repr=False)
    receipt: Receipt
    given_again: bool

    @property
    def pptd(self) -> str:
        """The Prepayment Token Decimal: 19 digits."""
        return f"{self.ptut + _PPTD:019}"

    @property
    def utrn(self) -> str:
        """What the customer types into the meter: the PPTD and one check digit (GBCS section 14.8)."""
        return utrn(self.pptd)


_PPTD = 7_394_156_990_786_306_048
"""PPTD = PTUT + this (GBCS; docs/handbook.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts:
    """What the broker read in the octets; ``sha256`` is the digest that would be signed, or of what the key would be
    used on. ``facts`` is everything that a record says of it; the fields from ``message_code`` on are of Commands.
    """

    kind: ContentKind
    sha256: bytes
    facts: Mapping[str, str]
    message_code: str
    use_case: str
    originator: EntityIdentifier | None
    recipient: EntityIdentifier | None
    originator_counter: int
    payload_family: str
    service_reference_variants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would become of a request. ``error`` is the refusal that signing would meet, None where it would sign.

    ``content`` is None where the octets could not be read; ``policy_sha256`` is of the policy file that judged.
    """

    would_sign: bool
    findings: tuple[Finding, ...]
    error: KeybrokerError | None
    content: ContentFacts | None
    key_purpose: str
    policy_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as the register and the module show it; ``unusable_because`` is empty where it is usable.

    ``test``: it is of a test deployment, and can be of no other. ``warnings``: what lapses within 30 days that keys
    depend on.
    """

    label: KeyLabel
    purpose: str
    party: str
    state: str
    eui: EntityIdentifier | None
    not_before: datetime | None
    not_after: datetime | None
    usable: bool
    unusable_because: str
    test: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key: SubjectPublicKeyInfo in DER, and its certificates in DER, end entity first (may be none)."""

    key: Key
    subject_public_key_info: bytes
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smets1Session:
    """A key for one TLS session with a SMETS1 Device: ``key`` is its label, which may be named before ``until``.

    ``receipt`` is of the record that says that it was made.
    """

    request_id: RequestId
    key: KeyLabel
    until: datetime
    receipt: Receipt
    given_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it was hashed: canonical JSON (RFC 8785) and SHA-256(0x00 || octets)."""

    octets: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That a record is in a tree: ``hashes`` as ``keybroker.ledger.proofs.check_inclusion`` takes them."""

    leaf_index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]


Answer = SignedMessage | Processed
"""What becomes of a request of the line."""
