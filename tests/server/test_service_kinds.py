"""Every RPC of the line through a running broker and a real token: what is not good is refused, what is good, done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest

from keybroker import errors
from keybroker.client import Processed, Request, SignedMessage, SigningRequest
from keybroker.client.replies import as_processed
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.terms import ContentKind, KeyPurpose
from tests import messages
from tests.conftest import RunningDeployment
from tests.offers import DEVICE, Offers, caller_of, eui_of
from tests.server.every_rpc import AGREEMENT, DCO, ISSUING, MAC, METHODS, S1SP, SUPPLIER

pytestmark = pytest.mark.hsm


ANOTHER_DEVICE = messages.DEVICE
SMETS1_BESIDE = {ContentKind.SMETS1_RESPONSE: S1SP}


def changed(**changes: Any) -> Callable[[Any], Request]:
    return lambda request: replace(request, **changes)


def last_octet_changed(request: SigningRequest) -> Request:
    return replace(request, octets=request.octets[:-1] + bytes([request.octets[-1] ^ 1]))


@dataclass(frozen=True)
class Refusal:
    purpose: KeyPurpose
    kind: ContentKind
    spoil: Callable[[Any], Request]
    error: type[errors.KeybrokerError]
    said: str

    def __str__(self) -> str:
        return f"{OPERATIONS[self.kind]}: {self.said}"


REFUSALS = [
    Refusal(
        SUPPLIER,
        ContentKind.PRE_COMMAND,
        lambda request: replace(request, octets=request.octets[:-1]),
        errors.ContentMalformed,
        "GBCS",
    ),
    Refusal(
        KeyPurpose.COS_PARTY_COMMAND,
        ContentKind.COMMAND,
        lambda request: replace(
            request,
            octets=messages.compose_command(
                messages.SUPPLIER_BY_TRANS_COS, eui_of(KeyPurpose.COS_PARTY_COMMAND), DEVICE, 9
            ),
        ),
        errors.NotPermitted,
        "change-of-supplier-asked-for",
    ),
    Refusal(
        ISSUING,
        ContentKind.CERTIFICATE,
        changed(certificate_signing_request=b""),
        errors.KeybrokerError,
        "request",
    ),
    Refusal(
        KeyPurpose.ROOT_OCA,
        ContentKind.CERTIFICATE,
        changed(key="issuing-oca"),
        errors.NotPermitted,
        "certificate-issuer-is-signing-key",
    ),
    Refusal(
        ISSUING,
        ContentKind.CERTIFICATE_REVOCATION_LIST,
        changed(key="root-oca"),
        errors.NotPermitted,
        "revocation-list-issuer-is-keys-subject",
    ),
    Refusal(
        SUPPLIER,
        ContentKind.CERTIFICATE_SIGNING_REQUEST,
        changed(key="supplier-a-xml"),
        errors.NotPermitted,
        "request-public-key-is-signing-key",
    ),
    Refusal(
        MAC,
        ContentKind.COMMAND_BEFORE_MAC,
        changed(device_certificates=()),
        errors.ContentMalformed,
        "certificate",
    ),
    Refusal(
        MAC, ContentKind.PROTECTED_RESPONSE, last_octet_changed, errors.ProtectionInvalid, "Message Authentication Code"
    ),
    Refusal(
        AGREEMENT,
        ContentKind.ENCRYPTED_RESPONSE,
        lambda request: replace(request, octets=request.octets[:-66] + b"\0" + request.octets[-65:]),
        errors.ProtectionInvalid,
        "tag",
    ),
    Refusal(
        KeyPurpose.SUPPLIER_PREPAYMENT,
        ContentKind.PREPAYMENT_TOP_UP,
        changed(device=ANOTHER_DEVICE),
        errors.NotPermitted,
        "device-certificate-is-the-devices",
    ),
    Refusal(
        KeyPurpose.USER_XML,
        ContentKind.SERVICE_REQUEST,
        lambda request: replace(request, octets=request.octets.replace(b"<sr:Body>", b"<sr:Body> ")),
        errors.ContentMalformed,
        "white space",
    ),
    Refusal(DCO, ContentKind.SMETS1_INSTRUCTION, last_octet_changed, errors.ContentMalformed, "IEC 62056-5-3"),
    Refusal(S1SP, ContentKind.SMETS1_RESPONSE, last_octet_changed, errors.ProtectionInvalid, "tag"),
    Refusal(
        KeyPurpose.SMETS1_TLS,
        ContentKind.TLS_HANDSHAKE,
        lambda request: replace(request, content=replace(request.content, transcript_hash=bytes(20))),
        errors.ContentMalformed,
        "RFC 8446",
    ),
]


@pytest.mark.clause("G2.56(b)", "G2.60(a)", "G2.60(b)", "G2.61(a)", "G2.61(b)", "G3.29(b)", shows="refusal")
@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_says_why(case: Refusal, offered: Offers, deployment: RunningDeployment) -> None:
    request = case.spoil(offered.good(case.purpose, case.kind))
    with pytest.raises(case.error) as refused:
        deployment.broker(caller_of(case.purpose)).send(request)
    assert case.said in refused.value.sentence
    assert refused.value.clause


def test_every_rpc_of_the_line_has_a_refusal_here() -> None:
    no_rpc = {ContentKind.AUDIT_CHECKPOINT, ContentKind.ROOT_CERTIFICATE}
    assert {case.kind for case in REFUSALS} == set(ContentKind) - no_rpc


ONCE = [
    (ISSUING, ContentKind.CERTIFICATE),
    (ISSUING, ContentKind.CERTIFICATE_REVOCATION_LIST),
    (KeyPurpose.SUPPLIER_PREPAYMENT, ContentKind.PREPAYMENT_TOP_UP),
    (DCO, ContentKind.SMETS1_RESPONSE),
]


@pytest.mark.clause("G2.60(a)", "G2.61(a)", shows="refusal")
@pytest.mark.parametrize(("purpose", "kind"), ONCE)
def test_what_is_taken_once_is_refused_under_another_request_id(
    purpose: KeyPurpose, kind: ContentKind, offered: Offers, deployment: RunningDeployment
) -> None:
    broker, request = deployment.broker(caller_of(purpose)), offered.good(purpose, kind)
    broker.send(request)
    with pytest.raises(errors.EvidenceSpent) as refused:
        broker.send(request)
    assert refused.value.clause
    assert [finding.rule for finding in refused.value.findings] == [refused.value.gate]


KEPT = [
    (ISSUING, ContentKind.CERTIFICATE),
    (MAC, ContentKind.COMMAND_BEFORE_MAC),
    (KeyPurpose.SUPPLIER_PREPAYMENT, ContentKind.PREPAYMENT_TOP_UP),
    (KeyPurpose.USER_XML, ContentKind.SERVICE_REQUEST),
    (DCO, ContentKind.SMETS1_INSTRUCTION),
    (KeyPurpose.SMETS1_TLS, ContentKind.TLS_HANDSHAKE),
]


@pytest.mark.parametrize(("purpose", "kind"), KEPT)
def test_what_is_recorded_is_given_again_for_the_same_request(
    purpose: KeyPurpose, kind: ContentKind, offered: Offers, deployment: RunningDeployment
) -> None:
    broker = deployment.broker(caller_of(purpose))
    request = replace(offered.good(purpose, kind), request_id=f"again-{purpose}-{kind}")
    first, again = broker.send(request), broker.send(request)
    assert (first.given_again, again.given_again) == (False, True)
    assert _result(first) == _result(again)


def test_a_plaintext_is_deciphered_anew_for_the_same_request(offered: Offers, deployment: RunningDeployment) -> None:
    broker = deployment.broker(caller_of(AGREEMENT))
    request = replace(offered.good(AGREEMENT, ContentKind.ENCRYPTED_RESPONSE), request_id="deciphered-anew")
    first, again = as_processed(broker.send(request)), as_processed(broker.send(request))
    assert first.outputs == again.outputs == (b"plaintext",)
    assert not again.given_again
    for answer in (first, again):
        record = broker.get_record(answer.receipt.leaf_index).octets
        assert b'"result_octets":[9]' in record
        assert b"plaintext".hex().encode() not in record
        assert hashlib.sha256(b"plaintext").hexdigest().encode() not in record


def _result(answer: SignedMessage | Processed) -> object:
    return answer.octets if isinstance(answer, SignedMessage) else answer.outputs


@pytest.mark.parametrize(("purpose", "kind"), METHODS)
def test_every_rpc_alone_in_a_batch_and_explained(
    purpose: KeyPurpose, kind: ContentKind, offered: Offers, deployment: RunningDeployment
) -> None:
    caller = caller_of(purpose)
    # 1. The RPC by itself, by a bare stub.
    item = offered.good(purpose, kind).item(f"alone-{purpose}-{kind}")
    arm = item.WhichOneof("request")
    assert arm is not None
    with _channel(deployment, caller) as channel:
        response = getattr(signing_pb2_grpc.SigningServiceStub(channel), OPERATIONS[kind])(getattr(item, arm))
    answered = response.signed if isinstance(_first(response), pb.Signed) else response.processed
    assert len(answered.receipt.leaf_hash) == 32
    # 2. In a batch, beside another. 3. Explained, which touches no key.
    broker = deployment.broker(caller)
    # (Of one SMETS1 Device two responses are not opened at once: their counters would have no order.)
    outcomes = broker.sign_batch([offered.good(purpose, kind), offered.good(SMETS1_BESIDE.get(kind, purpose), kind)])
    assert [outcome for outcome in outcomes if isinstance(outcome, errors.KeybrokerError)] == []
    explained = broker.explain_request(offered.good(purpose, kind))
    assert explained.would_sign, explained.error
    assert explained.content is not None
    assert explained.content.kind is kind
    assert explained.content.facts["kind"] == kind
    assert explained.key_purpose == purpose


def _first(response: Any) -> object:
    return next(value for _, value in response.ListFields())


def _channel(deployment: RunningDeployment, caller: str) -> grpc.Channel:
    made = deployment.deployment
    credentials = grpc.ssl_channel_credentials(
        made.anchors.read_bytes(), made.private_key(caller).read_bytes(), made.certificate(caller).read_bytes()
    )
    return grpc.secure_channel(made.target, credentials)
