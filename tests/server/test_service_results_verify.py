"""What the broker gives back for every kind of request, through a real token, is accepted by who reads it.

Results are verified by code that shares nothing with the broker: ``cryptography``, lxml, a Device's own private key.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from keybroker import errors
from keybroker.client import HandshakeRequest, Request, SignedMessage, SigningRequest, TopUpRequest
from keybroker.client.replies import as_processed, as_signed, as_token
from keybroker.client.requests import Tls13CertificateVerify
from keybroker.terms import ContentKind, EntityIdentifier, KeyPurpose
from tests import messages, offers
from tests.conftest import RunningDeployment
from tests.duis import DS
from tests.offers import DEVICE, KEYS, Offers, caller_of, eui_of
from tests.server.every_rpc import AGREEMENT, DCO, ISSUING, MAC, S1SP

pytestmark = pytest.mark.hsm


def sign(deployment: RunningDeployment, request: Request, purpose: KeyPurpose) -> SignedMessage:
    return as_signed(deployment.broker(caller_of(purpose)).send(request))


def process(deployment: RunningDeployment, request: Request, purpose: KeyPurpose) -> tuple[bytes, ...]:
    return as_processed(deployment.broker(caller_of(purpose)).send(request)).outputs


@pytest.mark.clause("G2.60(a)", "G2.61(a)", shows="acceptance")
@pytest.mark.parametrize("purpose", [KeyPurpose.ROOT_OCA, ISSUING])
def test_a_certificate_verifies_under_its_issuer(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    request = offered.good(purpose, ContentKind.CERTIFICATE)
    assert isinstance(request, SigningRequest)
    certificate = x509.load_der_x509_certificate(sign(deployment, request, purpose).octets)
    assert certificate.tbs_certificate_bytes == request.octets
    certificate.verify_directly_issued_by(offered.certificate("root" if purpose is KeyPurpose.ROOT_OCA else "issuing"))


@pytest.mark.clause("G2.60(c)", "G2.61(c)", shows="acceptance")
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


@pytest.mark.clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)", shows="acceptance")
@pytest.mark.parametrize("purpose", REQUESTING)
def test_a_key_asks_for_its_own_certificate(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    signed = sign(deployment, offered.good(purpose, ContentKind.CERTIFICATE_SIGNING_REQUEST), purpose)
    made = x509.load_der_x509_csr(signed.octets)
    assert made.is_signature_valid
    assert made.public_key() == deployment.key(KEYS[purpose].label)


@pytest.mark.clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)", shows="refusal")
@pytest.mark.parametrize("purpose", [MAC, AGREEMENT, KeyPurpose.SUPPLIER_PREPAYMENT])
def test_a_key_agreement_key_that_has_its_certificate_signs_nothing_more(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    with pytest.raises(errors.NotPermitted) as refused:
        sign(deployment, offered.good(purpose, ContentKind.CERTIFICATE_SIGNING_REQUEST), purpose)
    assert [finding.rule for finding in refused.value.findings] == ["key-state-active"]


@pytest.mark.clause("G2.44(b)", shows="acceptance")
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


@pytest.mark.clause("G3.22", "G3.23(a)(iii)", shows="acceptance")
@pytest.mark.parametrize("purpose", [MAC, AGREEMENT])
def test_the_mac_of_a_response_is_right_and_what_is_encrypted_is_read(
    purpose: KeyPurpose, offered: Offers, deployment: RunningDeployment
) -> None:
    assert process(deployment, offered.good(purpose, ContentKind.PROTECTED_RESPONSE), purpose) == ()
    assert process(deployment, offered.good(purpose, ContentKind.ENCRYPTED_RESPONSE), purpose) == (b"plaintext",)


@pytest.mark.clause("G3.22", "G3.23(a)(iii)", shows="acceptance")
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


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", "G3.22", "G3.23(a)(iii)", shows="acceptance")
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


@pytest.mark.clause("G2.44(c)", shows="acceptance")
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


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", "G2.44(d)", shows="acceptance")
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
