"""A Command or Pre-Command, and the Service Request that gave rise to it where one came beside it.

A Service Request that carries a signature is read as signed, one that does not as unsigned; whether it must be signed,
and by whom, is policy's question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keybroker.content.duis.document import read_document
from keybroker.content.duis.model import DocumentForm, DuisDocument
from keybroker.content.model import Accompanying, GbcsCommand
from keybroker.content.unsigned_command import decode_command
from keybroker.content.update_credentials import read_update_credentials
from keybroker.errors import ContentAlreadySigned, ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind

_SOURCE = "DUIS Service Request, handbook 4.2"
_COS_PARTY = frozenset({0x0106, 0x0107})
_KINDS = (AccompanyingKind.SERVICE_REQUEST, AccompanyingKind.SIGNER_CERTIFICATE)


def decode_accompanied_command(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> GbcsCommand:
    """The Command. Offsets in a refusal of the Service Request are into that. Raises: ContentMalformed."""
    command = decode_command(kind, octets)
    if command.message_code.value in _COS_PARTY:
        command = replace(command, credentials=read_update_credentials(command))
    if not accompanying:
        return command
    requests = [each.octets for each in accompanying if each.kind is AccompanyingKind.SERVICE_REQUEST]
    if len(requests) != 1 or any(each.kind not in _KINDS for each in accompanying):
        raise ContentMalformed(
            offset=0,
            expected="one Service Request beside it, with its signer's certificates, or nothing",
            found=", ".join(each.kind.value for each in accompanying[:8]),
            source=_SOURCE,
        )
    return replace(command, accompanying=tuple(accompanying), service_request=_read_service_request(requests[0]))


def _read_service_request(octets: bytes) -> DuisDocument:
    try:
        document = read_document(octets, signed=False)
    except ContentAlreadySigned:
        document = read_document(octets, signed=True)
    if document.form is not DocumentForm.SERVICE_REQUEST:
        raise ContentMalformed(
            offset=document.body_offset,
            expected="the Service Request that gave rise to the Command",
            found=f"a {document.form}",
            source=_SOURCE,
        )
    return document
