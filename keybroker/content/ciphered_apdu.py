"""How does a protected xDLMS APDU look? DLMS/COSEM security suite 0, authenticated encryption: the glo- APDUs.

    service-specific  tag (C8 … CF)                       length  30  invocation counter (4)  ciphertext  tag (12)
    general           DB  08 system title (8)             length  30  invocation counter (4)  ciphertext  tag (12)

The two protect alike (the tag octet and the system title are outside the GCM input), so either can be put in the
other's frame without a key: we make the first, and open both. IV = system title || invocation counter; authenticated =
security control || authentication key. Source: IEC 62056-5-3 (DLMS UA Green Book, security suite 0). RECALLED; a test
holds the Green Book's example of a protected get-request, which agrees.
"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.content.length import read_length, write_length
from keybroker.content.xdlms import Service
from keybroker.errors import ContentMalformed

_SOURCE = "IEC 62056-5-3 glo-ciphered APDU, security suite 0"

SECURITY_CONTROL = b"\x30"
"""Authenticated and encrypted, suite 0, the unicast key, not compressed. Everything else is refused, broadcast
included.
"""

GENERAL = 0xDB
REQUESTS = {Service.GET: 0xC8, Service.SET: 0xC9, Service.ACTION: 0xCB}
RESPONSES = {0xCC: "glo-get-response", 0xCD: "glo-set-response", 0xCF: "glo-action-response", GENERAL: "general"}

COUNTER_OCTETS, TAG_OCTETS = 4, 12
LARGEST_COUNTER = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CipheredApdu:
    """``system_title`` is the originator's (8 octets), where the APDU names it."""

    frame: int
    system_title: bytes | None
    counter: int
    ciphertext: bytes
    tag: bytes


def initialisation_vector(system_title: bytes, counter: int) -> bytes:
    """12 octets: the originator's system title and the invocation counter."""
    return system_title + counter.to_bytes(COUNTER_OCTETS, "big")


def encode_request_apdu(service: Service, protected: bytes) -> bytes:
    """The service-specific APDU of a request; ``protected`` is counter, ciphertext and tag as the module made them."""
    content = SECURITY_CONTROL + protected
    return bytes([REQUESTS[service]]) + write_length(len(content)) + content


def encode_apdu(apdu: CipheredApdu) -> bytes:
    """The very octets that were decoded."""
    title = b"" if apdu.system_title is None else write_length(len(apdu.system_title)) + apdu.system_title
    content = SECURITY_CONTROL + apdu.counter.to_bytes(COUNTER_OCTETS, "big") + apdu.ciphertext + apdu.tag
    return bytes([apdu.frame]) + title + write_length(len(content)) + content


def decode_response_apdu(octets: bytes, start: int) -> CipheredApdu:
    """Read ``octets`` from ``start`` to the end as one protected response. Raises: ContentMalformed."""
    frame = octets[start] if start < len(octets) else -1
    if frame not in RESPONSES:
        found = "the end" if frame < 0 else f"0x{frame:02X}"
        raise _malformed(start, "glo-get-, -set- or -action-response, or general-glo-ciphering", found)
    at, title = start + 1, None
    if frame == GENERAL:
        length, at = read_length(octets, at, len(octets), source=_SOURCE)
        if length != 8:
            raise _malformed(start + 1, "a system title of 8 octets", str(length))
        title, at = octets[at : at + 8], at + 8
    length, content = read_length(octets, at, len(octets), source=_SOURCE)
    end = content + length
    if end != len(octets):
        raise _malformed(end, "nothing after the APDU", f"{len(octets) - end} octets")
    least = len(SECURITY_CONTROL) + COUNTER_OCTETS + 1 + TAG_OCTETS
    if length < least:
        raise _malformed(at, f"at least {least} octets", str(length))
    if octets[content : content + 1] != SECURITY_CONTROL:
        raise _malformed(content, "security control 0x30", f"0x{octets[content]:02X}")
    return CipheredApdu(
        frame=frame,
        system_title=title,
        counter=int.from_bytes(octets[content + 1 : content + 5], "big"),
        ciphertext=octets[content + 5 : end - TAG_OCTETS],
        tag=octets[end - TAG_OCTETS : end],
    )


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
