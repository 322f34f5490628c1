"""Is this a GBCS Command, whole and unsigned? The Grouping Header, the content by its length, and nothing after it.

    0 DF  1 09  2 CRA flag  3 Originator Counter (8)  11 08  12 originator (8)  20 08  21 recipient (8)
    29 00 (no date-time)  30 other-information length  31 Message Code (2) [supplementary party (8), its counter (8)]
    then content length, content, and at most one 0x00: the null signature of a DUIS Pre-Command.

Sources: GBCS Grouping Header, DLMS general-signing (handbook 1.2, 1.3, 1.6). Who may be the originator, and which codes
are signed at all, is policy's business.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

from keybroker.content.length import read_length
from keybroker.content.message_codes import MESSAGE_CODES, UNKNOWN_REMOTE_PARTY_CODES
from keybroker.content.model import GbcsCommand, MessageCode
from keybroker.content.payload import read_payload_family
from keybroker.errors import (
    ContentAlreadySigned,
    ContentIsAlert,
    ContentIsResponse,
    ContentMacWrapped,
    ContentMalformed,
    MessageCodeUnknown,
)
from keybroker.terms import ContentKind, EntityIdentifier

_SOURCE = "GBCS Grouping Header, handbook 1.2"
_OTHER_INFORMATION_SOURCE = "GBCS other-information, handbook 1.3"
_SIGNATURE_SOURCE = "GBCS Pre-Command, handbook 1.6"

_HEADER = Struct(">BBBQB8sB8sBB")
_SUPPLEMENTARY = Struct(">8sQ")
_OTHER_INFORMATION_OFFSET = 30
_MESSAGE_CODE_OFFSET = 31
_PLAIN = 2
_FOR_UNKNOWN_REMOTE_PARTY = 18
_SIGNATURE_LENGTH = 64

_FIXED = (0xDF, 0x09, 0x01, 0x08, 0x08, 0x00)
_FIXED_OCTETS = (
    (0, "tag 0xDF (general-signing)"),
    (1, "transaction-id length 0x09"),
    (2, "CRA flag 0x01 (Command)"),
    (11, "originator length 0x08"),
    (20, "recipient length 0x08"),
    (29, "date-time length 0x00"),
)
"""Offset and meaning of each value in ``_FIXED``."""


def decode_command(kind: ContentKind, octets: bytes) -> GbcsCommand:
    """Read a Pre-Command or Command that is not signed yet; a null signature is accepted and left out of ``message``.

    Raises: ContentMalformed, of which ContentMacWrapped, ContentIsResponse, ContentIsAlert, MessageCodeUnknown,
    ContentAlreadySigned.
    """
    # 1. Grouping Header: fixed octets at fixed places.
    if len(octets) < _HEADER.size:
        raise _first_wrong_octet(octets)
    tag, transaction, cra, counter, at_11, originator, at_20, recipient, date_time, length = _HEADER.unpack_from(octets)
    if (tag, transaction, cra, at_11, at_20, date_time) != _FIXED:
        raise _first_wrong_octet(octets)
    # 2. Other-information: the Message Code, and whom the Access Control Broker acts for.
    code = _read_message_code(octets, length)
    party, party_counter = _read_supplementary(octets, length, code)
    # 3. Content, by its length and never by its last octet.
    size, content_offset = read_length(octets, _MESSAGE_CODE_OFFSET + length, len(octets), source=_SOURCE)
    end = content_offset + size
    family = read_payload_family(octets, content_offset, end, code=code, counter=counter)
    # 4. Nothing after the content but a null signature.
    null_signature = _read_null_signature(octets, end)
    message = octets[:end]
    return GbcsCommand(
        kind=kind,
        octets=octets,
        message=message,
        sha256=sha256(message[1:]).digest(),
        originator_counter=counter,
        originator=EntityIdentifier(originator),
        recipient=EntityIdentifier(recipient),
        message_code=code,
        message_code_offset=_MESSAGE_CODE_OFFSET,
        supplementary_party=party,
        supplementary_counter=party_counter,
        payload_family=family,
        content_offset=content_offset,
        null_signature=null_signature,
    )


def _first_wrong_octet(octets: bytes) -> ContentMalformed:
    """Says which octet of the Grouping Header is the first that cannot stand, or where the message ends too early."""
    for (offset, meaning), value in zip(_FIXED_OCTETS, _FIXED, strict=True):
        if offset >= len(octets):
            break
        if octets[offset] != value:
            refusal = _WRONG_OCTETS.get((offset, octets[offset]), ContentMalformed)
            return refusal(offset=offset, expected=meaning, found=_describe(offset, octets[offset]), source=_SOURCE)
    return ContentMalformed(
        offset=len(octets),
        expected=f"a Grouping Header of at least {_HEADER.size} octets",
        found="the end of the message",
        source=_SOURCE,
    )


_WRONG_OCTETS: dict[tuple[int, int], type[ContentMalformed]] = {
    (0, 0xDD): ContentMacWrapped,
    (2, 0x02): ContentIsResponse,
    (2, 0x03): ContentIsAlert,
}


def _describe(offset: int, octet: int) -> str:
    match (offset, octet):
        case (0, 0xDD):
            return "0xDD (general-ciphering: a MAC is put on after the signature)"
        case (2, 0x02):
            return "0x02 (Response)"
        case (2, 0x03):
            return "0x03 (Alert)"
        case _:
            return f"0x{octet:02X}"


def _read_message_code(octets: bytes, length: int) -> MessageCode:
    """The Message Code's row; only a Command's will do, for the CRA flag says Command."""
    if length not in (_PLAIN, _FOR_UNKNOWN_REMOTE_PARTY):
        raise _wrong_other_information(length, "2 octets of other-information (or 18 for an Unknown Remote Party)")
    if len(octets) < _MESSAGE_CODE_OFFSET + length:
        raise ContentMalformed(
            offset=len(octets),
            expected=f"{length} octets of other-information from offset {_MESSAGE_CODE_OFFSET}",
            found="the end of the message",
            source=_OTHER_INFORMATION_SOURCE,
        )
    value = int.from_bytes(octets[_MESSAGE_CODE_OFFSET : _MESSAGE_CODE_OFFSET + 2], "big")
    code = MESSAGE_CODES.get(value)
    if code is None:
        raise MessageCodeUnknown(
            offset=_MESSAGE_CODE_OFFSET,
            expected="a GBCS Message Code",
            found=f"0x{value:04X}, which is in no table",
            source=_OTHER_INFORMATION_SOURCE,
        )
    if not code.is_command:
        raise ContentMalformed(
            offset=_MESSAGE_CODE_OFFSET,
            expected="the Message Code of a Command",
            found=f"{code}, an Alert's ({code.name})",
            source=_OTHER_INFORMATION_SOURCE,
        )
    return code


def _read_supplementary(octets: bytes, length: int, code: MessageCode) -> tuple[EntityIdentifier | None, int | None]:
    """The Unknown Remote Party and its counter, where 18 octets of other-information stand and may stand; else None."""
    if length == _PLAIN:
        return None, None
    if code.value not in UNKNOWN_REMOTE_PARTY_CODES:
        raise _wrong_other_information(length, f"2 octets of other-information for {code}")
    party, counter = _SUPPLEMENTARY.unpack_from(octets, _MESSAGE_CODE_OFFSET + _PLAIN)
    return EntityIdentifier(party), counter


def _wrong_other_information(length: int, expected: str) -> ContentMalformed:
    return ContentMalformed(
        offset=_OTHER_INFORMATION_OFFSET,
        expected=expected,
        found=f"length octet 0x{length:02X}",
        source=_OTHER_INFORMATION_SOURCE,
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
