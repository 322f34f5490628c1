"""Protocol buffers to what a caller of the client gets."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from keybroker.client.answers import (
    Answer,
    ContentFacts,
    Explanation,
    InclusionProof,
    Key,
    PrepaymentToken,
    Processed,
    PublicKey,
    Receipt,
    Record,
    SignedMessage,
    Smets1Session,
)
from keybroker.client.refusals import BrokerFailed, error_from, finding_from
from keybroker.errors import KeybrokerError
from keybroker.pb import keys_pb2, records_pb2, sessions_pb2, signing_pb2
from keybroker.terms import ContentKind, EntityIdentifier, KeyLabel, RequestId


def signed_from(request_id: str, signed: signing_pb2.Signed) -> SignedMessage:
    return SignedMessage(
        request_id=RequestId(request_id),
        octets=signed.signed_message,
        signature=signed.signature,
        receipt=receipt_from(signed.receipt),
        given_again=signed.given_again,
        counter_reused=signed.counter_reused,
    )


def processed_from(request_id: str, processed: signing_pb2.Processed) -> Processed:
    return Processed(
        request_id=RequestId(request_id),
        outputs=tuple(processed.outputs),
        receipt=receipt_from(processed.receipt),
        given_again=processed.given_again,
    )


def as_signed(answer: Answer) -> SignedMessage:
    """Raises: BrokerFailed where it is none."""
    if not isinstance(answer, SignedMessage):
        raise BrokerFailed("expected a signature, found what is none", code=0)
    return answer


def as_processed(answer: Answer) -> Processed:
    """Raises: BrokerFailed where it is a signature."""
    if not isinstance(answer, Processed):
        raise BrokerFailed("expected what is no signature, found one", code=0)
    return answer


def as_token(answer: Answer) -> PrepaymentToken:
    """Raises: BrokerFailed where the output is not one PTUT."""
    made = as_processed(answer)
    if [len(output) for output in made.outputs] != [8]:
        raise BrokerFailed("expected one output of 8 octets, found others", code=0)
    return PrepaymentToken(
        request_id=made.request_id,
        ptut=int.from_bytes(made.outputs[0], "big"),
        receipt=made.receipt,
        given_again=made.given_again,
    )


def outcome_from(outcome: signing_pb2.SignOutcome) -> Answer | KeybrokerError:
    """What became of one item of a batch or stream."""
    match outcome.WhichOneof("outcome"):
        case "signed":
            return signed_from(outcome.request_id, outcome.signed)
        case "processed":
            return processed_from(outcome.request_id, outcome.processed)
        case _:
            return error_from(outcome.error.code, outcome.error.message, outcome.error.details)


def receipt_from(receipt: signing_pb2.Receipt) -> Receipt:
    return Receipt(origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash)


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
        eui=_eui(key.eui),
        not_before=_moment(key.not_before) if key.HasField("not_before") else None,
        not_after=_moment(key.not_after) if key.HasField("not_after") else None,
        usable=key.usable,
        unusable_because=key.unusable_because,
        test=key.test,
        warnings=tuple(key.warnings),
    )


def public_key_from(response: keys_pb2.GetPublicKeyResponse) -> PublicKey:
    return PublicKey(
        key=key_from(response.key),
        subject_public_key_info=response.subject_public_key_info,
        certificates=tuple(response.certificates),
    )


def session_from(request_id: str, response: sessions_pb2.BeginSmets1SessionResponse) -> Smets1Session:
    return Smets1Session(
        request_id=RequestId(request_id),
        key=KeyLabel(response.key),
        until=_moment(response.until),
        receipt=receipt_from(response.receipt),
        given_again=response.given_again,
    )


def record_from(response: records_pb2.GetRecordResponse) -> Record:
    return Record(octets=response.record, leaf_hash=response.leaf_hash)


def proof_from(proof: records_pb2.InclusionProof) -> InclusionProof:
    return InclusionProof(leaf_index=proof.leaf_index, leaf_hash=proof.leaf_hash, hashes=tuple(proof.hashes))


def _facts_from(facts: signing_pb2.ContentFacts) -> ContentFacts:
    return ContentFacts(
        kind=ContentKind(facts.kind),
        message_code=facts.message_code,
        use_case=facts.use_case,
        originator=_eui(facts.originator),
        recipient=_eui(facts.recipient),
        originator_counter=facts.originator_counter,
        payload_family=facts.payload_family,
        sha256=facts.sha256,
        facts=dict(facts.facts),
        service_reference_variants=tuple(facts.service_reference_variants),
    )


def _eui(text: str) -> EntityIdentifier | None:
    return EntityIdentifier.from_text(text) if text else None


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
