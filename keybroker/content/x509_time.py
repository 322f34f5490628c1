"""When is that? UTCTime through 2049, GeneralizedTime from 2050, both to the second and in UTC.

Source: RFC 5280 section 4.1.2.5. A moment has one form, and the other is refused: what was read re-encodes to itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

from keybroker.content.der import Element
from keybroker.errors import ContentMalformed

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_SOURCE = "RFC 5280 section 4.1.2.5"
_FIRST_GENERALIZED = 2050
_FIRST_UTC = 1950


def read_time(octets: bytes, element: Element) -> datetime:
    """An aware moment. ``element`` has passed ``der.check_der``. Raises: ContentMalformed."""
    text = octets[element.content : element.end].decode("ascii", "replace")
    if element.tag == UTC_TIME:
        # RFC 5280 section 4.1.2.5.1: YY from 50 is 19YY, below it is 20YY.
        return _moment(element, ("19" if text[:2] >= "50" else "20") + text)
    if element.tag != GENERALIZED_TIME:
        raise _malformed(element, "UTCTime or GeneralizedTime", f"tag 0x{element.tag:02X}")
    moment = _moment(element, text)
    if _FIRST_UTC <= moment.year < _FIRST_GENERALIZED:
        raise _malformed(element, "UTCTime for a year from 1950 through 2049", f"GeneralizedTime {text}")
    return moment


def read_generalized_time(octets: bytes, element: Element) -> datetime:
    """GeneralizedTime whatever the year, where a type knows no other (section 5.3.2). Raises: ContentMalformed."""
    return _moment(element, octets[element.content : element.end].decode("ascii", "replace"))


def _moment(element: Element, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _malformed(element, "a moment of the calendar, to the second", text) from error


def _malformed(element: Element, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=element.content, expected=expected, found=found, source=_SOURCE)
