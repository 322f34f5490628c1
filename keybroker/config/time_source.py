"""By how much does our clock differ from a time server's? One question over UDP, and the wait for its answer.

NTP without authentication: whoever sits on the way can answer in the server's place, and so shut the gates, or hide
that the clock is wrong. A reading sets no clock. Which way the question takes is the operator's to choose
(docs/operations/time.md).
"""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass

from keybroker.config.clocks import Clocks, Instant
from keybroker.config.sntp import Answer, NoReading, question, read_answer

__all__ = ["NoReading", "Reading", "read_offset"]

_MOST_ADDRESSES = 4
_LONGEST_DATAGRAM = 512
_Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one server said at one instant, in seconds. ``offset_seconds``: above 0, our clock is behind.

    ``at``: both our clocks when the question was sent.
    """

    offset_seconds: float
    round_trip_seconds: float
    root_distance_seconds: float
    at: Instant

    @property
    def margin_seconds(self) -> float:
        """By how much ``offset_seconds`` may be wrong, either way: half of the round trip (the answer may have taken
        all of it), and what the server says of itself."""
        return self.round_trip_seconds / 2 + self.root_distance_seconds


def read_offset(host: str, port: int, *, timeout: float, clocks: Clocks) -> Reading:
    """Ask each address of ``host`` until one answers; ``timeout`` is for all of them, the look-up of the name apart.

    Raises: NoReading.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[:_MOST_ADDRESSES]
    except (OSError, UnicodeError) as error:
        raise NoReading(f"{host} has no address") from error
    until = time.monotonic() + timeout
    last = NoReading(f"{host} has no address")
    for left, (family, _, _, _, place) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return _ask(family, place, share=(until - time.monotonic()) / left, clocks=clocks)
        except OSError as error:
            last = NoReading(f"{host} cannot be asked: {error.strerror or 'no answer'}")
        except NoReading as refused:
            if refused.kiss:
                raise
            last = refused
    raise last


def _ask(family: int, place: _Place, *, share: float, clocks: Clocks) -> Reading:
    """One server, ``share`` seconds. Raises: NoReading, OSError."""
    nonce = secrets.token_bytes(8)
    with socket.socket(family, socket.SOCK_DGRAM) as end:
        # A connected socket takes what comes from the place that it asked, and from nowhere else.
        end.connect(place)
        at = clocks.now()
        end.send(question(nonce))
        answer = _hear(end, nonce, at, share=share, clocks=clocks)
    return Reading(
        offset_seconds=answer.offset,
        round_trip_seconds=answer.round_trip,
        root_distance_seconds=answer.root_distance,
        at=at,
    )


def _hear(end: socket.socket, nonce: bytes, at: Instant, *, share: float, clocks: Clocks) -> Answer:
    """Until an answer to our question comes: what is none may be somebody's guess, and is left lying."""
    until = time.monotonic() + share
    why = NoReading("no answer in time")
    while (left := until - time.monotonic()) > 0:
        end.settimeout(left)
        try:
            octets = end.recv(_LONGEST_DATAGRAM)
        except TimeoutError:
            break
        waited = max(clocks.running() - at.running, 0.0)
        try:
            return read_answer(octets, nonce=nonce, sent=at.wall, waited=waited)
        except NoReading as refused:
            if not refused.foreign:
                raise
            why = refused
    raise why
