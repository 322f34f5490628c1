"""What does a time server's answer say? SNTP version 4 (RFC 4330, RFC 5905): octets in, Answer out, or NoReading.

Our question holds 64 random bits where a client may put its time (its Transmit Timestamp): the answer gives them back,
and who did not see the question cannot guess them. Nothing here opens a socket or reads a clock.

    0  leap indicator (2 bits), version (3), mode (3)     1  stratum     2  poll     3  precision
    4  root delay     8  root dispersion     12  reference identifier     16  reference timestamp
    24 originate timestamp     32  receive timestamp     40  transmit timestamp
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

OCTETS = 48
LARGEST_ROOT_DISTANCE_SECONDS = 1.0
"""RFC 5905 section 7.2, MAXDIST, less what the way to us adds: a server that is surer of nothing says nothing."""

_VERSION, _CLIENT, _SERVER = 4, 3, 4
_UNSYNCHRONISED, _KISS, _LAST_STRATUM = 3, 0, 15
_FORM = struct.Struct("!BBbbIIIQQQQ")
_PRIME_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_ERA = 1 << 64
_SECOND = 1 << 32
_HELD_SECONDS = 0.01
"""By how much a server's clock, which is set while it runs, may say that it held our question longer than we waited."""


class NoReading(Exception):
    """The sentence says why there is none. ``kiss``: the server asks to be left alone (RFC 5905 section 7.4), by its
    four-letter code; ``foreign``: it is no answer to our question, and the true one may still come."""

    def __init__(self, why: str, *, kiss: str = "", foreign: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.kiss = kiss
        self.foreign = foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """In seconds. ``offset``: what must be added to our clock; ``round_trip``: the way there and back, without the
    server's own time; ``root_distance``: by how much the server itself may be wrong."""

    offset: float
    round_trip: float
    root_distance: float


def question(nonce: bytes) -> bytes:
    """A client's packet: version and mode, and ``nonce`` (8 octets, not all zero) as its Transmit Timestamp."""
    (transmit,) = struct.unpack("!Q", nonce)
    return _FORM.pack(_VERSION << 3 | _CLIENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, transmit)


def read_answer(octets: bytes, *, nonce: bytes, sent: datetime, waited: float) -> Answer:
    """``sent``: our wall clock when the question ``nonce`` went out; ``waited``: seconds until this answer came.

    Raises: NoReading.
    """
    # 1. Is it an answer to this question?
    if len(octets) != OCTETS:
        raise NoReading(f"an answer of {len(octets)} octets, expected {OCTETS}", foreign=True)
    first, stratum, _, _, delay, dispersion, reference, _, originate, receive, transmit = _FORM.unpack(octets)
    if struct.pack("!Q", originate) != nonce:
        raise NoReading("an answer to a question that was not asked (originate timestamp)", foreign=True)
    if (first & 7, first >> 3 & 7) != (_SERVER, _VERSION):
        raise NoReading(f"mode {first & 7} of version {first >> 3 & 7}, expected {_SERVER} of {_VERSION}", foreign=True)
    # 2. Does the server know the time?
    if stratum == _KISS:
        kiss = _kiss(reference)
        raise NoReading(f"the server asks to be left alone ({kiss})", kiss=kiss)
    if stratum > _LAST_STRATUM or first >> 6 == _UNSYNCHRONISED:
        raise NoReading(f"the server has no time itself (stratum {stratum}, leap indicator {first >> 6})")
    distance = (delay / 2 + dispersion) / (1 << 16)
    if distance > LARGEST_ROOT_DISTANCE_SECONDS:
        raise NoReading(f"the server may be wrong by {distance:.3f} s, expected at most 1 s")
    # 3. What does it say?
    return _answer(sent, receive, transmit, waited=waited, root_distance=distance)


def _answer(sent: datetime, receive: int, transmit: int, *, waited: float, root_distance: float) -> Answer:
    """RFC 5905 section 8: offset is half of (T2 - T1) + (T3 - T4), round trip (T4 - T1) - (T3 - T2)."""
    if not receive or not transmit:
        raise NoReading("an answer without a time (receive or transmit timestamp 0)")
    held = _apart(receive, transmit) / _SECOND
    if not 0 <= held <= waited + _HELD_SECONDS:
        raise NoReading(f"the server says that it held our question for {held:.3f} s, we waited {waited:.3f} s")
    there = _apart(timestamp(sent), receive) / _SECOND
    round_trip = max(waited - held, 0.0)
    return Answer(offset=there - round_trip / 2, round_trip=round_trip, root_distance=root_distance)


def timestamp(at: datetime) -> int:
    """RFC 5905 section 6: seconds since 1900 in 32 bits, fractions in 32; it begins anew every 136 years (2036)."""
    microseconds = (at - _PRIME_EPOCH) // timedelta(microseconds=1)
    return (microseconds << 32) // 1_000_000 % _ERA


def _apart(earlier: int, later: int) -> int:
    """From one timestamp to another on the shorter way round, so that the year 2036 is no edge; below 0 backwards."""
    return (later - earlier + _ERA // 2) % _ERA - _ERA // 2


def _kiss(reference: int) -> str:
    """Four ASCII letters; what is none of that is shown as hex."""
    octets = struct.pack("!I", reference)
    return octets.decode("ascii") if octets.isalpha() else octets.hex()
