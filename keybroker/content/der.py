"""Is this DER, all of it? A reader that only walks: tags, minimal definite lengths, nothing left over.

Source: X.690 §8, §10, §11. Iterative, so that depth is bounded by length and not by Python's stack. Tags above 30 and
lengths of four octets and more (16 MiB) do not occur here and are refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from keybroker.content.length import read_length
from keybroker.errors import ContentMalformed

_SOURCE = "X.690 DER"
_CONSTRUCTED = 0x20
_is_utc_time = re.compile(rb"[0-9]{12}Z").fullmatch
_is_generalized_time = re.compile(rb"[0-9]{14}(\.[0-9]*[1-9])?Z").fullmatch
_TAGS = frozenset(
    # Universal: primitive, but for SEQUENCE and SET. Other classes: either way. No end-of-contents, no tag above 30.
    [tag for tag in range(0x01, 0x1F) if tag not in (0x10, 0x11)]
    + [0x30, 0x31]
    + [tag for tag in range(0x40, 0x100) if tag & 0x1F != 0x1F]
)


class Element(NamedTuple):
    """One element: its tag octet, the offset of that octet, of its first content octet, and of the octet after it."""

    tag: int
    offset: int
    content: int
    end: int


def check_der(octets: bytes, start: int, end: int) -> None:
    """Check that ``octets[start:end]`` is one DER element and nothing else, to its innermost part.

    Raises: ContentMalformed.
    """
    element = _read_element(octets, start, end)
    if element.end != end:
        raise ContentMalformed(
            offset=element.end,
            expected="one DER element and no more",
            found=f"{end - element.end} octets",
            source=_SOURCE,
        )
    position, ends = start, [end]
    while ends:
        if position == ends[-1]:
            ends.pop()
            continue
        element = _read_element(octets, position, ends[-1])
        if element.tag & _CONSTRUCTED:
            ends.append(element.end)
            position = element.content
        else:
            _check_primitive(octets, element)
            position = element.end


def read_members(octets: bytes, start: int, end: int) -> list[Element]:
    """The elements directly inside the constructed element ``octets[start:end]``, which ``check_der`` has passed."""
    position = _read_element(octets, start, end).content
    members = []
    while position < end:
        member = _read_element(octets, position, end)
        members.append(member)
        position = member.end
    return members


def read_unsigned(octets: bytes, element: Element) -> int:
    """The value of an INTEGER, or of one under an implicit tag: minimal and not negative. Raises: ContentMalformed."""
    _check_integer(octets, element)
    if octets[element.content] & 0x80:
        raise ContentMalformed(
            offset=element.content, expected="a number that is not negative", found="a sign bit", source=_SOURCE
        )
    return int.from_bytes(octets[element.content : element.end], "big")


def _read_element(octets: bytes, offset: int, end: int) -> Element:
    """The element at ``offset``, which is before ``end``, and so is all of it. Raises: ContentMalformed."""
    tag = octets[offset]
    if tag not in _TAGS:
        raise ContentMalformed(offset=offset, expected="a DER tag of one octet", found=f"0x{tag:02X}", source=_SOURCE)
    length, content = read_length(octets, offset + 1, end, source=_SOURCE, most=3)
    return Element(tag, offset, content, content + length)


def _check_primitive(octets: bytes, element: Element) -> None:
    """What DER says of the universal types whose value can be written in more than one way in BER."""
    match element.tag:
        case 0x01:
            if octets[element.content : element.end] not in (b"\x00", b"\xff"):
                raise _wrong_value(octets, element, "BOOLEAN 00 or FF")
        case 0x02 | 0x0A:
            _check_integer(octets, element)
        case 0x03:
            _check_bit_string(octets, element)
        case 0x05:
            if element.content != element.end:
                raise _wrong_value(octets, element, "NULL without content")
        case 0x17:
            if not _is_utc_time(octets, element.content, element.end):
                raise _wrong_value(octets, element, "UTCTime YYMMDDhhmmssZ")
        case 0x18:
            if not _is_generalized_time(octets, element.content, element.end):
                raise _wrong_value(octets, element, "GeneralizedTime YYYYMMDDhhmmssZ")
        case _:
            pass


def _check_integer(octets: bytes, element: Element) -> None:
    """At least one octet, and the first nine bits neither all 0 nor all 1 (X.690 §8.3.2)."""
    head = int.from_bytes(octets[element.content : min(element.content + 2, element.end)], "big") >> 7
    length = element.end - element.content
    if length == 0 or (length > 1 and head in (0x000, 0x1FF)):
        raise _wrong_value(octets, element, "an INTEGER in the fewest octets, at least one")


def _check_bit_string(octets: bytes, element: Element) -> None:
    """The first octet counts the unused bits, which are zero (X.690 §8.6.2, §11.2.1)."""
    length = element.end - element.content
    unused = octets[element.content] if length else 8
    if unused > 7 or (unused and (length == 1 or octets[element.end - 1] & ((1 << unused) - 1))):
        raise _wrong_value(octets, element, "a BIT STRING whose unused bits are counted and zero")


def _wrong_value(octets: bytes, element: Element, expected: str) -> ContentMalformed:
    value = octets[element.content : min(element.content + 4, element.end)]
    return ContentMalformed(
        offset=element.content, expected=expected, found=value.hex(" ").upper() or "nothing", source=_SOURCE
    )
