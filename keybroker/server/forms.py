"""How does each request of the line become content? One row for each: operation, kind, octets, what accompanies them.

Where a request has several fields for one thing, their octets are joined here in the form that its decoder reads
(``content/prepayment.py``, ``smets1_instruction.py``, ``tls_handshake.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from keybroker.content.model import Accompanying
from keybroker.errors import RequestMalformed
from keybroker.pb import signing_pb2 as pb
from keybroker.statement.compact import LONGEST_OCTETS
from keybroker.terms import AccompanyingKind, ContentKind, Operation

_SERVICE_REQUEST = {
    "service_request": AccompanyingKind.SERVICE_REQUEST,
    "signer_certificates": AccompanyingKind.SIGNER_CERTIFICATE,
}
_DEVICE = {"device_certificates": AccompanyingKind.DEVICE_CERTIFICATE}
_ORIGINATOR = {"originator_certificates": AccompanyingKind.ORIGINATOR_CERTIFICATE}

_MOST_BESIDE = 16
"""Certificates in one field: no chain comes near it, and millions of empty ones would fit into a request."""

STATEMENTS = "supply_sensitive_checks"
_MOST_STATEMENTS = 4
"""A gate asks for one. Those of the items of a batch come each with its own item."""


@dataclass(frozen=True, slots=True)
class Form:
    """``named``: what the octets are called in refusals; ``beside``: the fields that accompany them, by name;
    ``takes_statements``: checks may come with it.
    """

    operation: Operation
    kind: ContentKind
    named: str
    beside: Mapping[str, AccompanyingKind] = field(default_factory=dict)
    join: Callable[[Any], bytes] | None = None
    takes_statements: bool = False

    def octets(self, request: Any) -> bytes:
        """Raises: RequestMalformed where fields to be joined are not of the one length that keeps them apart, and where
        more stands beside them than is worth being looked at.
        """
        for name in self.beside:
            count = len(value) if not isinstance(value := getattr(request, name), bytes) else 1
            if count > _MOST_BESIDE:
                raise RequestMalformed(f"expected at most {_MOST_BESIDE} certificates, found {count}", field=name)
        return self.join(request) if self.join is not None else bytes(getattr(request, self.named))

    def statements(self, request: Any) -> tuple[bytes, ...]:
        """Each as it came, for the gates to read. Raises: RequestMalformed for what none of them would look at."""
        given: Sequence[str] = getattr(request, STATEMENTS) if self.takes_statements else ()
        if len(given) > _MOST_STATEMENTS:
            raise RequestMalformed(
                f"expected at most {_MOST_STATEMENTS} statements, found {len(given)}", field=STATEMENTS
            )
        statements = tuple(each.encode() for each in given)
        if longer := [len(each) for each in statements if not 0 < len(each) <= LONGEST_OCTETS]:
            raise RequestMalformed(
                f"expected a statement of 1 to {LONGEST_OCTETS} octets, found {longer[0]}", field=STATEMENTS
            )
        return statements

    def accompanying(self, request: Any) -> tuple[Accompanying, ...]:
        """In the order of the fields; an empty field is nothing."""
        return tuple(
            Accompanying(kind=kind, octets=octets)
            for name, kind in self.beside.items()
            for octets in _values(getattr(request, name))
        )


def _values(value: Any) -> tuple[bytes, ...]:
    if isinstance(value, bytes):
        return (value,) if value else ()
    return tuple(value)


def _top_up(request: pb.MakePrepaymentTokenRequest) -> bytes:
    """Originator (8), Device (8), counter (8), class (1: 0 pence, 1 pounds), value (2)."""
    amount = request.WhichOneof("amount")
    if amount is None:
        raise RequestMalformed("expected pence or pounds, found neither", field="amount")
    value = int(getattr(request, amount))
    if value > 0xFFFF:
        raise RequestMalformed(f"expected at most 65535, found {value}", field=amount)
    parties = _of_length(8, "originator", request.originator) + _of_length(8, "device", request.device)
    return parties + request.counter.to_bytes(8, "big") + bytes([amount == "pounds"]) + value.to_bytes(2, "big")


def _handshake(request: pb.SignTlsHandshakeRequest) -> bytes:
    """One octet that says which (1 and 2: TLS 1.3, client and server; 3: ServerKeyExchange; 4: CertificateVerify)."""
    match request.WhichOneof("content"):
        case "tls13_certificate_verify":
            return _certificate_verify(request.tls13_certificate_verify)
        case "tls12_server_key_exchange":
            exchange = request.tls12_server_key_exchange
            client = _of_length(32, "client_random", exchange.client_random)
            return b"\x03" + client + _of_length(32, "server_random", exchange.server_random) + exchange.params
        case "tls12_certificate_verify":
            return b"\x04" + request.tls12_certificate_verify.handshake_messages
        case _:
            raise RequestMalformed("expected what a TLS peer signs, found nothing", field="content")


def _certificate_verify(verify: pb.Tls13CertificateVerify) -> bytes:
    if verify.role not in (pb.Tls13CertificateVerify.ROLE_CLIENT, pb.Tls13CertificateVerify.ROLE_SERVER):
        raise RequestMalformed(f"expected ROLE_CLIENT or ROLE_SERVER, found {verify.role}", field="role")
    return bytes([verify.role]) + verify.transcript_hash


def _instruction(request: pb.ProtectSmets1InstructionRequest) -> bytes:
    return _of_length(8, "device", request.device) + request.instruction


def _response(request: pb.OpenSmets1ResponseRequest) -> bytes:
    return _of_length(8, "device", request.device) + request.response


def _of_length(length: int, field: str, octets: bytes) -> bytes:
    if len(octets) != length:
        raise RequestMalformed(f"expected {length} octets, found {len(octets)}", field=field)
    return octets


FORMS: Mapping[type[Message], Form] = {
    pb.SignPreCommandRequest: Form(
        Operation.SIGN_PRE_COMMAND,
        ContentKind.PRE_COMMAND,
        "pre_command",
        beside=_SERVICE_REQUEST,
        takes_statements=True,
    ),
    pb.SignCommandRequest: Form(Operation.SIGN_COMMAND, ContentKind.COMMAND, "command", beside=_SERVICE_REQUEST),
    pb.SignCertificateRequest: Form(
        Operation.SIGN_CERTIFICATE,
        ContentKind.CERTIFICATE,
        "tbs_certificate",
        beside={"certificate_signing_request": AccompanyingKind.CERTIFICATE_SIGNING_REQUEST},
    ),
    pb.SignRevocationListRequest: Form(
        Operation.SIGN_REVOCATION_LIST, ContentKind.CERTIFICATE_REVOCATION_LIST, "tbs_cert_list"
    ),
    pb.SignCertificateSigningRequestRequest: Form(
        Operation.SIGN_CERTIFICATE_SIGNING_REQUEST,
        ContentKind.CERTIFICATE_SIGNING_REQUEST,
        "certification_request_info",
    ),
    pb.ApplyCommandMacRequest: Form(
        Operation.APPLY_COMMAND_MAC, ContentKind.COMMAND_BEFORE_MAC, "inner_command", beside=_DEVICE | _ORIGINATOR
    ),
    pb.CheckResponseMacRequest: Form(
        Operation.CHECK_RESPONSE_MAC, ContentKind.PROTECTED_RESPONSE, "message", beside=_DEVICE
    ),
    pb.DecryptResponseRequest: Form(
        Operation.DECRYPT_RESPONSE, ContentKind.ENCRYPTED_RESPONSE, "message", beside=_DEVICE
    ),
    pb.MakePrepaymentTokenRequest: Form(
        Operation.MAKE_PREPAYMENT_TOKEN, ContentKind.PREPAYMENT_TOP_UP, "amount", beside=_DEVICE, join=_top_up
    ),
    pb.SignServiceRequestRequest: Form(
        Operation.SIGN_SERVICE_REQUEST,
        ContentKind.SERVICE_REQUEST,
        "service_request",
        beside=_ORIGINATOR,
        takes_statements=True,
    ),
    pb.ProtectSmets1InstructionRequest: Form(
        Operation.PROTECT_SMETS1_INSTRUCTION, ContentKind.SMETS1_INSTRUCTION, "instruction", join=_instruction
    ),
    pb.OpenSmets1ResponseRequest: Form(
        Operation.OPEN_SMETS1_RESPONSE, ContentKind.SMETS1_RESPONSE, "response", join=_response
    ),
    pb.SignTlsHandshakeRequest: Form(
        Operation.SIGN_TLS_HANDSHAKE, ContentKind.TLS_HANDSHAKE, "content", join=_handshake
    ),
}
"""Every request of the line."""
