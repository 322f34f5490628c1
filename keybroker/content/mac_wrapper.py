"""How does a GBCS message stand in its MAC wrapper, and what does the MAC authenticate?

    DD 00 00 00 00 00 00 || length || 11 00 00 00 00 || inner || MAC (12)

with GMAC over ``11 00 00 00 00 00 || inner``. Sources: DLMS general-ciphering; handbook 1.7.
"""

from __future__ import annotations

from typing import NamedTuple

from keybroker.content.length import read_length, write_length
from keybroker.errors import ContentMalformed

SOURCE = "GBCS MAC Header, handbook 1.7"
TAG_OCTETS = 12
TAG = 0xDD

_HEADER = bytes.fromhex("DD000000000000")
"""general-ciphering: no transaction-id, originator, recipient, date-time, other-information, key-info."""
_SECURITY_HEADER = bytes.fromhex("1100000000")
"""Authentication only, suite 1; invocation counter 0."""
_AUTHENTICATED = bytes.fromhex("110000000000")


class Unwrapped(NamedTuple):
    """Where the inner message begins and ends; the MAC stands from ``end`` to the end."""

    start: int
    end: int


def authenticated(inner: bytes) -> bytes:
    """What the MAC is over: additional authenticated data of AES-GCM, whose plaintext is empty."""
    return _AUTHENTICATED + inner


def wrap(inner: bytes, mac: bytes) -> bytes:
    """The whole message: MAC Header, inner, MAC of 12 octets."""
    body = _SECURITY_HEADER + inner + mac
    return _HEADER + write_length(len(body)) + body


def read_mac_wrapper(octets: bytes) -> Unwrapped:
    """Read all of it but the inner message. Raises: ContentMalformed."""
    _check_fixed(octets, 0, _HEADER, "the MAC Header")
    length, body = read_length(octets, len(_HEADER), len(octets), source=SOURCE)
    if body + length != len(octets):
        raise ContentMalformed(
            offset=body + length,
            expected="the end of the message",
            found=f"{len(octets) - body - length} octets",
            source=SOURCE,
        )
    _check_fixed(octets, body, _SECURITY_HEADER, "the security header")
    start, end = body + len(_SECURITY_HEADER), len(octets) - TAG_OCTETS
    if start >= end:
        raise ContentMalformed(
            offset=len(octets), expected="a message and a MAC of 12 octets", found="the end", source=SOURCE
        )
    return Unwrapped(start, end)


def _check_fixed(octets: bytes, at: int, expected: bytes, meaning: str) -> None:
    found = octets[at : at + len(expected)]
    if found == expected:
        return
    wrong = next((n for n, octet in enumerate(found) if octet != expected[n]), len(found))
    raise ContentMalformed(
        offset=at + wrong,
        expected=f"{meaning} {expected.hex(' ').upper()}",
        found=f"0x{found[wrong]:02X}" if wrong < len(found) else "the end of the message",
        source=SOURCE,
    )
