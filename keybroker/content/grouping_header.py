"""Where do the parts of a GBCS message stand? The Grouping Header and the content by its length. The one parser of it.

    0 DF  1 09  2 CRA flag  3 Originator Counter (8)  11 08  12 originator (8)  20 08  21 recipient (8)
    29 date-time: 00, in a Response also 0C and 12 octets
    then other-information length, Message Code (2) [supplementary party (8) [its counter (8) [further (8) or X.509]]]
    then content length, content, and what follows it: the reader's caller judges that.

Sources: GBCS Grouping Header, DLMS general-signing (handbook 1.2, 1.3). Which parts a kind of message may have is its
``Form``; who may be the originator, and which codes are signed at all, is policy's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from keybroker.content.length import read_length
from keybroker.content.message_codes import MESSAGE_CODES, UNKNOWN_REMOTE_PARTY_CODES
from keybroker.content.model import MessageCode
from keybroker.errors import ContentIsAlert, ContentIsResponse, ContentMacWrapped, ContentMalformed, MessageCodeUnknown
from keybroker.terms import EntityIdentifier

SOURCE = "GBCS Grouping Header, handbook 1.2"
_OTHER_INFORMATION_SOURCE = "GBCS other-information, handbook 1.3"

COMMAND, RESPONSE, ALERT = 0x01, 0x02, 0x03
"""CRA flags."""

ORIGINATOR_OFFSET, RECIPIENT_OFFSET = 12, 21

_HEADER = Struct(">BBBQB8sB8sBB")
_NUMBER = Struct(">Q")
_DATE_TIME_OFFSET = 29
_DATE_TIME = 12
_CODE, _PARTY, _COUNTER = 2, 8, 8
_PARTY_ALONE, _WITH_COUNTER, _WITH_FURTHER = _CODE + _PARTY, _CODE + _PARTY + _COUNTER, _CODE + _PARTY + 2 * _COUNTER
_FIXED = (0xDF, 0x09, 0x08, 0x08)
_CRA_NAMES = {COMMAND: "Command", RESPONSE: "Response", ALERT: "Alert"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the header of a kind of message may have.

    ``cra`` are CRA flags, ``date_time`` lengths, ``other_information`` lengths; ``certificate`` says that an X.509
    certificate may stand in the other-information too (more than 26 octets). ``lengths_told`` is for refusals.
    """

    cra: frozenset[int]
    other_information: frozenset[int]
    lengths_told: str
    date_time: frozenset[int] = frozenset({0})
    certificate: bool = False


SIGNABLE = Form(
    cra=frozenset({COMMAND}),
    other_information=frozenset({_CODE, _WITH_COUNTER}),
    lengths_told="2 octets of other-information (or 18 for an Unknown Remote Party)",
)
"""A Pre-Command or Command that is to be signed."""

BEFORE_MAC = Form(
    cra=frozenset({COMMAND}),
    other_information=frozenset({_CODE, _WITH_COUNTER}),
    lengths_told="2 octets of other-information (or 18, or more than 26, for an Unknown Remote Party)",
    certificate=True,
)
"""A Command that is to have its MAC: it may tell the Device for whom to encipher its answer."""

ANSWER = Form(
    cra=frozenset({RESPONSE, ALERT}),
    other_information=frozenset({_CODE, _PARTY_ALONE, _WITH_COUNTER, _WITH_FURTHER}),
    lengths_told="2, 10, 18 or 26 octets of other-information",
    date_time=frozenset({0, _DATE_TIME}),
)
"""A Response or an Alert."""


class GroupingHeader(NamedTuple):
    """What stands before and around the content; offsets are into the octets that were read.

    ``supplementary`` (party, its counter, the counter for which it was enciphered) are each None where absent;
    ``certificate`` is X.509 in DER or nothing, neither read nor checked here.
    """

    cra: int
    counter: int
    originator: EntityIdentifier
    recipient: EntityIdentifier
    message_code: MessageCode
    message_code_offset: int
    supplementary_party: EntityIdentifier | None
    supplementary_counter: int | None
    supplementary_originator_counter: int | None
    certificate: bytes
    content: int
    end: int


def read_grouping_header(octets: bytes, form: Form) -> GroupingHeader:
    """Read from 0xDF to the end of the content, which ``octets`` reach or pass.

    Raises: ContentMalformed, of which ContentMacWrapped, ContentIsResponse, ContentIsAlert, MessageCodeUnknown.
    """
    # 1. Fixed octets at fixed places.
    if len(octets) < _HEADER.size:
        raise _first_wrong_octet(octets, form)
    tag, transaction, cra, counter, at_11, originator, at_20, recipient, date_time, length = _HEADER.unpack_from(octets)
    if (tag, transaction, at_11, at_20) != _FIXED or cra not in form.cra or date_time not in form.date_time:
        raise _first_wrong_octet(octets, form)
    # 2. Other-information: the Message Code, and whom the Access Control Broker acts for.
    at = _DATE_TIME_OFFSET + 1 + date_time
    if date_time:
        length = octets[at] if at < len(octets) else -1
    start = at + 1
    if length not in form.other_information:
        length, start = _read_long_length(octets, at, form)
    code = _read_message_code(octets, start, length, cra)
    party, party_counter, further, certificate = _read_supplementary(octets, at, start, length, code, cra)
    # 3. The content, by its length and never by its last octet.
    size, content = read_length(octets, start + length, len(octets), source=SOURCE)
    return GroupingHeader(
        cra,
        counter,
        EntityIdentifier(originator),
        EntityIdentifier(recipient),
        code,
        start,
        party,
        party_counter,
        further,
        certificate,
        content,
        content + size,
    )


