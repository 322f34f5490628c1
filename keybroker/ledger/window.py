"""How many fell within a period? Counts by buckets of a sixtieth of the period; pure.

A bucket counts while any of it may lie within the last period, and as long as it lies in the future: so in no period
are there more than were counted, and a clock that was stepped back counts more, never less. Moments are whole seconds
since 1970, rounded down.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from keybroker.clause import clause

PARTS = 60
"""Into how many buckets a period is divided."""

MOST_BUCKETS = 2 * PARTS + 8
"""Kept of one name: more than a period holds, so that what went before is known where a clock was ahead for a while."""

LARGEST = 2**32 - 1
"""In a bucket; more than any threshold may be."""

_LENGTH, _BUCKET = struct.Struct(">I"), struct.Struct(">QI")


@dataclass(frozen=True, slots=True)
class Window:
    """``counts`` by the number of the bucket, in ascending order; bucket n holds n * length to (n + 1) * length - 1.

    ``length`` is in seconds.
    """

    length: int
    counts: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_octets(cls, octets: bytes) -> Window:
        """What ``to_octets`` gave. Raises: ValueError for what it never gives."""
        if len(octets) < _LENGTH.size or (len(octets) - _LENGTH.size) % _BUCKET.size:
            raise ValueError("a count is a length and buckets of 12 octets each")
        (length,) = _LENGTH.unpack_from(octets)
        counts = tuple((number, count) for number, count in _BUCKET.iter_unpack(octets[_LENGTH.size :]))
        if not length or any(low >= high for (low, _), (high, _) in pairwise(counts)):
            raise ValueError("buckets have a length, and ascend")
        return cls(length, counts)

    def to_octets(self) -> bytes:
        """4 octets of length, then number (8) and count (4) of each bucket, big-endian."""
        return _LENGTH.pack(self.length) + b"".join(_BUCKET.pack(*bucket) for bucket in self.counts)

    @clause("G6.3(a)", "G6.6(a)", "G6.6(c)")
    def within(self, period: int, at: int) -> int:
        """How many in the last ``period`` seconds, or later than now."""
        first = (at - period) // self.length
        return sum(count for number, count in self.counts if number >= first)

    def with_more(self, at: int, more: int = 1) -> Window:
        """The same and ``more`` now."""
        counts = dict(self.counts)
        number = at // self.length
        if number not in counts and len(counts) >= MOST_BUCKETS:
            oldest = self.counts[0][0]
            if number > oldest:
                del counts[oldest]
            # A clock far behind: in a later bucket it counts for longer, never for less.
            number = max(number, oldest)
        counts[number] = min(counts.get(number, 0) + more, LARGEST)
        return Window(self.length, tuple(sorted(counts.items())))

    def for_period(self, period: int) -> Window:
        """The same in buckets for another period: each by its last second, where it counts for longer."""
        length = bucket_length(period)
        if length == self.length:
            return self
        counts: dict[int, int] = {}
        for number, count in self.counts:
            moved = ((number + 1) * self.length - 1) // length
            counts[moved] = min(counts.get(moved, 0) + count, LARGEST)
        return Window(length, tuple(sorted(counts.items())))


def bucket_length(period: int) -> int:
    """Seconds in a bucket of this period."""
    return -(-period // PARTS)


def no_window(period: int) -> Window:
    """Nothing was counted yet."""
    return Window(bucket_length(period))
