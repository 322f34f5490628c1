"""How are our CMS documents written and read? DER by a few lines, so that each has exactly one spelling. Pure.

A reader takes out of a document what varies, writes the whole anew from that, and compares: whatever differs by one
octet from what we would write is refused (RFC 5652; X.690 §10, §11). Signed documents are ``signed_data.py``, sealed
ones ``enveloped_data.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from keybroker.content.der_members import Members
from keybroker.content.length import write_length
from keybroker.errors import CmsUnfit, ContentMalformed

INTEGER, OCTET_STRING, NULL, OID, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
CONTEXT_0, CONTEXT_1, CONTEXT_4, CONTEXT_0_PRIMITIVE = 0xA0, 0xA1, 0xA4, 0x80
_SOURCE = "RFC 5652"
_Read = TypeVar("_Read")


def element(tag: int, *contents: bytes) -> bytes:
    """One DER element of a tag of one octet."""
    content = b"".join(contents)
    return bytes([tag]) + write_length(len(content)) + content


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER; an arc may be as long as a UUID's number (X.667 §7)."""
    first, second, *arcs = map(int, dotted.split("."))
    return element(OID, *map(_base_128, (40 * first + second, *arcs)))


def _base_128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))


SHA256 = oid("2.16.840.1.101.3.4.2.1")
DATA = oid("1.2.840.113549.1.7.1")


def content_info(content_type: bytes, content: bytes) -> bytes:
    """ContentInfo (RFC 5652 §3)."""
    return element(SEQUENCE, content_type, element(CONTEXT_0, content))


def issuer_and_serial(certificate: bytes) -> tuple[bytes, bytes]:
    """Name and CertificateSerialNumber (RFC 5652 §10.2.4) in the certificate's own octets. Raises: CmsUnfit."""

    def read() -> tuple[bytes, bytes]:
        whole = whole_of(certificate)
        tbs = whole.inside(whole.take(SEQUENCE, "what was signed"))
        tbs.take(CONTEXT_0, "version 3")
        serial = tbs.take(INTEGER, "a serial number")
        tbs.take(SEQUENCE, "an algorithm")
        issuer = tbs.take(SEQUENCE, "an issuer")
        return certificate[issuer.offset : issuer.end], certificate[serial.offset : serial.end]

    return reading(read, "a certificate in DER")


def whole_of(der: bytes) -> Members:
    """The members of the one SEQUENCE that these octets are. Raises: ContentMalformed."""
    return Members.of_whole(der, "one SEQUENCE", _SOURCE)


def content_of(der: bytes) -> Members:
    """The members of what stands in a ContentInfo, whatever its type. Raises: ContentMalformed."""
    whole = whole_of(der)
    whole.take(OID, "a content type")
    inside = whole.inside(whole.take(CONTEXT_0, "a content"))
    return inside.inside(inside.take(SEQUENCE, "the content"))


def reading(read: Callable[[], _Read], what: str) -> _Read:
    """What ``read`` gives. Raises: CmsUnfit for octets that are not ``what``."""
    try:
        return read()
    except ContentMalformed as error:
        raise unfit(what, f"otherwise {error.sentence}") from error


def unfit(expected: str, found: str) -> CmsUnfit:
    return CmsUnfit(f"expected {expected}, found {found}")
