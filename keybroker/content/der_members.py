"""What stands inside a constructed DER element, member by member? Each is taken in its order, and none is left over.

For octets that ``der.check_der`` has passed; here it is said which tags are expected where.
"""

from __future__ import annotations

from typing import Self

from keybroker.content.der import Element, check_der, read_members
from keybroker.content.length import read_length
from keybroker.errors import ContentMalformed


class Members:
    """The members of one element, taken from first to last; ``source`` is who says what they are.

    Every method that takes raises ContentMalformed, at the octet that is to blame.
    """

    __slots__ = ("_end", "_members", "_octets", "_position", "_source")

    def __init__(self, octets: bytes, element: Element, source: str) -> None:
        self._octets = octets
        self._members = read_members(octets, element.offset, element.end)
        self._position = 0
        self._end = element.end
        self._source = source

    @classmethod
    def of_whole(
        cls, octets: bytes, expected: str, source: str, *, start: int = 0, end: int | None = None, tag: int = 0x30
    ) -> Self:
        """Those of ``octets[start:end]``, which is one such element in DER, to its innermost part."""
        end = len(octets) if end is None else end
        if start >= end or octets[start] != tag:
            found = "the end" if start >= end else f"tag 0x{octets[start]:02X}"
            raise ContentMalformed(offset=start, expected=expected, found=found, source=source)
        return cls(octets, cls.of_element(octets, start, end, expected, source), source)

    @staticmethod
    def of_element(octets: bytes, start: int, end: int, expected: str, source: str) -> Element:
        """``octets[start:end]`` as the one element, of whatever tag, that it is."""
        if start >= end:
            raise ContentMalformed(offset=start, expected=expected, found="nothing", source=source)
        check_der(octets, start, end)
        _, content = read_length(octets, start + 1, end, source=source, most=3)
        return Element(octets[start], start, content, end)

    def take(self, tag: int, expected: str) -> Element:
        """The next member, which has this tag."""
        element = self.take_if(tag)
        if element is None:
            raise self._malformed(expected)
        return element

    def take_any(self, expected: str) -> Element:
        """The next member, whatever its tag."""
        if self._position == len(self._members):
            raise self._malformed(expected)
        self._position += 1
        return self._members[self._position - 1]

    def take_if(self, tag: int) -> Element | None:
        """The next member where it has this tag; None where another, or none, stands there."""
        if self._position == len(self._members) or self._members[self._position].tag != tag:
            return None
        self._position += 1
        return self._members[self._position - 1]

    def take_rest(self, tag: int, expected: str) -> list[Element]:
        """All that are left, each of this tag."""
        rest = []
        while self._position < len(self._members):
            rest.append(self.take(tag, expected))
        return rest

    def inside(self, element: Element) -> Members:
        """The members of a member."""
        return Members(self._octets, element, self._source)

    def expect_end(self) -> None:
        """Nothing is left over."""
        if self._position != len(self._members):
            raise self._malformed("no further member")

    def _malformed(self, expected: str) -> ContentMalformed:
        if self._position == len(self._members):
            return ContentMalformed(offset=self._end, expected=expected, found="the end", source=self._source)
        element = self._members[self._position]
        return ContentMalformed(
            offset=element.offset, expected=expected, found=f"tag 0x{element.tag:02X}", source=self._source
        )
