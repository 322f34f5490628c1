"""Is this DUIS XML that may be signed, and what does it ask?

A Request, a Signed Pre-Command with the GBCS message in it, or a Response; SMETS1 Service Requests have the same form
as others, and nothing in them tells. Read by ``content.duis``; ``sha256`` is that of SignedInfo, which follows from the
document alone. Source: handbook 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from keybroker.content.duis.document import read_document
from keybroker.content.duis.model import DuisDocument
from keybroker.content.duis.xml_signature import signature_sha256
from keybroker.content.inner_command import ANY_BY_CONTINGENCY
from keybroker.content.model import Accompanying
from keybroker.content.signed_pre_command import SignedPreCommand, decode_signed_pre_command
from keybroker.content.use import UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind

_SOURCE = "DUIS XML, handbook 4"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """``document`` is what it says; ``signed_pre_command`` the GBCS message that a Signed Pre-Command holds.

    ``accompanying`` is the certificate behind that message's signature, then its issuers.
    """

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    document: DuisDocument
    signed_pre_command: SignedPreCommand | None
    accompanying: tuple[Accompanying, ...] = ()
    discloses_key: bool = False
    """It holds a plaintextSymmetricKey (CS02b anyByContingency): its octets are not kept, only their digest."""

    @property
    def originator_certificates(self) -> tuple[bytes, ...]:
        """DER, end entity first."""
        return tuple(each.octets for each in self.accompanying)


def decode_service_request(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> ServiceRequest:
    """Read an unsigned document, and the GBCS message in it. Raises: ContentMalformed."""
    document = read_document(octets, signed=False)
    signed = _read_payload(document)
    wanted = {AccompanyingKind.ORIGINATOR_CERTIFICATE} if signed is not None else set()
    if {each.kind for each in accompanying} - wanted:
        expected = "the originator's certificates beside a Signed Pre-Command" if wanted else "nothing beside it"
        raise ContentMalformed(offset=0, expected=expected, found="something else", source=_SOURCE)
    return ServiceRequest(
        kind=kind,
        octets=octets,
        sha256=signature_sha256(document.sha256),
        document=document,
        signed_pre_command=signed,
        accompanying=tuple(accompanying),
        discloses_key=signed is not None and signed.command.message_code.value == ANY_BY_CONTINGENCY,
    )


def _read_payload(document: DuisDocument) -> SignedPreCommand | None:
    if document.gbcs_payload is None:
        return None
    try:
        return decode_signed_pre_command(document.gbcs_payload)
    except ContentMalformed as error:
        raise ContentMalformed(
            offset=document.payload_offset,
            expected="a Signed Pre-Command in GBCSPayload",
            found=f"one that is not: {error.sentence}",
            source=error.source,
        ) from error


def service_request_facts(content: ServiceRequest) -> dict[str, str]:
    """What records and explanations say of it."""
    facts = {"kind": content.kind.value} | document_facts(content.document)
    if content.signed_pre_command is not None:
        command = content.signed_pre_command.command
        facts |= {
            "code": str(command.message_code),
            "counter": str(command.originator_counter),
            "use_case": command.message_code.use_case,
        }
    return facts


def document_facts(document: DuisDocument) -> dict[str, str]:
    """Of the document itself: what it is, whose, for whom; no value that it does not state."""
    stated = {
        "body": document.body_element,
        "command_variant": "" if document.command_variant is None else str(document.command_variant),
        "document_sha256": document.sha256.hex(),
        "form": document.form.value,
        "request_identifier": str(document.request_identifier or ""),
        "response_code": document.response_code,
        "response_identifier": str(document.response_identifier or ""),
        "schema_version": document.schema_version,
        "service_reference": document.service_reference,
        "service_reference_variant": document.service_reference_variant,
    }
    return {name: value for name, value in stated.items() if value}
