"""What does a caller of the client get? Values, made from protocol buffers once and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from keybroker.client.refusals import error_from, finding_from
from keybroker.errors import KeybrokerError
from keybroker.pb import keys_pb2, records_pb2, signing_pb2
from keybroker.terms import ContentKind, EntityIdentifier, Finding, KeyLabel, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """One item of a batch: ``octets`` is a whole Pre-Command or Command, ``request_id`` None for a new one."""

    kind: ContentKind
    key: str
    octets: bytes
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where the record stands: the log's origin, its leaf index (from 0), its RFC 9162 leaf hash (32 octets)."""

    origin: str
    leaf_index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """A recorded signature. ``octets`` is message || 0x40 || r || s; ``signature`` is r || s, 64 octets.

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
class ContentFacts:
    """What the broker read in the octets; ``sha256`` is the digest that would be signed."""

    kind: ContentKind
    message_code: str
    use_case: str
    originator: EntityIdentifier
    recipient: EntityIdentifier
    originator_counter: int
    payload_family: str
    sha256: bytes
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

    ``test``: it is of a test deployment, and can be of no other.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key: SubjectPublicKeyInfo in DER, and its certificates in DER, end entity first (may be none)."""

    key: Key
    subject_public_key_info: bytes
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it was hashed: canonical JSON (RFC 8785) and SHA-256(0x00 || octets)."""

    octets: bytes
    leaf_hash: bytes


def signed_from(request_id: str, signed: signing_pb2.Signed) -> SignedMessage:
    receipt = signed.receipt
    return SignedMessage(
        request_id=RequestId(request_id),
        octets=signed.signed_message,
        signature=signed.signature,
        receipt=Receipt(origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash),
        given_again=signed.given_again,
        counter_reused=signed.counter_reused,
    )


def outcome_from(outcome: signing_pb2.SignOutcome) -> SignedMessage | KeybrokerError:
    """What became of one item of a batch or stream."""
    if outcome.HasField("signed"):
        return signed_from(outcome.request_id, outcome.signed)
    return error_from(outcome.error.code, outcome.error.message, outcome.error.details)


def explanation_from(response: signing_pb2.ExplainResponse) -> Explanation:
    error = response.error
    return Explanation(
        would_sign=response.would_sign,
        findings=tuple(finding_from(finding) for finding in response.findings),
        error=error_from(error.code, error.message, error.details) if response.HasField("error") else None,
        content=_facts_from(response.content) if response.HasField("content") else None,
        key_purpose=response.key_purpose,
        policy_sha256=response.policy_sha256,
    )


def key_from(key: keys_pb2.Key) -> Key:
    return Key(
        label=KeyLabel(key.label),
        purpose=key.purpose,
        party=key.party,
        state=key.state,
        eui=EntityIdentifier.from_text(key.eui) if key.eui else None,
        not_before=_moment(key.not_before) if key.HasField("not_before") else None,
        not_after=_moment(key.not_after) if key.HasField("not_after") else None,
        usable=key.usable,
        unusable_because=key.unusable_because,
        test=key.test,
    )


def public_key_from(response: keys_pb2.GetPublicKeyResponse) -> PublicKey:
    return PublicKey(
        key=key_from(response.key),
        subject_public_key_info=response.subject_public_key_info,
        certificates=tuple(response.certificates),
    )


def record_from(response: records_pb2.GetRecordResponse) -> Record:
    return Record(octets=response.record, leaf_hash=response.leaf_hash)


def _facts_from(facts: signing_pb2.ContentFacts) -> ContentFacts:
    return ContentFacts(
        kind=ContentKind(facts.kind),
        message_code=facts.message_code,
        use_case=facts.use_case,
        originator=EntityIdentifier.from_text(facts.originator),
        recipient=EntityIdentifier.from_text(facts.recipient),
        originator_counter=facts.originator_counter,
        payload_family=facts.payload_family,
        sha256=facts.sha256,
        service_reference_variants=tuple(facts.service_reference_variants),
    )


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
