"""Every RPC of the line through a running broker and a real token: what is not good is refused, what is good is done.

Results are verified by code that shares nothing with the broker: ``cryptography``, lxml, a Device's own private key.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from keybroker import errors
from keybroker.client import Broker, HandshakeRequest, Processed, Request, SignedMessage, SigningRequest, TopUpRequest
from keybroker.client.replies import as_processed, as_signed, as_token
from keybroker.client.requests import Tls13CertificateVerify
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.terms import ContentKind, EntityIdentifier, KeyPurpose
from tests import messages, offers
from tests.conftest import RunningDeployment
from tests.duis import DS
from tests.offers import DEVICE, KEYS, Offers, caller_of, eui_of

pytestmark = pytest.mark.hsm

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
ISSUING = KeyPurpose.ISSUING_OCA
MAC, AGREEMENT = KeyPurpose.ACCESS_CONTROL_BROKER_MAC, KeyPurpose.USER_KEY_AGREEMENT
DCO, S1SP = KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1
ANOTHER_DEVICE = messages.DEVICE
SMETS1_BESIDE = {ContentKind.SMETS1_RESPONSE: S1SP}


@pytest.fixture(scope="module")
def offered(deployment: RunningDeployment) -> Offers:
    return Offers(deployment)


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


METHODS = [
    (SUPPLIER, ContentKind.PRE_COMMAND),
    (KeyPurpose.COS_PARTY_COMMAND, ContentKind.COMMAND),
    (ISSUING, ContentKind.CERTIFICATE),
    (ISSUING, ContentKind.CERTIFICATE_REVOCATION_LIST),
    (SUPPLIER, ContentKind.CERTIFICATE_SIGNING_REQUEST),
    (MAC, ContentKind.COMMAND_BEFORE_MAC),
    (AGREEMENT, ContentKind.PROTECTED_RESPONSE),
    (AGREEMENT, ContentKind.ENCRYPTED_RESPONSE),
    (KeyPurpose.SUPPLIER_PREPAYMENT, ContentKind.PREPAYMENT_TOP_UP),
    (KeyPurpose.USER_XML, ContentKind.SERVICE_REQUEST),
    (DCO, ContentKind.SMETS1_INSTRUCTION),
    (DCO, ContentKind.SMETS1_RESPONSE),
    (KeyPurpose.SMETS1_TLS, ContentKind.TLS_HANDSHAKE),
]
"""Every RPC."""


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


def sign(deployment: RunningDeployment, request: Request, purpose: KeyPurpose) -> SignedMessage:
    return as_signed(deployment.broker(caller_of(purpose)).send(request))


def process(deployment: RunningDeployment, request: Request, purpose: KeyPurpose) -> tuple[bytes, ...]:
    return as_processed(deployment.broker(caller_of(purpose)).send(request)).outputs


@pytest.mark.parametrize("purpose", [KeyPurpose.ROOT_OCA, ISSUING])
def test_a_certificate_verifies_under_its_issuer(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    request = offered.good(purpose, ContentKind.CERTIFICATE)
    assert isinstance(request, SigningRequest)
    certificate = x509.load_der_x509_certificate(sign(deployment, request, purpose).octets)
    assert certificate.tbs_certificate_bytes == request.octets
    certificate.verify_directly_issued_by(offered.certificate("root" if purpose is KeyPurpose.ROOT_OCA else "issuing"))


@pytest.mark.parametrize("purpose", [KeyPurpose.ROOT_OCA, ISSUING])
def test_a_revocation_list_verifies_under_its_issuer(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    signed = sign(deployment, offered.good(purpose, ContentKind.CERTIFICATE_REVOCATION_LIST), purpose)
    made = x509.load_der_x509_crl(signed.octets)
    issuer = offered.certificate("root" if purpose is KeyPurpose.ROOT_OCA else "issuing").public_key()
    assert isinstance(issuer, ec.EllipticCurvePublicKey)
    assert made.is_signature_valid(issuer)


REQUESTING = [
    purpose
    for purpose in KeyPurpose
    if purpose
    not in (
        *(MAC, AGREEMENT, KeyPurpose.SUPPLIER_PREPAYMENT),  # once in their lives, in the state enrolling
        *(KeyPurpose.AUDIT_CHECKPOINT, DCO, S1SP, KeyPurpose.CONTINGENCY_SYMMETRIC),  # never
    )
]


@pytest.mark.parametrize("purpose", REQUESTING)
def test_a_key_asks_for_its_own_certificate(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    signed = sign(deployment, offered.good(purpose, ContentKind.CERTIFICATE_SIGNING_REQUEST), purpose)
    made = x509.load_der_x509_csr(signed.octets)
    assert made.is_signature_valid
    assert made.public_key() == deployment.key(KEYS[purpose].label)


@pytest.mark.parametrize("purpose", [MAC, AGREEMENT, KeyPurpose.SUPPLIER_PREPAYMENT])
def test_a_key_agreement_key_that_has_its_certificate_signs_nothing_more(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    with pytest.raises(errors.NotPermitted) as refused:
        sign(deployment, offered.good(purpose, ContentKind.CERTIFICATE_SIGNING_REQUEST), purpose)
    assert [finding.rule for finding in refused.value.findings] == ["key-state-active"]


def test_a_device_accepts_the_command(offered: Offers, deployment: RunningDeployment) -> None:
    request = offered.good(MAC, ContentKind.COMMAND_BEFORE_MAC)
    assert isinstance(request, SigningRequest)
    (command,) = process(deployment, request, MAC)
    inner, mac = request.octets, command[-12:]
    body = bytes.fromhex("1100000000") + inner
    assert command == bytes.fromhex("DD000000000000") + messages.length_octets(len(body) + 12) + body + mac
    originator, counter = EntityIdentifier(inner[12:20]), int.from_bytes(inner[3:11], "big")
    key = offered.agreed(MAC, 1, originator, counter, DEVICE)
    assert mac == offers.gmac(key, originator, inner)


@pytest.mark.parametrize("purpose", [MAC, AGREEMENT])
def test_the_mac_of_a_response_is_right_and_what_is_encrypted_is_read(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    assert process(deployment, offered.good(purpose, ContentKind.PROTECTED_RESPONSE), purpose) == ()
    assert process(deployment, offered.good(purpose, ContentKind.ENCRYPTED_RESPONSE), purpose) == (b"plaintext",)


def test_a_meter_accepts_the_token(offered: Offers, deployment: RunningDeployment) -> None:
    purpose = KeyPurpose.SUPPLIER_PREPAYMENT
    request = offered.good(purpose, ContentKind.PREPAYMENT_TOP_UP)
    assert isinstance(request, TopUpRequest)
    token = as_token(deployment.broker(caller_of(purpose)).send(request))
    # Handbook 1.10: counter bits 41..32, class 00, value; then the last 4 of the 16 octets of the tag.
    high = struct.pack(">I", (request.counter >> 32 & 0x3FF) << 15 | 1234)
    counter = request.counter.to_bytes(8, "big")
    named = eui_of(purpose).octets + DEVICE.octets + b"\x01" + counter + high
    key = offered.agreed(purpose, 1, eui_of(purpose), request.counter, DEVICE)
    _, tag = offers.gcm(key, eui_of(purpose), b"", bytes.fromhex("110000000000") + named)
    assert token.ptut.to_bytes(8, "big") == high + tag[-4:]
    assert len(token.pptd) == 19


@pytest.mark.parametrize("purpose", [KeyPurpose.USER_XML, KeyPurpose.DSP_XML, KeyPurpose.COS_PARTY_XML])
def test_a_duis_message_verifies_as_its_readers_verify_it(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    signed = sign(deployment, offered.good(purpose, ContentKind.SERVICE_REQUEST), purpose)
    root = etree.fromstring(signed.octets)
    (signature,) = root.findall(f"{{{DS}}}Signature")
    info = signature.find(f"{{{DS}}}SignedInfo")
    assert info is not None
    value = b64decode(signature.findtext(f"{{{DS}}}SignatureValue") or "")
    digest = b64decode(signature.findtext(f".//{{{DS}}}DigestValue") or "")
    octets = etree.tostring(info, method="c14n", exclusive=True)
    check(deployment.key(KEYS[purpose].label), value, octets)
    serial = int(signature.findtext(f".//{{{DS}}}X509SerialNumber") or "")
    assert serial == offered.certificate(KEYS[purpose].label).serial_number
    root.remove(signature)
    assert hashlib.sha256(etree.tostring(root, method="c14n")).digest() == digest


@pytest.mark.parametrize("purpose", [DCO, S1SP])
def test_a_smets1_device_accepts_the_instruction_and_its_answer_is_opened(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    counters, apdu = [], b""
    for _ in range(2):
        (apdu,) = process(deployment, offered.good(purpose, ContentKind.SMETS1_INSTRUCTION), purpose)
        assert (apdu[0], apdu[1], apdu[2]) == (0xC8, len(apdu) - 2, 0x30)
        counters.append(int.from_bytes(apdu[3:7], "big"))
    assert counters[1] == counters[0] + 1
    title = deployment.deployment.keys[KEYS[purpose].label].eui
    assert title is not None
    assert offers.smets1_opened(purpose, title, apdu) == offers.SMETS1_QUESTION
    answer = process(deployment, offered.good(purpose, ContentKind.SMETS1_RESPONSE), purpose)
    assert answer == (offers.SMETS1_ANSWER,)


@pytest.mark.parametrize("purpose", [KeyPurpose.SMETS1_TLS, KeyPurpose.COS_PARTY_TLS])
def test_a_tls_peer_accepts_the_signature(purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment) -> None:
    request: Any = offered.good(purpose, ContentKind.TLS_HANDSHAKE)
    assert isinstance(request, HandshakeRequest)
    assert isinstance(request.content, Tls13CertificateVerify)
    signed = sign(deployment, request, purpose)
    content = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + request.content.transcript_hash
    deployment.key(KEYS[purpose].label).verify(signed.octets, content, ec.ECDSA(hashes.SHA256()))


def check(public_key: ec.EllipticCurvePublicKey, signature: bytes, octets: bytes) -> None:
    """r || s. Raises: InvalidSignature."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public_key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(hashes.SHA256()))


