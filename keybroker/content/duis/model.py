"""What a DUIS document says: its identifiers, its variants, the certificates in it, its signature. Frozen facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keybroker.terms import EntityIdentifier, UserRole

SERVICE_USER_GATEWAY = "http://www.dccinterface.co.uk/ServiceUserGateway"
RESPONSE_AND_ALERT = "http://www.dccinterface.co.uk/ResponseAndAlert"
XML_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class DocumentForm(StrEnum):
    """Which of the documents that are signed (handbook 4.1)."""

    SERVICE_REQUEST = "service-request"
    SIGNED_PRE_COMMAND = "signed-pre-command"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuisIdentifier:
    """A RequestID, or a ResponseID: ``<first EUI>:<second EUI>:<counter>``. The counter has 64 bits."""

    originator: EntityIdentifier
    target: EntityIdentifier
    counter: int

    def __str__(self) -> str:
        return f"{self.originator}:{self.target}:{self.counter}"

    @property
    def octets(self) -> bytes:
        """24 octets: both EUIs and the counter; one name, however its hexadecimal digits were written."""
        return self.originator.octets + self.target.octets + self.counter.to_bytes(8, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlSignature:
    """A ds:Signature as handbook 4.3 has it, whose digest is that of the document.

    ``signed_info`` are the canonical octets that were signed, ``signature`` is r || s (64 octets); ``issuer`` (a name
    in the order of RFC 2253) and ``serial`` say whose certificate stands behind it, which nothing in it proves.
    """

    signed_info: bytes
    signature: bytes
    issuer: str
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierCertificates:
    """What an Update Security Credentials (CoS) request asks to be put on the Device; DER, None where left out."""

    digital_signing: bytes
    key_agreement: bytes | None
    key_agreement_top_up: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DuisDocument:
    """One whole document. A Response has no variants of its own, and may lack either identifier.

    ``sha256`` is of the document without its signature, in Canonical XML 1.0; ``body_element`` is the local name of the
    element in the Body; ``gbcs_payload`` is what a Signed Pre-Command holds; ``data_values`` are names and numbers, on
    which thresholds may be set (SEC G6.6(b)). The offsets are of start tags.
    """

    form: DocumentForm
    schema_version: str
    sha256: bytes
    request_identifier: DuisIdentifier | None
    response_identifier: DuisIdentifier | None
    response_code: str
    command_variant: int | None
    service_reference: str
    service_reference_variant: str
    body_element: str
    gbcs_payload: bytes | None
    data_values: tuple[tuple[str, int], ...]
    supplier_certificates: SupplierCertificates | None
    signature: XmlSignature | None
    identifier_offset: int
    variant_offset: int
    body_offset: int
    payload_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReferenceVariant:
    """One row of the shipped table: what DUIS says of a Service Reference Variant."""

    variant: str
    service_reference: str
    name: str
    critical: bool
    eligible_roles: frozenset[UserRole]
    command_variants: frozenset[int]
    body_element: str
    message_codes: frozenset[int]
    note: str
