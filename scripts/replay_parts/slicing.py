"""Where do the parts of a GBCS message stand? A second reader, written from handbook 1.1-1.7 alone."""

from __future__ import annotations

from dataclasses import dataclass

_SIGNATURE = 64
_MAC = 12


class NotSliced(Exception):
    """The octets are not laid out as a GBCS message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """One message without its MAC wrapper.

    ``unsigned`` runs from 0xDF to the end of the content; ``signature`` has 64 octets or none; ``mac_wrapped`` says
    that the message came inside a general-ciphering APDU.
    """

    mac_wrapped: bool
    inner: bytes
    unsigned: bytes
    signature: bytes
    cra: int
    counter: int
    originator: bytes
    recipient: bytes
    date_time: bytes
    other_information: bytes

    @property
    def code(self) -> int:
        return int.from_bytes(self.other_information[:2], "big")

    @property
    def content(self) -> bytes:
        """Where other-information is short enough for one length octet."""
        return _field(self.unsigned, 31 + len(self.date_time) + len(self.other_information))[0]


def slice_message(octets: bytes) -> Sliced:
    """Take a message apart. Raises: NotSliced."""
    try:
        inner = _unwrapped(octets) if octets[0] == 0xDD else octets
        return _sliced(inner, mac_wrapped=octets[0] == 0xDD)
    except IndexError as error:
        raise NotSliced("the message ends early") from error


def _sliced(inner: bytes, *, mac_wrapped: bool) -> Sliced:
    if inner[0] != 0xDF or inner[1] != 0x09 or inner[11] != 0x08 or inner[20] != 0x08:
        raise NotSliced("no general-signing APDU")
    date_time, at = _field(inner, 29)
    other_information, at = _field(inner, at)
    _, end = _field(inner, at)
    signature, rest = _field(inner, end) if end < len(inner) else (b"", end)
    if rest != len(inner) or len(signature) not in (0, _SIGNATURE):
        raise NotSliced("something other than a signature stands after the content")
    return Sliced(
        mac_wrapped=mac_wrapped,
        inner=inner,
        unsigned=inner[:end],
        signature=signature,
        cra=inner[2],
        counter=int.from_bytes(inner[3:11], "big"),
        originator=inner[12:20],
        recipient=inner[21:29],
        date_time=date_time,
        other_information=other_information,
    )


def _unwrapped(octets: bytes) -> bytes:
    """DD, six empty fields, length, security header 11 00000000, the inner message, 12 octets of MAC (handbook 1.7)."""
    body, end = _field(octets, 7)
    if octets[1:7] != bytes(6) or end != len(octets) or body[:5] != b"\x11\0\0\0\0":
        raise NotSliced("no MAC wrapper of the known form")
    return body[5:-_MAC]


def _field(octets: bytes, at: int) -> tuple[bytes, int]:
    """A length and as many octets: what they are, and where the next field begins."""
    first = octets[at]
    width = first - 0x80 if first >= 0x80 else 0
    start = at + 1 + width
    size = int.from_bytes(octets[at + 1 : start], "big") if width else first
    if start + size > len(octets):
        raise NotSliced("a field runs past the end")
    return octets[start : start + size], start + size
