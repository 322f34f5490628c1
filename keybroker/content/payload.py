"""Does the content belong to this Message Code and this counter? Its family, and what it repeats of the header.

The signer need not understand a payload, but where it repeats the Originator Counter or the Message Code it must agree:
one message, one reading. Sources: handbook 1.4, 3.5.
"""

from __future__ import annotations

from keybroker.content.der import Element, check_der, read_members, read_unsigned
from keybroker.content.model import MessageCode, PayloadFamily
from keybroker.errors import ContentMalformed

_SOURCE = "GBCS payload, handbook 1.4"
_CREDENTIALS_SOURCE = "GBCS Update Security Credentials, handbook 3.5"

_ACTIVATE_FIRMWARE = frozenset({0x0012})
_UPDATE_CREDENTIALS = frozenset(range(0x0100, 0x010A))
_UPDATE_LOAD_CONTROLLER_CREDENTIALS = frozenset({0x0125, 0x0126})

_SEQUENCE = 0x30
_INTEGER = 0x02
_OCTET_STRING = 0x04
_GENERALIZED_TIME = 0x18
_SEQUENCE_NUMBER = 0x83  # [3] authorisingRemotePartySeqNumber
_SYMMETRIC_KEY = 0x80  # [0] plaintextSymmetricKey
_CONTROL_MEMBERS = (_SYMMETRIC_KEY, 0x81, 0xA2, _SEQUENCE_NUMBER, 0x84, 0xA5, 0xA6)
"""[0] to [6] of an AuthorisingRemotePartyControl, each in the one form that its type has."""

_ANY_BY_CONTINGENCY = 0x09
_LONGEST_NUMBER = 9  # octets: 64 bits and a sign
_MOST_TAGS_TOLD = 16

_FIRST_TWO_OCTETS = {
    b"\xd9\x20": PayloadFamily.DLMS,  # access-request with long-invoke-id flags
    b"\x01\x09": PayloadFamily.GBZ,  # ZigBee profile 0x0109
    b"\x04\x08": PayloadFamily.ASN1,  # an entity identifier alone (CS04)
    b"\x05\x00": PayloadFamily.ASN1,  # NULL (CS07, CS08)
    b"\x02\x01": PayloadFamily.ASN1,  # a small INTEGER
}


def read_payload_family(octets: bytes, start: int, end: int, *, code: MessageCode, counter: int) -> PayloadFamily:
    """The family of the content ``octets[start:end]``, which agrees with ``code``'s row and with ``counter``.

    A code whose row names no family (its criticality is unknown too) is read with any. Raises: ContentMalformed.
    """
    first = octets[start : min(start + 2, end)]
    family = _FIRST_TWO_OCTETS.get(first)
    if family is None and first[:1] == b"\x30":
        family = PayloadFamily.ASN1
    if family is None or (code.payload and family not in code.payload):
        raise _wrong_family(start, first, family, code)
    match family:
        case PayloadFamily.DLMS:
            _check_dlms(octets, start, end, counter)
        case PayloadFamily.GBZ:
            _check_gbz(start, end)
        case PayloadFamily.ASN1:
            _check_asn1(octets, start, end, code, counter)
    return family


def _wrong_family(start: int, first: bytes, family: PayloadFamily | None, code: MessageCode) -> ContentMalformed:
    families = " or ".join(sorted(code.payload)) or "DLMS, GBZ or ASN.1"
    what = f"0x{first.hex().upper()}" if first else "no content"
    return ContentMalformed(
        offset=start,
        expected=f"payload family {families} for {code}",
        found=f"{what}{f' ({family})' if family else ''}",
        source=_SOURCE,
    )


def _check_dlms(octets: bytes, start: int, end: int, counter: int) -> None:
    """Long-invoke-id = low 24 bits of the Originator Counter, then no date-time."""
    expected = (counter & 0xFFFFFF).to_bytes(3, "big") + b"\x00"
    found = octets[start + 2 : min(start + 6, end)]
    if found[:3] != expected[:3]:
        raise ContentMalformed(
            offset=start + 2,
            expected=f"long-invoke-id 0x{expected[:3].hex().upper()} (low 24 bits of the Originator Counter)",
            found=f"0x{found[:3].hex().upper()}",
            source=_SOURCE,
        )
    if found != expected:
        raise ContentMalformed(
            offset=start + 5,
            expected="date-time length 0x00",
            found=f"0x{found[3]:02X}" if len(found) == 4 else "the end of the content",
            source=_SOURCE,
        )


def _check_gbz(start: int, end: int) -> None:
    if end - start < 3:
        raise ContentMalformed(
            offset=end, expected="a component count after the profile", found="the end of the content", source=_SOURCE
        )


def _check_asn1(octets: bytes, start: int, end: int, code: MessageCode, counter: int) -> None:
    check_der(octets, start, end)
    if code.value in _ACTIVATE_FIRMWARE:
        _check_activate_firmware(octets, start, end, counter)
    elif code.value in _UPDATE_CREDENTIALS:
        _check_update_credentials(octets, start, end, counter, mode=code.value & 0xFF)
    elif code.value in _UPDATE_LOAD_CONTROLLER_CREDENTIALS:
        _check_update_credentials(octets, start, end, counter, mode=None)


