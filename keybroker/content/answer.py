"""Is this a Response or an Alert, whole? In its MAC wrapper, or without one.

A wrapper stands around what bears no signature; what a Device signs has none (handbook 0, 1.6, 1.7). What the content
says is read only where something in it is to be deciphered.
"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.content.grouping_header import ALERT, ANSWER, GroupingHeader, read_grouping_header
from keybroker.content.mac_wrapper import TAG, read_mac_wrapper
from keybroker.content.signature_field import read_signature_field
from keybroker.errors import ContentMalformed

_SOURCE = "GBCS Response or Alert, handbook 1.6, 1.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``inner`` runs from 0xDF to the end of the signature field; ``mac`` has 12 octets, or none without a wrapper."""

    header: GroupingHeader
    inner: bytes
    mac: bytes

    @property
    def is_alert(self) -> bool:
        return self.header.cra == ALERT


def read_answer(octets: bytes) -> Answer:
    """Read all but the content. Raises: ContentMalformed."""
    if octets[:1] != bytes([TAG]):
        return _read_inner(octets, b"")
    start, end = read_mac_wrapper(octets)
    try:
        return _read_inner(octets[start:end], octets[end:])
    except ContentMalformed as error:
        raise _from_the_first_octet(error, start) from error


def _from_the_first_octet(error: ContentMalformed, start: int) -> ContentMalformed:
    return type(error)(offset=error.offset + start, expected=error.expected, found=error.found, source=error.source)


def _read_inner(inner: bytes, mac: bytes) -> Answer:
    header = read_grouping_header(inner, ANSWER)
    signature = read_signature_field(inner, header.end)
    if bool(signature) is bool(mac):
        raise ContentMalformed(
            offset=header.end,
            expected="a signature, or a MAC wrapper around the message, and not both",
            found="both" if mac else "neither",
            source=_SOURCE,
        )
    return Answer(header=header, inner=inner, mac=mac)
