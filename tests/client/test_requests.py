"""What a client asks is what the broker reads: every request of the API, there and back; and what is no request."""

from __future__ import annotations

from typing import Any

import pytest

from keybroker.client import (
    BrokerFailed,
    HandshakeRequest,
    PrepaymentToken,
    Processed,
    Receipt,
    Request,
    SignedMessage,
    SigningRequest,
    Tls12CertificateVerify,
    Tls12ServerKeyExchange,
    Tls13CertificateVerify,
    TlsRole,
    TopUpRequest,
)
from keybroker.client.replies import as_processed, as_signed, as_token, outcome_from
from keybroker.content.model import Accompanying
from keybroker.pb import signing_pb2 as pb
from keybroker.server.forms import FORMS
from keybroker.server.requests import read_item
from keybroker.signing import Ask
from keybroker.terms import AccompanyingKind, ContentKind, RequestId
from tests import messages
from tests.server.callers import caller

RANDOM = bytes(range(32))


def signing(kind: ContentKind, **beside: Any) -> SigningRequest:
    return SigningRequest(kind=kind, key="k", octets=b"octets", **beside)


def top_up(**changes: Any) -> TopUpRequest:
    fields: dict[str, Any] = {
        "key": "k",
        "originator": messages.SUPPLIER,
        "device": messages.DEVICE,
        "counter": 1 << 32,
    }
    return TopUpRequest(**{**fields, "pence": 1234, **changes})


def handshake(content: Any) -> HandshakeRequest:
    return HandshakeRequest(key="k", content=content)