def test_the_verbs_of_the_client_are_the_rpcs(deployment: RunningDeployment) -> None:
    """Each by its own method, from a thread's client, with what it takes."""
    offered = Offers(deployment)
    supplier, dcc = deployment.broker("supplier-a"), deployment.broker("dcc")
    answers = [_by_method(supplier if caller_of(p) == "supplier-a" else dcc, p, k, offered) for p, k in METHODS]
    assert all(isinstance(answer, SignedMessage | Processed) or answer.pptd for answer in answers)


def _by_method(broker: Broker, purpose: KeyPurpose, kind: ContentKind, offered: Offers) -> Any:
    request: Any = offered.good(purpose, kind)
    key = request.key
    match kind:
        case ContentKind.PRE_COMMAND:
            return broker.sign_pre_command(key=key, octets=request.octets)
        case ContentKind.COMMAND:
            return broker.sign_command(key=key, octets=request.octets)
        case ContentKind.CERTIFICATE:
            csr = request.certificate_signing_request
            return broker.sign_certificate(key=key, tbs_certificate=request.octets, certificate_signing_request=csr)
        case ContentKind.CERTIFICATE_REVOCATION_LIST:
            return broker.sign_revocation_list(key=key, tbs_cert_list=request.octets)
        case ContentKind.CERTIFICATE_SIGNING_REQUEST:
            return broker.sign_certificate_signing_request(key=key, certification_request_info=request.octets)
        case ContentKind.COMMAND_BEFORE_MAC:
            chain = request.device_certificates
            return broker.apply_command_mac(key=key, inner_command=request.octets, device_certificates=chain)
        case ContentKind.PROTECTED_RESPONSE:
            chain = request.device_certificates
            return broker.check_response_mac(key=key, message=request.octets, device_certificates=chain)
        case ContentKind.ENCRYPTED_RESPONSE:
            chain = request.device_certificates
            return broker.decrypt_response(key=key, message=request.octets, device_certificates=chain)
        case ContentKind.PREPAYMENT_TOP_UP:
            return broker.make_prepayment_token(
                key=key,
                originator=request.originator,
                device=request.device,
                counter=request.counter,
                pence=request.pence,
                device_certificates=request.device_certificates,
            )
        case ContentKind.SERVICE_REQUEST:
            return broker.sign_service_request(key=key, service_request=request.octets)
        case ContentKind.SMETS1_INSTRUCTION:
            return broker.protect_smets1_instruction(key=key, instruction=request.octets, device=request.device)
        case ContentKind.SMETS1_RESPONSE:
            return broker.open_smets1_response(key=key, response=request.octets, device=request.device)
        case _:
            return broker.sign_tls_handshake(key=key, content=request.content)
