"""Which data in a Response or Alert are encrypted, and where do they stand?

    encrypted item   31 00 00 00 00 || ciphertext || tag (12)
    DLMS/COSEM       protection parameters and then an octet-string of the item, in a structure among the data of an
                     access-response or data-notification; the parameters repeat mode, counter, originator and recipient
    GBZ              a component whose control field has the bit 02: additional header (2), ZCL header (3), length (2),
                     the item

Sources: handbook 1.4, 1.9; the DCC's published Responses and Alerts. A compact array beside an encrypted item has no
reading here and is refused; none is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from keybroker.content.axdr import Datum, read_data
from keybroker.content.grouping_header import ALERT, GroupingHeader
from keybroker.content.key_derivation import Mode
from keybroker.content.length import read_length
from keybroker.content.use import Enciphered
from keybroker.errors import ContentMalformed

_SOURCE = "GBCS encrypted data, handbook 1.9"
_PAYLOAD_SOURCE = "GBCS payload, handbook 1.4"

_SECURITY_HEADER = bytes.fromhex("3100000000")
_AUTHENTICATED = b"\x31"
_TAG_OCTETS = 12

_ARRAY, _STRUCTURE, _OCTET_STRING, _ENUM = 0x01, 0x02, 0x09, 0x16
_AUTHENTICATION_AND_ENCRYPTION, _AGREED_KEY = b"\x02", b"\x02"
_ONE_PASS = b"\x02"
"""C(0e, 2s): a key agreed between two static keys."""

_LAST, _ENCRYPTED, _FROM_DATE_TIME = 0x01, 0x02, 0x10
_GBZ_ALERT_WITH_COMPONENT = 0x008B
"""GCS53, Push Billing Data Log: after alert code and time stamp stands a component. Other Alerts hold none."""
_ALERT_CODE_AND_TIME = 6
_MANUFACTURER_SPECIFIC = 0x04


def find_encrypted(octets: bytes, header: GroupingHeader) -> tuple[Enciphered, ...]:
    """Every encrypted item of the content, in order; the content is read whole. Raises: ContentMalformed."""
    content = octets[header.content : header.end]
    try:
        match content[:2], header.cra == ALERT:
            case (b"\xda\x20", False):
                found = _in_access_response(content, header)
            case (b"\x0f\x20", True):
                found = _in_data_notification(content, header)
            case (b"\x01\x09", is_alert):
                found = _in_gbz(content, header.message_code.value if is_alert else None)
            case _:
                raise _malformed(0, "a DLMS or GBZ payload", f"0x{content[:2].hex().upper()}", _PAYLOAD_SOURCE)
        if not found:
            raise _malformed(0, "encrypted data", "none", _SOURCE)
    except ContentMalformed as error:
        raise _malformed(header.content + error.offset, error.expected, error.found, error.source) from error
    return found


def _in_access_response(content: bytes, header: GroupingHeader) -> tuple[Enciphered, ...]:
    """DA 20 invoke-id (3) 00 (no date-time) 00 (no specification), the data, then choice and result of each."""
    at = _after_invoke_id(content, header, b"\x00\x00")
    count, at = read_length(content, at, len(content), source=_PAYLOAD_SOURCE)
    data = []
    for _ in range(count):
        datum, at = read_data(content, at)
        data.append(datum)
    results, at = read_length(content, at, len(content), source=_PAYLOAD_SOURCE)
    if results != count or len(content) - at != 2 * count:
        raise _malformed(
            at, f"{count} results of 2 octets", f"{results} in {len(content) - at} octets", _PAYLOAD_SOURCE
        )
    return tuple(item for datum in data for item in _protected(datum, header))


def _in_data_notification(content: bytes, header: GroupingHeader) -> tuple[Enciphered, ...]:
    """0F 20 invoke-id (3) 00 (no date-time), one datum."""
    datum, at = read_data(content, _after_invoke_id(content, header, b"\x00"))
    if at != len(content):
        raise _malformed(at, "the end of the content", f"{len(content) - at} octets", _PAYLOAD_SOURCE)
    return tuple(_protected(datum, header))


def _after_invoke_id(content: bytes, header: GroupingHeader, absent: bytes) -> int:
    expected = (header.counter & 0xFFFFFF).to_bytes(3, "big") + absent
    end = 2 + len(expected)
    if content[2:end] != expected:
        told = f"the Originator Counter's low 24 bits and nothing before the data: {expected.hex().upper()}"
        raise _malformed(2, told, content[2:end].hex().upper() or "the end", _PAYLOAD_SOURCE)
    return end


def _protected(datum: Datum, header: GroupingHeader) -> Iterator[Enciphered]:
    """Every encrypted item in this datum: after protection parameters, which are those of this message."""
    members = iter(datum.members)
    for member in members:
        if not _is_protection_parameters(member):
            yield from _protected(member, header)
            continue
        if member != _protection_parameters(header):
            expected = "protection parameters of this message's counter, originator and recipient"
            raise _malformed(0, expected, "others", _SOURCE)
        item = next(members, None)
        if item is None or item.tag != _OCTET_STRING:
            raise _malformed(0, "an encrypted item after its protection parameters", "something else", _SOURCE)
        yield _item(item.octets, 0)


def _is_protection_parameters(datum: Datum) -> bool:
    """An array of one structure of an enum and a structure of five (IEC 62056-6-2, Data protection)."""
    match datum:
        case Datum(
            tag=0x01, members=(Datum(tag=0x02, members=(Datum(tag=0x16), Datum(tag=0x02, members=(_, _, _, _, _)))),)
        ):
            return True
        case _:
            return False


def _protection_parameters(header: GroupingHeader) -> Datum:
    transaction = bytes([Mode.ENCRYPTION]) + header.counter.to_bytes(8, "big")
    agreed = _structure(_octets(_ONE_PASS), _octets(b""))
    options = _structure(
        _octets(transaction),
        _octets(header.originator.octets),
        _octets(header.recipient.octets),
        _octets(b""),
        _structure(Datum(tag=_ENUM, octets=_AGREED_KEY), agreed),
    )
    protection = _structure(Datum(tag=_ENUM, octets=_AUTHENTICATION_AND_ENCRYPTION), options)
    return Datum(tag=_ARRAY, members=(protection,))


def _structure(*members: Datum) -> Datum:
    return Datum(tag=_STRUCTURE, members=members)


def _octets(octets: bytes) -> Datum:
    return Datum(tag=_OCTET_STRING, octets=octets)


def _in_gbz(content: bytes, alert: int | None) -> tuple[Enciphered, ...]:
    """01 09, component count, [of GCS53: alert code and time stamp,] components. ``alert``: the Alert's code."""
    if alert not in (None, _GBZ_ALERT_WITH_COMPONENT):
        return ()
    count = content[2] if len(content) > 2 else 0
    at = 3 + (0 if alert is None else _ALERT_CODE_AND_TIME)
    found = []
    for left in range(count - 1, -1, -1):
        item, at = _component(content, at, last=left == 0)
        found += item
    if at != len(content):
        raise _malformed(
            min(at, len(content)), f"{count} components and the end", f"{len(content)} octets", _PAYLOAD_SOURCE
        )
    return tuple(found)