def _check_activate_firmware(octets: bytes, start: int, end: int, counter: int) -> None:
    """CS06: SEQUENCE { image hash OCTET STRING, sequence number INTEGER, execution time GeneralizedTime OPTIONAL }."""
    members = _members_of_sequence(octets, start, end, _SOURCE)
    tags = [member.tag for member in members]
    if tags[:2] != [_OCTET_STRING, _INTEGER] or tags[2:] not in ([], [_GENERALIZED_TIME]):
        raise ContentMalformed(
            offset=start,
            expected="SEQUENCE of OCTET STRING, INTEGER and at most one GeneralizedTime",
            found=_tags(tags),
            source=_SOURCE,
        )
    _check_number(octets, members[1], counter, "the Originator Counter as sequence number", _SOURCE)


def _check_update_credentials(octets: bytes, start: int, end: int, counter: int, *, mode: int | None) -> None:
    """CS02b and CS02g: the AuthorisingRemotePartyControl is the first member; its [3] is the Originator Counter.

    CS02b's credentialsReplacementMode is the low octet of the Message Code; CS02g's (``mode`` None) has its own values.
    """
    outer = _members_of_sequence(octets, start, end, _CREDENTIALS_SOURCE)
    if not outer:
        raise ContentMalformed(
            offset=end, expected="AuthorisingRemotePartyControl", found="an empty SEQUENCE", source=_CREDENTIALS_SOURCE
        )
    control = _members_of_sequence(octets, outer[0].offset, outer[0].end, _CREDENTIALS_SOURCE)
    if mode is not None:
        _check_parts(start, outer)
        _check_replacement_mode(octets, outer[0], control, mode)
    elif any(member.tag >= 0x40 and member.tag & 0x1F == _SYMMETRIC_KEY & 0x1F for member in control):
        # Of CS02g too: its octets are kept.
        raise ContentMalformed(
            offset=outer[0].offset,
            expected="no [0] plaintextSymmetricKey, which belongs to anyByContingency (0x0109) alone",
            found="one",
            source=_CREDENTIALS_SOURCE,
        )
    # Whatever its class and form: a second [3] would be a second reading.
    numbers = [member for member in control if member.tag >= 0x40 and member.tag & 0x1F == _SEQUENCE_NUMBER & 0x1F]
    if [member.tag for member in numbers] != [_SEQUENCE_NUMBER]:
        raise ContentMalformed(
            offset=outer[0].offset,
            expected="exactly one [3] authorisingRemotePartySeqNumber",
            found=str(len(numbers)),
            source=_CREDENTIALS_SOURCE,
        )
    wanted = "the Originator Counter as authorisingRemotePartySeqNumber"
    _check_number(octets, numbers[0], counter, wanted, _CREDENTIALS_SOURCE)


def _check_parts(start: int, outer: list[Element]) -> None:
    """Control, replacements, certification path, and at most one execution date and time."""
    tags = [member.tag for member in outer]
    if tags[:3] != [_SEQUENCE] * 3 or tags[3:] not in ([], [_GENERALIZED_TIME]):
        raise ContentMalformed(
            offset=start,
            expected="three SEQUENCEs and at most one GeneralizedTime",
            found=_tags(tags),
            source=_CREDENTIALS_SOURCE,
        )


def _check_replacement_mode(octets: bytes, sequence: Element, control: list[Element], mode: int) -> None:
    """The mode comes first; then come [0] to [6], each at most once, in the order of their tags.

    [0] discloses a symmetric key, and belongs to anyByContingency alone: elsewhere it would be kept unredacted.
    """
    tags = [member.tag for member in control]
    members = _CONTROL_MEMBERS if mode == _ANY_BY_CONTINGENCY else _CONTROL_MEMBERS[1:]
    if tags[:1] != [_INTEGER] or tags[1:] != [tag for tag in members if tag in tags[1:]]:
        first = 0 if mode == _ANY_BY_CONTINGENCY else 1
        raise ContentMalformed(
            offset=sequence.offset,
            expected=f"credentialsReplacementMode and then each of [{first}] to [6] at most once, in order",
            found=_tags(tags),
            source=_CREDENTIALS_SOURCE,
        )
    wanted = "the low octet of the Message Code as credentialsReplacementMode"
    _check_number(octets, control[0], mode, wanted, _CREDENTIALS_SOURCE)


def _members_of_sequence(octets: bytes, start: int, end: int, source: str) -> list[Element]:
    if octets[start] != _SEQUENCE:
        raise ContentMalformed(
            offset=start, expected="SEQUENCE 0x30", found=f"tag 0x{octets[start]:02X}", source=source
        )
    return read_members(octets, start, end)


def _check_number(octets: bytes, element: Element, wanted: int, meaning: str, source: str) -> None:
    value = read_unsigned(octets, element)
    if value != wanted:
        # Python writes no number of thousands of digits, and nobody would read it.
        length = element.end - element.content
        found = str(value) if length <= _LONGEST_NUMBER else f"a number of {length} octets"
        raise ContentMalformed(offset=element.offset, expected=f"{meaning}: {wanted}", found=found, source=source)


def _tags(tags: list[int]) -> str:
    """The first of them: what is found is told in replies, whose length is bounded."""
    if not tags:
        return "no member"
    more = f" and {len(tags) - _MOST_TAGS_TOLD} more" if len(tags) > _MOST_TAGS_TOLD else ""
    return "tags " + bytes(tags[:_MOST_TAGS_TOLD]).hex(" ").upper() + more
