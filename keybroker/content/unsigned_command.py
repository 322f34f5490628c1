"""Is this a GBCS Command, whole and unsigned? The Grouping Header, the content, and nothing after it.

But for one 0x00: the null signature of a DUIS Pre-Command. Sources: handbook 1.2, 1.6.
"""

from __future__ import annotations

from hashlib import sha256

from keybroker.content.grouping_header import SIGNABLE, read_grouping_header
from keybroker.content.model import GbcsCommand
from keybroker.content.payload import read_payload_family
from keybroker.errors import ContentAlreadySigned, ContentMalformed
from keybroker.terms import ContentKind

_SIGNATURE_SOURCE = "GBCS Pre-Command, handbook 1.6"
_SIGNATURE_LENGTH = 64


def decode_command(kind: ContentKind, octets: bytes) -> GbcsCommand:
    """Read a Pre-Command or Command that is not signed yet; a null signature is accepted and left out of ``message``.

    Raises: ContentMalformed, of which ContentMacWrapped, ContentIsResponse, ContentIsAlert, MessageCodeUnknown,
    ContentAlreadySigned.
    """
    header = read_grouping_header(octets, SIGNABLE)
    family = read_payload_family(octets, header.content, header.end, code=header.message_code, counter=header.counter)
    null_signature = _read_null_signature(octets, header.end)
    message = octets[: header.end]
    return GbcsCommand(
        kind=kind,
        octets=octets,
        message=message,
        sha256=sha256(message[1:]).digest(),
        originator_counter=header.counter,
        originator=header.originator,
        recipient=header.recipient,
        message_code=header.message_code,
        message_code_offset=header.message_code_offset,
        supplementary_party=header.supplementary_party,
        supplementary_counter=header.supplementary_counter,
        payload_family=family,
        content_offset=header.content,
        null_signature=null_signature,
    )


def _read_null_signature(octets: bytes, end: int) -> bool:
    """Whether one null signature octet follows the content; anything else after it is refused."""
    rest = len(octets) - end
    if rest == 0:
        return False
    if rest == 1 and octets[end] == 0x00:
        return True
    expected = "the end of the message, or a null signature octet 0x00"
    if rest == 1 + _SIGNATURE_LENGTH and octets[end] == _SIGNATURE_LENGTH:
        raise ContentAlreadySigned(
            offset=end, expected=expected, found="0x40 and a signature of 64 octets", source=_SIGNATURE_SOURCE
        )
    raise ContentMalformed(
        offset=end,
        expected=expected,
        found=f"{rest} octets beginning 0x{octets[end]:02X}",
        source=_SIGNATURE_SOURCE,
    )