def beside(kind: AccompanyingKind, *octets: bytes) -> tuple[Accompanying, ...]:
    return tuple(Accompanying(kind=kind, octets=each) for each in octets)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (signing(ContentKind.AUDIT_CHECKPOINT), "found audit-checkpoint"),
        (signing(ContentKind.ROOT_CERTIFICATE), "found root-certificate"),
        (signing(ContentKind.PREPAYMENT_TOP_UP), "found prepayment-top-up"),
        (signing(ContentKind.TLS_HANDSHAKE), "found tls-handshake"),
        (signing(ContentKind.PRE_COMMAND, device_certificates=(b"d",)), "takes no device_certificates"),
        (signing(ContentKind.CERTIFICATE, device=messages.DEVICE), "takes no device"),
        (signing(ContentKind.COMMAND_BEFORE_MAC, service_request=b"<a/>"), "takes no service_request"),
        (top_up(pence=None), "pence or pounds"),
        (top_up(pounds=1), "pence or pounds"),
    ],
)
def test_what_is_no_request_of_the_api_is_not_sent(request_: Request, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        request_.item("r")


CASES: list[tuple[Request, ContentKind, bytes, tuple[Accompanying, ...]]] = [
    (
        signing(ContentKind.PRE_COMMAND, service_request=b"<a/>", signer_certificates=(b"s", b"i")),
        ContentKind.PRE_COMMAND,
        b"octets",
        beside(AccompanyingKind.SERVICE_REQUEST, b"<a/>") + beside(AccompanyingKind.SIGNER_CERTIFICATE, b"s", b"i"),
    ),
    (signing(ContentKind.COMMAND), ContentKind.COMMAND, b"octets", ()),
    (
        signing(ContentKind.CERTIFICATE, certificate_signing_request=b"csr"),
        ContentKind.CERTIFICATE,
        b"octets",
        beside(AccompanyingKind.CERTIFICATE_SIGNING_REQUEST, b"csr"),
    ),
    (
        signing(ContentKind.CERTIFICATE_REVOCATION_LIST),
        ContentKind.CERTIFICATE_REVOCATION_LIST,
        b"octets",
        (),
    ),
    (
        signing(ContentKind.CERTIFICATE_SIGNING_REQUEST),
        ContentKind.CERTIFICATE_SIGNING_REQUEST,
        b"octets",
        (),
    ),
    (
        signing(ContentKind.COMMAND_BEFORE_MAC, device_certificates=(b"d",), originator_certificates=(b"o", b"i")),
        ContentKind.COMMAND_BEFORE_MAC,
        b"octets",
        beside(AccompanyingKind.DEVICE_CERTIFICATE, b"d") + beside(AccompanyingKind.ORIGINATOR_CERTIFICATE, b"o", b"i"),
    ),
    (
        signing(ContentKind.PROTECTED_RESPONSE, device_certificates=(b"d",)),
        ContentKind.PROTECTED_RESPONSE,
        b"octets",
        beside(AccompanyingKind.DEVICE_CERTIFICATE, b"d"),
    ),
    (
        signing(ContentKind.ENCRYPTED_RESPONSE, device_certificates=(b"d",)),
        ContentKind.ENCRYPTED_RESPONSE,
        b"octets",
        beside(AccompanyingKind.DEVICE_CERTIFICATE, b"d"),
    ),
    (
        top_up(device_certificates=(b"d",)),
        ContentKind.PREPAYMENT_TOP_UP,
        messages.SUPPLIER.octets + messages.DEVICE.octets + bytes.fromhex("0000000100000000 00 04d2"),
        beside(AccompanyingKind.DEVICE_CERTIFICATE, b"d"),
    ),
    (
        top_up(pence=None, pounds=100),
        ContentKind.PREPAYMENT_TOP_UP,
        messages.SUPPLIER.octets + messages.DEVICE.octets + bytes.fromhex("0000000100000000 01 0064"),
        (),
    ),
    (
        signing(ContentKind.SERVICE_REQUEST, originator_certificates=(b"o",)),
        ContentKind.SERVICE_REQUEST,
        b"octets",
        beside(AccompanyingKind.ORIGINATOR_CERTIFICATE, b"o"),
    ),
    (
        signing(ContentKind.SMETS1_INSTRUCTION, device=messages.DEVICE),
        ContentKind.SMETS1_INSTRUCTION,
        messages.DEVICE.octets + b"octets",
        (),
    ),
    (
        signing(ContentKind.SMETS1_RESPONSE, device=messages.DEVICE),
        ContentKind.SMETS1_RESPONSE,
        messages.DEVICE.octets + b"octets",
        (),
    ),
    (
        handshake(Tls13CertificateVerify(role=TlsRole.CLIENT, transcript_hash=RANDOM)),
        ContentKind.TLS_HANDSHAKE,
        b"\x01" + RANDOM,
        (),
    ),
    (
        handshake(Tls13CertificateVerify(role=TlsRole.SERVER, transcript_hash=RANDOM)),
        ContentKind.TLS_HANDSHAKE,
        b"\x02" + RANDOM,
        (),
    ),
    (
        handshake(Tls12ServerKeyExchange(client_random=RANDOM, server_random=RANDOM[::-1], params=b"params")),
        ContentKind.TLS_HANDSHAKE,
        b"\x03" + RANDOM + RANDOM[::-1] + b"params",
        (),
    ),
    (
        handshake(Tls12CertificateVerify(handshake_messages=b"messages")),
        ContentKind.TLS_HANDSHAKE,
        b"\x04messages",
        (),
    ),
]


@pytest.mark.parametrize(("request_", "kind", "octets", "accompanying"), CASES)
def test_what_is_asked_is_what_is_read(
    request_: Request, kind: ContentKind, octets: bytes, accompanying: tuple[Accompanying, ...]
) -> None:
    read = read_item(request_.item("r-1"), caller(), 1000)
    assert isinstance(read, Ask)
    assert (read.identity.request_id, read.identity.key) == ("r-1", "k")
    assert (read.kind, read.octets, read.accompanying) == (kind, octets, accompanying)


def test_every_request_of_the_line_can_be_asked() -> None:
    arms = {request.item("r").WhichOneof("request") for request, *_ in CASES}
    assert arms == {field.name for field in pb.SignItem.DESCRIPTOR.fields}
    assert len(arms) == len(FORMS)


RECEIPT = Receipt(origin="o", leaf_index=1, leaf_hash=bytes(32))


def processed(*outputs: bytes) -> Processed:
    return Processed(request_id=RequestId("r"), outputs=outputs, receipt=RECEIPT, given_again=False)


def test_a_plaintext_and_a_token_stay_out_of_what_is_printed() -> None:
    assert "secret" not in repr(processed(b"secret"))
    token = as_token(processed(bytes.fromhex("00000000499602d2")))
    assert "1234567890" not in repr(token)


@pytest.mark.parametrize("outputs", [(), (bytes(7),), (bytes(8), bytes(8))])
def test_what_is_no_token_is_none(outputs: tuple[bytes, ...]) -> None:
    with pytest.raises(BrokerFailed):
        as_token(processed(*outputs))


def test_a_signature_is_no_result_of_another_use_nor_the_other_way_round() -> None:
    signed = SignedMessage(
        request_id=RequestId("r"), octets=b"", signature=bytes(64), receipt=RECEIPT, given_again=False, counter_reused=0
    )
    with pytest.raises(BrokerFailed):
        as_processed(signed)
    with pytest.raises(BrokerFailed):
        as_signed(processed())


@pytest.mark.parametrize(
    ("ptut", "pptd"),
    [
        (0, "7394156990786306048"),
        # The published tokens of 100 pounds and of 1234 pence (docs/handbook.md).
        (7394333345718904331 - 7394156990786306048, "7394333345718904331"),
        (7394725241674520163 - 7394156990786306048, "7394725241674520163"),
    ],
)
def test_a_token_has_its_decimal_form(ptut: int, pptd: str) -> None:
    token = PrepaymentToken(request_id=RequestId("r"), ptut=ptut, receipt=RECEIPT, given_again=False)
    assert token.pptd == pptd
    assert (token.utrn[:-1], len(token.utrn)) == (pptd, 20)


def test_an_outcome_of_another_kind_is_an_error_and_not_a_result() -> None:
    assert isinstance(outcome_from(pb.SignOutcome(request_id="r")), BrokerFailed)
