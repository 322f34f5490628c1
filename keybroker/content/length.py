"""How long is what follows? The length octets of A-XDR and DER, minimal or refused.

Sources: handbook 1.1; X.690 §10.1 (DER: definite form, fewest octets).
"""

from __future__ import annotations

from keybroker.errors import ContentMalformed


def read_length(octets: bytes, offset: int, end: int, *, source: str, most: int = 2) -> tuple[int, int]:
    """Read 0x00-0x7F, 0x81 nn or 0x82 nn nn at ``offset``; gives (length, offset of the first octet it counts).

    The length octets and what they count stand before ``end``. Longer forms than 0x80 + ``most`` are refused: no GBCS
    message needs them, but a long revocation list does. Raises: ContentMalformed.
    """
    if offset >= end:
        raise ContentMalformed(offset=end, expected="length octets", found="the end", source=source)
    length = octets[offset]
    start = offset + 1
    if length >= 0x80:
        length, start = _read_long_form(octets, offset, end, source, most)
    if start + length > end:
        raise ContentMalformed(
            offset=end,
            expected=f"{length} octets from offset {start}",
            found=f"the end after {end - start}",
            source=source,
        )
    return length, start


def _read_long_form(octets: bytes, offset: int, end: int, source: str, most: int) -> tuple[int, int]:
    count = octets[offset] - 0x80
    if not 1 <= count <= most:
        longer = " or 83 nn nn nn" if most > 2 else ""
        raise ContentMalformed(
            offset=offset,
            expected=f"a length nn, 81 nn or 82 nn nn{longer}",
            found=f"0x{octets[offset]:02X}",
            source=source,
        )
    start = offset + 1 + count
    if start > end:
        raise ContentMalformed(offset=end, expected=f"{count} length octets", found="the end", source=source)
    length = int.from_bytes(octets[offset + 1 : start], "big")
    if length < (0x80 if count == 1 else 1 << 8 * (count - 1)):
        raise ContentMalformed(
            offset=offset,
            expected=f"the fewest octets for a length of {length}",
            found=octets[offset:start].hex(" ").upper(),
            source=source,
        )
    return length, start


def write_length(length: int) -> bytes:
    """In the fewest octets."""
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
