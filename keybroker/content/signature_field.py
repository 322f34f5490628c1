"""Does a signature follow the content of a GBCS message? 0x00, or 0x40 and r || s, and then the end.

Source: handbook 1.2, 1.6.
"""

from __future__ import annotations

from keybroker.errors import ContentMalformed

_SOURCE = "GBCS signature, handbook 1.2"
SIGNATURE_LENGTH = 64


def read_signature_field(octets: bytes, end: int) -> bytes:
    """The signature after a content that ends at ``end``: 64 octets, or none. Raises: ContentMalformed."""
    rest = octets[end:]
    if rest == b"\x00":
        return b""
    if len(rest) == 1 + SIGNATURE_LENGTH and rest[0] == SIGNATURE_LENGTH:
        return rest[1:]
    raise ContentMalformed(
        offset=end,
        expected="0x00, or 0x40 and a signature of 64 octets, and then the end",
        found=f"{len(rest)} octets beginning 0x{rest[0]:02X}" if rest else "the end of the message",
        source=_SOURCE,
    )
