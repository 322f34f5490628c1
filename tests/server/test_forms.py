"""Fields that are joined must be told apart: a request whose parts are of another length has no octets at all."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from keybroker.errors import RequestMalformed
from keybroker.ledger.model import Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.server.forms import FORMS, STATEMENTS
from keybroker.server.requests import read_request
from keybroker.terms import Operation
from tests.server.callers import caller

EUI = bytes(8)
VERIFY = pb.Tls13CertificateVerify(role=pb.Tls13CertificateVerify.ROLE_CLIENT, transcript_hash=bytes(32))
EXCHANGE: dict[str, Any] = {"client_random": bytes(32), "server_random": bytes(32), "params": b"\x03\x00\x17"}


def top_up(**changes: Any) -> pb.MakePrepaymentTokenRequest:
    return pb.MakePrepaymentTokenRequest(**{"originator": EUI, "device": EUI, "counter": 1, "pence": 1, **changes})


def server_key_exchange(**changes: Any) -> pb.SignTlsHandshakeRequest:
    return pb.SignTlsHandshakeRequest(tls12_server_key_exchange=pb.Tls12ServerKeyExchange(**EXCHANGE | changes))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (top_up(originator=bytes(7), device=bytes(9)), "originator"),
        (top_up(device=bytes(9)), "device"),
        (top_up(pence=65_536), "pence"),
        (pb.MakePrepaymentTokenRequest(originator=EUI, device=EUI), "amount"),
        (pb.ProtectSmets1InstructionRequest(device=bytes(7), instruction=b"x"), "device"),
        (pb.OpenSmets1ResponseRequest(device=b"", response=b"x"), "device"),
        (server_key_exchange(client_random=bytes(31), server_random=bytes(33)), "client_random"),
        (server_key_exchange(server_random=bytes(33)), "server_random"),
        (pb.SignTlsHandshakeRequest(), "content"),
        (pb.SignTlsHandshakeRequest(tls13_certificate_verify=pb.Tls13CertificateVerify()), "role"),
        # Of the low octet alone it would be a client.
        (
            pb.SignTlsHandshakeRequest(
                tls13_certificate_verify=pb.Tls13CertificateVerify.FromString(b"\x08\x81\x02\x12\x01x")
            ),
            "role",
        ),
        (pb.SignCertificateRequest(), "tbs_certificate"),
        (pb.SignPreCommandRequest(pre_command=b"x", service_request=bytes(1001)), "service_request and signer"),
        (
            pb.ApplyCommandMacRequest(inner_command=b"x", device_certificates=[bytes(400)] * 3),
            "device_certificates and originator",
        ),
    ],
)
def test_refuses_parts_that_cannot_be_told_apart_and_keeps_what_can_be_recorded(request_: Any, field: str) -> None:
    request_.request_id, request_.key = "r-1", "k"
    read = read_request(request_, caller(), 1000)
    assert isinstance(read, Refused)
    assert isinstance(read.error, RequestMalformed)
    assert read.error.field.startswith(field)
    assert read.identity.request_id == "r-1"


def test_a_request_id_of_the_wrong_form_is_told_before_anything_inside() -> None:
    read = read_request(top_up(originator=b""), caller(), 1000)
    assert isinstance(read, Refused)
    assert isinstance(read.error, RequestMalformed)
    assert read.error.field == "request_id"


def test_every_rpc_of_the_line_has_a_form_of_its_own_operation_and_an_arm_of_batch_and_stream() -> None:
    methods = {
        method.name: method.input_type.name for method in pb.DESCRIPTOR.services_by_name["SigningService"].methods
    }
    alone = {name: asked for name, asked in methods.items() if name in set(OPERATIONS.values())}
    assert {"SignBatch", "SignStream", "Explain"} <= set(methods) - set(alone)
    assert {form.operation.value: kind.DESCRIPTOR.name for kind, form in FORMS.items()} == alone
    arms = {field.message_type.name for field in pb.SignItem.DESCRIPTOR.fields if field.message_type is not None}
    assert arms == set(alone.values())
    assert {Operation(name) for name in alone} == {form.operation for form in FORMS.values()}


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_no_field_of_a_request_is_left_unread(kind: type[Message]) -> None:
    """What nobody reads nobody judges: each field is the name, the key, among the octets, or beside them."""
    form = FORMS[kind]
    statements = {STATEMENTS} if form.takes_statements else set()
    read = {"request_id", "key", form.named, *form.beside, *statements}
    joined = {field.name for field in kind.DESCRIPTOR.fields} - read
    assert bool(joined) is (form.join is not None)
    assert not [name for name in joined if name.endswith("_certificates")]
