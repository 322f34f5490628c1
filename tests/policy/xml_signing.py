"""Keys, callers and situations of the purposes that sign DUIS XML; and Commands with a Service Request beside them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying, GbcsCommand
from keybroker.content.service_request import ServiceRequest
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.model import RegisteredKey, Situation
from keybroker.terms import (
    AccompanyingKind,
    Caller,
    CallerKind,
    ContentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyState,
    Operation,
    PartyName,
    Provenance,
    SystemName,
    UserRole,
)
from tests import duis, messages
from tests.policy import authorities, chains
from tests.situations import a_point, packaged_policies

USER_XML, DSP_XML = KeyPurpose.USER_XML, KeyPurpose.DSP_XML
XML_KEY, SUPPLIER_KEY, INCOMING_KEY = 1, 31, 41
"""Scalars: of the XML key, of the originator of Pre-Commands, of the incoming Supplier's XML key."""
OU = {USER_XML: "87", DSP_XML: "89", KeyPurpose.COS_PARTY_XML: "7F"}
INCOMING = EntityIdentifier.from_text("90-B3-D5-1F-AA-03-00-00")


def a_chain(scalar: int, ou: str, eui: EntityIdentifier = messages.SUPPLIER, **changes: Any) -> tuple[bytes, ...]:
    return duis.a_certificate(scalar, ou, eui, **changes), authorities.ISSUING


def a_key(purpose: KeyPurpose = USER_XML, **changes: Any) -> RegisteredKey:
    eui = messages.SUPPLIER if purpose is USER_XML else messages.ACCESS_CONTROL_BROKER
    key = RegisteredKey(
        label=KeyLabel(purpose.value),
        purpose=purpose,
        party=PartyName("party"),
        state=KeyState.ACTIVE,
        provenance=Provenance.GENERATED,
        public_key=a_point(XML_KEY),
        eui=eui,
        certificate=read_chain(a_chain(XML_KEY, OU[purpose], eui), authorities.ANCHORS, revoked_at=None),
    )
    return replace(key, **changes)


def a_caller(purpose: KeyPurpose = USER_XML, **changes: Any) -> Caller:
    user = purpose is USER_XML
    caller = Caller(
        identity="uri:urn:keybroker:party:gateway",
        party=PartyName("party"),
        system=SystemName("gateway"),
        kind=CallerKind.USER_SYSTEM if user else CallerKind.DCC_SERVICE,
        user_roles=frozenset({UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER}) if user else frozenset(),
        euis=frozenset({messages.SUPPLIER}) if user else frozenset(),
        operations=packaged_policies()[purpose].operations,
        keys=frozenset({KeyLabel(purpose.value)}),
    )
    return replace(caller, **changes)


def a_situation(operation: Operation = Operation.SIGN_SERVICE_REQUEST, **changes: Any) -> Situation:
    return authorities.a_situation(operation, **changes)


def a_document(document: bytes, *certificates: bytes) -> ServiceRequest:
    """Decoded, with the originator's certificates beside it."""
    beside = [Accompanying(kind=AccompanyingKind.ORIGINATOR_CERTIFICATE, octets=der) for der in certificates]
    content = decode(ContentKind.SERVICE_REQUEST, document, beside)
    assert isinstance(content, ServiceRequest)
    return content


def a_signed_pre_command(code: int = 0x0050, *, scalar: int = SUPPLIER_KEY, **changes: Any) -> bytes:
    """``changes`` go to ``compose_command``; signed by the key of the scalar."""
    message = messages.compose_command(code, **changes)
    return messages.sign_message(message, duis.raw_signature(scalar, message[1:]))


def an_accompanied(
    octets: bytes,
    request: bytes | None,
    *certificates: bytes,
    kind: ContentKind = ContentKind.COMMAND,
) -> GbcsCommand:
    """A Command with a Service Request beside it, and its signer's certificates."""
    beside = [] if request is None else [Accompanying(kind=AccompanyingKind.SERVICE_REQUEST, octets=request)]
    beside += [Accompanying(kind=AccompanyingKind.SIGNER_CERTIFICATE, octets=der) for der in certificates]
    content = decode(kind, octets, beside)
    assert isinstance(content, GbcsCommand)
    return content


def a_replacement(certificate: bytes, usage: bytes, *, role: int = 2, cell_usage: int = 0) -> bytes:
    """One of CS02b's replacements: certificate and targetTrustAnchorCell (handbook 3.5)."""
    further = messages.der_integer(cell_usage) if cell_usage else b""
    cell = messages.der(0x30, messages.der_integer(role), messages.der(0x03, usage), further)
    return messages.der(0x30, certificate, cell)


DIGITAL_SIGNATURE, KEY_AGREEMENT = b"\x07\x80", b"\x03\x08"


@cache
def supplier_certificates(eui: EntityIdentifier = INCOMING) -> dict[str, bytes]:
    """The incoming Supplier's three, by the names that DUIS has for them."""
    agreement = {"usage": chains.usage("key_agreement")}
    return {
        "DigitalSigningCertificate": duis.a_certificate(51, "02", eui),
        "KeyAgreementCertificate": duis.a_certificate(52, "02", eui, **agreement),
        "KeyAgreementTopUpCertificate": duis.a_certificate(53, "02", eui, **agreement),
    }


def replacements_for(certificates: dict[str, bytes]) -> tuple[bytes, ...]:
    usages = {
        "DigitalSigningCertificate": (DIGITAL_SIGNATURE, 0),
        "KeyAgreementCertificate": (KEY_AGREEMENT, 0),
        "KeyAgreementTopUpCertificate": (KEY_AGREEMENT, 1),
    }
    return tuple(a_replacement(der, usages[name][0], cell_usage=usages[name][1]) for name, der in certificates.items())


def a_credentials_command(
    *replacements: bytes, code: int = messages.SUPPLIER_BY_TRANS_COS, counter: int = 5, **changes: Any
) -> bytes:
    """CS02b of the CoS Party."""
    control = messages.der(0x30, messages.der_integer(code & 0xFF), messages.der_integer(counter, 0x83))
    content = messages.der(0x30, control, messages.der(0x30, *replacements), messages.der(0x30, authorities.ISSUING))
    wanted: dict[str, Any] = {"originator": messages.TRANSITIONAL_COS, "counter": counter, "content": content}
    return messages.compose_command(code, **(wanted | changes))


def a_change_of_supplier(**changes: Any) -> bytes:
    """The incoming Supplier's Service Request for its three certificates, not signed yet."""
    wanted: dict[str, Any] = {"certificates": supplier_certificates(), "identifier": duis.an_identifier(INCOMING)}
    wanted |= changes
    return duis.a_change_of_supplier(wanted.pop("certificates"), **wanted)


def signed_by_incoming(document: bytes, *, scalar: int = INCOMING_KEY, chain: tuple[bytes, ...] = ()) -> bytes:
    return duis.sign(document, scalar, (chain or INCOMING_CHAIN)[0])


INCOMING_CHAIN = a_chain(INCOMING_KEY, "87", INCOMING)
