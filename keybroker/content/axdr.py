"""What COSEM data is this? The A-XDR data types, each with its one length, nested no deeper than anything known.

Source: IEC 62056-5-3 (the choice ``Data``), IEC 61334-6. RECALLED. Compact arrays and delta types have no reading here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.content.length import read_length, write_length
from keybroker.errors import ContentMalformed

_SOURCE = "IEC 62056-5-3 Data"

DEEPEST = 16
"""Arrays and structures in one another. No COSEM attribute comes near; it bounds our work."""

_ARRAY, _STRUCTURE, _BOOLEAN, _BIT_STRING = 0x01, 0x02, 0x03, 0x04
_VISIBLE_STRING, _UTF8_STRING = 0x0A, 0x0C
_STRINGS = frozenset({0x09, _VISIBLE_STRING, _UTF8_STRING})
_FIXED: Mapping[int, int] = {
    0x00: 0,  # null-data
    _BOOLEAN: 1,
    0x05: 4,  # double-long
    0x06: 4,  # double-long-unsigned
    0x0D: 1,  # bcd
    0x0F: 1,  # integer
    0x10: 2,  # long
    0x11: 1,  # unsigned
    0x12: 2,  # long-unsigned
    0x14: 8,  # long64
    0x15: 8,  # long64-unsigned
    0x16: 1,  # enum
    0x17: 4,  # float32
    0x18: 8,  # float64
    0x19: 12,  # date-time
    0x1A: 5,  # date
    0x1B: 4,  # time
    0xFF: 0,  # don't-care
}
"""Octets after the tag, of the types that have a fixed length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One value: ``octets`` as they stand after tag and length, or the ``members`` of an array or structure; ``bits``
    counts those of a bit-string.
    """

    tag: int
    octets: bytes = b""
    members: tuple[Datum, ...] = ()
    bits: int = 0


def read_data(octets: bytes, at: int, *, depth: int = 0) -> tuple[Datum, int]:
    """The datum at ``at``, and the offset of the octet after it. Raises: ContentMalformed."""
    tag = octets[at] if at < len(octets) else None
    if tag is not None and tag in _FIXED:
        return _read_fixed(octets, at, tag)
    if tag in (_ARRAY, _STRUCTURE):
        return _read_members(octets, at, depth)
    if tag in _STRINGS:
        return _read_string(octets, at)
    if tag == _BIT_STRING:
        return _read_bits(octets, at)
    raise _unread(at, "a data type that is read here", "the end" if tag is None else f"tag 0x{tag:02X}")


def encode_data(datum: Datum) -> bytes:
    """The very octets that were read."""
    if datum.tag in _FIXED:
        return bytes([datum.tag]) + datum.octets
    if datum.tag in (_ARRAY, _STRUCTURE):
        members = b"".join(encode_data(each) for each in datum.members)
        return bytes([datum.tag]) + write_length(len(datum.members)) + members
    counted = datum.bits if datum.tag == _BIT_STRING else len(datum.octets)
    return bytes([datum.tag]) + write_length(counted) + datum.octets


def _read_fixed(octets: bytes, at: int, tag: int) -> tuple[Datum, int]:
    end = at + 1 + _FIXED[tag]
    if end > len(octets):
        raise _unread(len(octets), f"{_FIXED[tag]} octets after tag 0x{tag:02X}", "the end")
    if tag == _BOOLEAN and octets[at + 1] not in (0x00, 0x01, 0xFF):
        raise _unread(at + 1, "a boolean 00, 01 or FF", f"0x{octets[at + 1]:02X}")
    return Datum(tag=tag, octets=octets[at + 1 : end]), end


def _read_members(octets: bytes, at: int, depth: int) -> tuple[Datum, int]:
    if depth == DEEPEST:
        raise _unread(at, f"arrays and structures nested at most {DEEPEST} deep", "one more")
    # Every member has an octet at the least, so a count beyond what is left is refused before anything is read.
    count, position = read_length(octets, at + 1, len(octets), source=_SOURCE)
    members = []
    for _ in range(count):
        member, position = read_data(octets, position, depth=depth + 1)
        members.append(member)
    return Datum(tag=octets[at], members=tuple(members)), position


def _read_string(octets: bytes, at: int) -> tuple[Datum, int]:
    length, start = read_length(octets, at + 1, len(octets), source=_SOURCE)
    text = octets[start : start + length]
    # Refusals tell one octet: they are recorded, and the string may be long, or no business of whoever reads records.
    wrong = next((octet for octet in text if not 0x20 <= octet < 0x7F), None)
    if octets[at] == _VISIBLE_STRING and wrong is not None:
        raise _unread(start, "a visible-string of printable ASCII", f"0x{wrong:02X} in it")
    if octets[at] == _UTF8_STRING:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _unread(start + error.start, "a string in UTF-8", f"0x{text[error.start]:02X}") from error
    return Datum(tag=octets[at], octets=text), start + length


def _read_bits(octets: bytes, at: int) -> tuple[Datum, int]:
    bits = octets[at + 1] if at + 1 < len(octets) else 0x80
    if bits >= 0x80:
        raise _unread(at + 1, "a bit-string of at most 127 bits", octets[at + 1 : at + 2].hex().upper() or "the end")
    start, end = at + 2, at + 2 + (bits + 7) // 8
    if end > len(octets):
        raise _unread(len(octets), f"{bits} bits", "the end")
    if bits % 8 and octets[end - 1] & ((1 << (8 - bits % 8)) - 1):
        raise _unread(end - 1, "unused bits at zero", f"0x{octets[end - 1]:02X}")
    return Datum(tag=_BIT_STRING, octets=octets[start:end], bits=bits), end


def _unread(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
