"""Which OBJECT IDENTIFIER is this? Its dotted form, and those that X.509 names here by it.

Source: X.690 section 8.19; RFC 5280 appendix A; RFC 5480; RFC 2985 section 5.4.2.
"""

from __future__ import annotations

from keybroker.content.der import Element
from keybroker.errors import ContentMalformed

COMMON_NAME = "2.5.4.3"
ORGANIZATIONAL_UNIT_NAME = "2.5.4.11"
X500_UNIQUE_IDENTIFIER = "2.5.4.45"

SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
BASIC_CONSTRAINTS = "2.5.29.19"
CERTIFICATE_POLICIES = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
CRL_NUMBER = "2.5.29.20"
CRL_REASON = "2.5.29.21"
INVALIDITY_DATE = "2.5.29.24"

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


def read_object_identifier(octets: bytes, element: Element) -> str:
    """The dotted form. Raises: ContentMalformed for numbers in more octets than they need, or unfinished ones."""
    content = octets[element.content : element.end]
    if not content or content[-1] & 0x80:
        raise _malformed(element, "an OBJECT IDENTIFIER that is not empty and comes to an end")
    numbers, number, begins = [], 0, True
    for octet in content:
        if begins and octet == 0x80:
            raise _malformed(element, "an OBJECT IDENTIFIER in the fewest octets")
        number = number << 7 | octet & 0x7F
        begins = not octet & 0x80
        if begins:
            numbers.append(number)
            number = 0
    # The first two arcs share one number: 40 times the first, which is 0, 1 or 2, plus the second.
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _malformed(element: Element, expected: str) -> ContentMalformed:
    return ContentMalformed(offset=element.content, expected=expected, found="another", source="X.690 section 8.19")
