"""TLS presentation language (RFC 8446 section 3, RFC 5246 section 4): numbers and vectors, in order, within bounds."""

from __future__ import annotations

from keybroker.errors import ContentMalformed


class Reader:
    """Reads ``octets[at:end]`` from the front. Every method raises ContentMalformed."""

    def __init__(self, octets: bytes, start: int, end: int, source: str) -> None:
        self._octets = octets
        self.at = start
        self.end = end
        self._source = source

    @property
    def at_end(self) -> bool:
        return self.at == self.end

    def octets(self, count: int, told: str) -> bytes:
        """The next ``count`` octets."""
        start, end = self.at, self.at + count
        if end > self.end:
            raise self._malformed(self.end, f"{told}, {count} octets from offset {start}", "the end")
        self.at = end
        return self._octets[start:end]

    def number(self, count: int, told: str) -> int:
        """An unsigned integer of ``count`` octets."""
        return int.from_bytes(self.octets(count, told), "big")

    def vector(self, length_octets: int, told: str, *, least: int = 0, most: int = 2**24, multiple: int = 1) -> Reader:
        """What stands after a length of so many octets, as a reader of its own."""
        at = self.at
        length = self.number(length_octets, f"the length of {told}")
        if length < least or length > most or length % multiple:
            raise self._malformed(at, told, f"a length of {length}")
        start = self.at
        self.octets(length, told)
        return Reader(self._octets, start, self.at, self._source)

    def take_rest(self, *, least: int = 0, told: str = "") -> bytes:
        """Everything up to the end."""
        return self.octets(max(self.end - self.at, least), told)

    def expect_end(self) -> None:
        if not self.at_end:
            raise self._malformed(self.at, "nothing more", f"{self.end - self.at} octets")

    def _malformed(self, offset: int, expected: str, found: str) -> ContentMalformed:
        return ContentMalformed(offset=offset, expected=expected, found=found, source=self._source)
