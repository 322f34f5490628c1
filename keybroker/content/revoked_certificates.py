"""Which certificates does an ARL or CRL list, since when and why?

Source: RFC 5280 sections 5.1.2.6 and 5.3. Each serial number once, positive, with at most a reason and an invalidity
date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from keybroker.content import object_identifier as oid
from keybroker.content.der import Element, read_unsigned
from keybroker.content.der_members import Members
from keybroker.content.x509_extensions import Extension, read_extension_list
from keybroker.content.x509_time import GENERALIZED_TIME, read_generalized_time, read_time
from keybroker.errors import ContentMalformed

_OF_ENTRY = frozenset({oid.CRL_REASON, oid.INVALIDITY_DATE})
_MOST_NUMBER_OCTETS = 20


class Reason(IntEnum):
    """Why (RFC 5280 section 5.3.1). removeFromCRL is left out: it stands in delta lists alone."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate:
    """One entry; ``offset`` is where it stands. Reason and invalidity date are None where they are not stated."""

    serial: int
    revoked_at: datetime
    reason: Reason | None
    invalid_since: datetime | None
    offset: int


def read_revoked(octets: bytes, listed: Element) -> tuple[RevokedCertificate, ...]:
    """All entries; there is at least one. Raises: ContentMalformed."""
    source = "RFC 5280 section 5.1.2.6"
    revoked: dict[int, RevokedCertificate] = {}
    for element in Members(octets, listed, source).take_rest(0x30, "a revoked certificate"):
        entry = _read_entry(octets, element)
        if entry.serial in revoked:
            raise _malformed(element, f"serial {entry.serial:x} once", "it again", source)
        revoked[entry.serial] = entry
    if not revoked:
        raise _malformed(listed, "no list of revoked certificates where there are none", "an empty one", source)
    return tuple(revoked.values())


def _read_entry(octets: bytes, element: Element) -> RevokedCertificate:
    parts = Members(octets, element, "RFC 5280 section 5.1")
    serial = read_number(octets, parts.take(0x02, "a serial number"), "a positive serial number", least=1)
    revoked_at = read_time(octets, parts.take_any("a revocation date"))
    stated = parts.take_if(0x30)
    parts.expect_end()
    expected = "no extension but reason and invalidityDate"
    found = {} if stated is None else read_known_extensions(octets, stated, _OF_ENTRY, expected)
    reason, invalid_since = found.get(oid.CRL_REASON), found.get(oid.INVALIDITY_DATE)
    return RevokedCertificate(
        serial=serial,
        revoked_at=revoked_at,
        reason=_read_reason(octets, reason) if reason else None,
        invalid_since=_read_invalidity(octets, invalid_since) if invalid_since else None,
        offset=element.offset,
    )


def read_known_extensions(
    octets: bytes, element: Element, known: frozenset[str], expected: str
) -> dict[str, Extension]:
    """Those of a list or an entry by their OID: all ``known``, none critical. Raises: ContentMalformed."""
    found = {each.oid: each for each in read_extension_list(octets, element)}
    for each in found.values():
        if each.oid not in known or each.critical:
            told = f"{each.oid}, critical" if each.critical else each.oid
            raise ContentMalformed(offset=each.offset, expected=expected, found=told, source="RFC 5280 section 5.2")
    return found


def read_value(octets: bytes, extension: Extension, tag: int, expected: str) -> Element:
    """The one element of this tag that an extension holds. Raises: ContentMalformed."""
    source = "RFC 5280 section 5.2"
    end = extension.offset + len(extension.value)
    element = Members.of_element(octets, extension.offset, end, expected, source)
    if element.tag != tag:
        raise _malformed(element, expected, f"tag 0x{element.tag:02X}", source)
    return element


def read_number(octets: bytes, element: Element, expected: str, *, least: int) -> int:
    """A serial number or CRLNumber, at most 20 octets. Raises: ContentMalformed."""
    number = read_unsigned(octets, element)
    if number < least or element.end - element.content > _MOST_NUMBER_OCTETS:
        raise _malformed(element, f"{expected} of at most 20 octets", f"{number:x}", "RFC 5280 section 5.2.3")
    return number


def _read_reason(octets: bytes, extension: Extension) -> Reason:
    element = read_value(octets, extension, 0x0A, "a CRLReason")
    number = int.from_bytes(octets[element.content : element.end], "big")
    try:
        return Reason(number)
    except ValueError as error:
        raise _malformed(element, "a reason for a full list", str(number), "RFC 5280 section 5.3.1") from error


def _read_invalidity(octets: bytes, extension: Extension) -> datetime:
    """GeneralizedTime whatever the year (RFC 5280 section 5.3.2): not the form of the other moments."""
    element = read_value(octets, extension, GENERALIZED_TIME, "an invalidity date in GeneralizedTime")
    return read_generalized_time(octets, element)


def _malformed(element: Element, expected: str, found: str, source: str) -> ContentMalformed:
    return ContentMalformed(offset=element.content, expected=expected, found=found, source=source)