def _first_wrong_octet(octets: bytes, form: Form) -> ContentMalformed:
    """Says which octet of the Grouping Header is the first that cannot stand, or where the message ends too early."""
    for offset, meaning, values in _expected_octets(form):
        if offset >= len(octets):
            break
        if octets[offset] not in values:
            refusal = _WRONG_OCTETS.get((offset, octets[offset]), ContentMalformed)
            return refusal(offset=offset, expected=meaning, found=_describe(offset, octets[offset]), source=SOURCE)
    return ContentMalformed(
        offset=len(octets),
        expected=f"a Grouping Header of at least {_HEADER.size} octets",
        found="the end of the message",
        source=SOURCE,
    )


def _expected_octets(form: Form) -> tuple[tuple[int, str, frozenset[int]], ...]:
    flags = " or ".join(f"0x{cra:02X} ({_CRA_NAMES[cra]})" for cra in sorted(form.cra))
    date_times = " or ".join(f"0x{length:02X}" for length in sorted(form.date_time))
    return (
        (0, "tag 0xDF (general-signing)", frozenset({0xDF})),
        (1, "transaction-id length 0x09", frozenset({0x09})),
        (2, f"CRA flag {flags}", form.cra),
        (11, "originator length 0x08", frozenset({0x08})),
        (20, "recipient length 0x08", frozenset({0x08})),
        (_DATE_TIME_OFFSET, f"date-time length {date_times}", form.date_time),
    )


_WRONG_OCTETS: Mapping[tuple[int, int], type[ContentMalformed]] = {
    (0, 0xDD): ContentMacWrapped,
    (2, RESPONSE): ContentIsResponse,
    (2, ALERT): ContentIsAlert,
}


def _describe(offset: int, octet: int) -> str:
    if (offset, octet) == (0, 0xDD):
        return "0xDD (general-ciphering: a MAC is put on after the signature)"
    if offset == 2 and octet in _CRA_NAMES:
        return f"0x{octet:02X} ({_CRA_NAMES[octet]})"
    return f"0x{octet:02X}"


def _read_long_length(octets: bytes, at: int, form: Form) -> tuple[int, int]:
    """Where a certificate may stand, a length above 26 in however many octets; else a refusal."""
    if at >= len(octets):
        raise ContentMalformed(
            offset=len(octets), expected=form.lengths_told, found="the end of the message", source=SOURCE
        )
    if form.certificate and octets[at] > _WITH_FURTHER:
        length, start = read_length(octets, at, len(octets), source=_OTHER_INFORMATION_SOURCE)
        if length > _WITH_FURTHER:
            return length, start
    raise _wrong_other_information(octets, at, form.lengths_told)


def _read_message_code(octets: bytes, start: int, length: int, cra: int) -> MessageCode:
    """The Message Code's row: a Command's in Commands and Responses, an Alert's in Alerts."""
    if len(octets) < start + length:
        raise ContentMalformed(
            offset=len(octets),
            expected=f"{length} octets of other-information from offset {start}",
            found="the end of the message",
            source=_OTHER_INFORMATION_SOURCE,
        )
    value = int.from_bytes(octets[start : start + _CODE], "big")
    code = MESSAGE_CODES.get(value)
    if code is None:
        raise MessageCodeUnknown(
            offset=start,
            expected="a GBCS Message Code",
            found=f"0x{value:04X}, which is in no table",
            source=_OTHER_INFORMATION_SOURCE,
        )
    if code.is_command is (cra == ALERT):
        raise ContentMalformed(
            offset=start,
            expected="the Message Code of an Alert" if cra == ALERT else "the Message Code of a Command",
            found=f"{code}, {'a Command' if code.is_command else 'an Alert'}'s ({code.name})",
            source=_OTHER_INFORMATION_SOURCE,
        )
    return code


def _read_supplementary(
    octets: bytes, at: int, start: int, length: int, code: MessageCode, cra: int
) -> tuple[EntityIdentifier | None, int | None, int | None, bytes]:
    """The Unknown Remote Party, its counter, and a further counter or a certificate, as far as they stand there."""
    if length == _CODE:
        return None, None, None, b""
    if cra == COMMAND and code.value not in UNKNOWN_REMOTE_PARTY_CODES:
        raise _wrong_other_information(octets, at, f"2 octets of other-information for {code}")
    party = EntityIdentifier(octets[start + _CODE : start + _PARTY_ALONE])
    if length == _PARTY_ALONE:
        return party, None, None, b""
    (counter,) = _NUMBER.unpack_from(octets, start + _PARTY_ALONE)
    if length == _WITH_COUNTER:
        return party, counter, None, b""
    if length == _WITH_FURTHER:
        (further,) = _NUMBER.unpack_from(octets, start + _WITH_COUNTER)
        return party, counter, further, b""
    return party, counter, None, octets[start + _WITH_COUNTER : start + length]


def _wrong_other_information(octets: bytes, at: int, expected: str) -> ContentMalformed:
    return ContentMalformed(
        offset=at,
        expected=expected,
        found=f"length octet 0x{octets[at]:02X}",
        source=_OTHER_INFORMATION_SOURCE,
    )