def _component(content: bytes, at: int, *, last: bool) -> tuple[list[Enciphered], int]:
    """Control field (1), cluster (2), length (2), and as many octets; gives the offset after it."""
    head = content[at : at + 5]
    start = at + 5
    end = start + int.from_bytes(head[3:], "big")
    if len(head) < 5 or end > len(content):
        raise _malformed(len(content), "a component by its length", "the end of the content", _PAYLOAD_SOURCE)
    control = head[0]
    if control & ~(_LAST | _ENCRYPTED | _FROM_DATE_TIME) or bool(control & _LAST) is not last:
        raise _malformed(
            at, "a control field whose bit 01 marks the last component", f"0x{control:02X}", _PAYLOAD_SOURCE
        )
    if not control & _ENCRYPTED:
        return [], end
    # Additional header: control and frame counter; ZCL header: frame control, sequence number, command; length.
    inside = content[start:end]
    if len(inside) < 7 or inside[0] != 0x00 or inside[2] & _MANUFACTURER_SPECIFIC or control & _FROM_DATE_TIME:
        raise _malformed(start, "additional header 00 nn and a ZCL header of 3 octets", inside[:7].hex(), _SOURCE)
    if int.from_bytes(inside[5:7], "big") != len(inside) - 7:
        raise _malformed(start + 5, f"length {len(inside) - 7}", inside[5:7].hex(), _SOURCE)
    return [_item(inside[7:], start + 7)], end


def _item(octets: bytes, offset: int) -> Enciphered:
    if not octets.startswith(_SECURITY_HEADER) or len(octets) <= len(_SECURITY_HEADER) + _TAG_OCTETS:
        raise _malformed(
            offset, "31 00 00 00 00, ciphertext and 12 octets of tag", octets[:5].hex(" ").upper() or "nothing", _SOURCE
        )
    return Enciphered(
        authenticated=_AUTHENTICATED,
        ciphertext=octets[len(_SECURITY_HEADER) : -_TAG_OCTETS],
        tag=octets[-_TAG_OCTETS:],
    )


def _malformed(offset: int, expected: str, found: str, source: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=source)
