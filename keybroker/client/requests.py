"""What can be asked of a broker, one value for each request: for batches, and for ``explain_request``.

``SigningRequest`` is of every kind that is octets with something beside them; a top-up and a TLS handshake have fields
of their own, from which the broker builds what the key is used on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from keybroker.pb import signing_pb2 as pb
from keybroker.terms import ContentKind, EntityIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """Octets of a declared kind; ``request_id`` None for a new one. What a kind has no place for is left empty.

    Certificates are DER, the end entity's first, then its issuers. ``service_request``: the signed DUIS XML that gave
    rise to a Pre-Command or Command, and ``signer_certificates`` the ones behind its signature;
    ``certificate_signing_request``: PKCS#10, for a certificate; ``device_certificates``: the Device's Key Agreement
    certificate, for MACs and decryption; ``originator_certificates``: of a Command, for its MAC, or of the GBCS payload
    of a Signed Pre-Command; ``device``: the SMETS1 Device; ``supply_sensitive_checks``: statements of a check system,
    each a compact JWS (``keybroker.client.ssc``).
    """

    kind: ContentKind
    key: str
    octets: bytes
    request_id: str | None = None
    service_request: bytes = b""
    signer_certificates: tuple[bytes, ...] = ()
    certificate_signing_request: bytes = b""
    device_certificates: tuple[bytes, ...] = ()
    originator_certificates: tuple[bytes, ...] = ()
    device: EntityIdentifier | None = None
    supply_sensitive_checks: tuple[str, ...] = ()

    def item(self, request_id: str) -> pb.SignItem:
        """Raises: ValueError for a kind that is no request of the API, or one with no place for what was given."""
        form = _FORMS.get(self.kind)
        if form is None:
            raise ValueError(f"expected a kind that the API signs or processes, found {self.kind}")
        given = [name for name in _BESIDE if getattr(self, name)]
        strayed = [name for name in given if name not in form.beside]
        if strayed:
            raise ValueError(f"a {self.kind} takes no {strayed[0]}")
        item = pb.SignItem()
        asked = getattr(item, form.arm)
        asked.request_id, asked.key = request_id, self.key
        setattr(asked, form.octets, self.octets)
        for name in given:
            _set(asked, name, getattr(self, name))
        return item


def _set(asked: Any, name: str, value: bytes | tuple[bytes | str, ...] | EntityIdentifier) -> None:
    match value:
        case EntityIdentifier(octets=octets):
            setattr(asked, name, octets)
        case tuple():
            getattr(asked, name).extend(value)
        case _:
            setattr(asked, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRequest:
    """A prepayment top-up, of ``pence`` or ``pounds``: one of them. The low 32 bits of ``counter`` are zero."""

    key: str
    originator: EntityIdentifier
    device: EntityIdentifier
    counter: int
    pence: int | None = None
    pounds: int | None = None
    device_certificates: tuple[bytes, ...] = ()
    request_id: str | None = None

    def item(self, request_id: str) -> pb.SignItem:
        """Raises: ValueError where neither or both amounts are given, or a number is negative or too long."""
        if (self.pence is None) is (self.pounds is None):
            raise ValueError("expected pence or pounds, one of them")
        top_up = pb.MakePrepaymentTokenRequest(
            request_id=request_id,
            key=self.key,
            originator=self.originator.octets,
            device=self.device.octets,
            counter=self.counter,
            device_certificates=self.device_certificates,
        )
        if self.pence is not None:
            top_up.pence = self.pence
        if self.pounds is not None:
            top_up.pounds = self.pounds
        return pb.SignItem(make_prepayment_token=top_up)


class TlsRole(IntEnum):
    """Which peer signs."""

    CLIENT = pb.Tls13CertificateVerify.ROLE_CLIENT
    SERVER = pb.Tls13CertificateVerify.ROLE_SERVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls13CertificateVerify:
    """RFC 8446 section 4.4.3: ``transcript_hash`` has 32 or 48 octets."""

    role: TlsRole
    transcript_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls12ServerKeyExchange:
    """RFC 8422 section 5.4: the randoms have 32 octets each; ``params`` are ServerECDHParams."""

    client_random: bytes
    server_random: bytes
    params: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls12CertificateVerify:
    """RFC 5246 section 7.4.8: every handshake message from ClientHello to ClientKeyExchange, with their headers."""

    handshake_messages: bytes


Handshake = Tls13CertificateVerify | Tls12ServerKeyExchange | Tls12CertificateVerify


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeRequest:
    """What a TLS peer signs, ecdsa_secp256r1_sha256."""

    key: str
    content: Handshake
    request_id: str | None = None

    def item(self, request_id: str) -> pb.SignItem:
        asked = pb.SignTlsHandshakeRequest(request_id=request_id, key=self.key)
        match self.content:
            case Tls13CertificateVerify(role=role, transcript_hash=transcript_hash):
                asked.tls13_certificate_verify.role = pb.Tls13CertificateVerify.Role.ValueType(role)
                asked.tls13_certificate_verify.transcript_hash = transcript_hash
            case Tls12ServerKeyExchange() as exchange:
                asked.tls12_server_key_exchange.client_random = exchange.client_random
                asked.tls12_server_key_exchange.server_random = exchange.server_random
                asked.tls12_server_key_exchange.params = exchange.params
            case Tls12CertificateVerify(handshake_messages=messages):
                asked.tls12_certificate_verify.handshake_messages = messages
        return pb.SignItem(sign_tls_handshake=asked)


Request = SigningRequest | TopUpRequest | HandshakeRequest


@dataclass(frozen=True, slots=True)
class _Form:
    """``arm`` of SignItem, the field that holds the octets, and those that may stand beside it."""

    arm: str
    octets: str
    beside: tuple[str, ...] = ()


_BESIDE = (
    "service_request",
    "signer_certificates",
    "certificate_signing_request",
    "device_certificates",
    "originator_certificates",
    "device",
    "supply_sensitive_checks",
)

_FORMS: Mapping[ContentKind, _Form] = {
    ContentKind.PRE_COMMAND: _Form(
        "sign_pre_command", "pre_command", ("service_request", "signer_certificates", "supply_sensitive_checks")
    ),
    ContentKind.COMMAND: _Form("sign_command", "command", ("service_request", "signer_certificates")),
    ContentKind.CERTIFICATE: _Form("sign_certificate", "tbs_certificate", ("certificate_signing_request",)),
    ContentKind.CERTIFICATE_REVOCATION_LIST: _Form("sign_revocation_list", "tbs_cert_list"),
    ContentKind.CERTIFICATE_SIGNING_REQUEST: _Form("sign_certificate_signing_request", "certification_request_info"),
    ContentKind.COMMAND_BEFORE_MAC: _Form(
        "apply_command_mac", "inner_command", ("device_certificates", "originator_certificates")
    ),
    ContentKind.PROTECTED_RESPONSE: _Form("check_response_mac", "message", ("device_certificates",)),
    ContentKind.ENCRYPTED_RESPONSE: _Form("decrypt_response", "message", ("device_certificates",)),
    ContentKind.SERVICE_REQUEST: _Form(
        "sign_service_request", "service_request", ("originator_certificates", "supply_sensitive_checks")
    ),
    ContentKind.SMETS1_INSTRUCTION: _Form("protect_smets1_instruction", "instruction", ("device",)),
    ContentKind.SMETS1_RESPONSE: _Form("open_smets1_response", "response", ("device",)),
}
