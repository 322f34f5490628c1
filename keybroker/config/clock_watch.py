"""Who watches the clock? Holds the last reading of each time server, and says how the clock stands to whoever asks.

SEC G2.46, G2.47. ``config/clock_judging.py`` judges. Readings are brought by a reader (``server/clock_reading.py``)
or, where a command runs for a moment, by ``ask``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import final

from keybroker.clause import clause
from keybroker.config.clock_judging import (
    Compared,
    Doubt,
    Judgement,
    Seen,
    judge,
    largest_step,
    offset_now,
    why_unsaid,
)
from keybroker.config.clocks import Clocks, running_seconds
from keybroker.config.file import ConfigurationFile, TimeTable, host_of, port_of
from keybroker.config.time_source import NoReading, Reading, read_offset
from keybroker.gates.model import ClockStand

__all__ = ["ClockWatch", "Compared", "Doubt", "Judgement", "Server", "ask", "watch_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Which clock is compared, where it is asked, and how many seconds its answer may take."""

    compared: Compared
    host: str
    port: int
    timeout: float


@final
class ClockWatch:
    """Any thread may tell and ask. ``table`` None: the clock is compared with nothing, and only steps are noticed; a
    test deployment's. ``stands_still``: the clock is ``deployment.fixed_clock``."""

    def __init__(self, table: TimeTable | None, clocks: Clocks, *, stands_still: bool = False) -> None:
        self.table = table
        self.clocks = clocks
        self._stands_still = stands_still
        self._begun = clocks.now()
        self._lock = threading.Lock()
        self._readings: dict[Compared, Reading] = {}
        self._missed: dict[Compared, str] = {}

    @property
    def servers(self) -> tuple[Server, ...]:
        """Whom to ask. The source first."""
        if self.table is None:
            return ()
        places = ((Compared.SOURCE, self.table.source), (Compared.NETWORK_TIME, self.table.network_time))
        return tuple(
            Server(compared=compared, host=host_of(place), port=port_of(place), timeout=self.table.timeout_seconds)
            for compared, place in places
            if place is not None
        )

    # ---- told by whoever reads

    def take(self, compared: Compared, reading: Reading) -> None:
        """A new reading takes the place of the last one, where it says anything."""
        unsaid = why_unsaid(reading, largest_step(self.table))
        if unsaid:
            self.miss(compared, unsaid)
            return
        with self._lock:
            self._readings[compared] = reading
            self._missed.pop(compared, None)

    def miss(self, compared: Compared, why: str) -> None:
        """There was no reading; the last one stands until it is too old."""
        with self._lock:
            self._missed[compared] = why

    # ---- asked

    @clause("G2.46", "G2.47")
    def stand(self, at: datetime) -> ClockStand:
        """What the gates look at. ``at`` is the moment by which they judge, read of the same clock a while ago."""
        return self.judge(at).stand

    def judge(self, at: datetime) -> Judgement:
        """All of it: ``stand``, and which kind of doubt an operator is told of."""
        if self._stands_still:
            return Judgement(doubt=None, stand=ClockStand(why_not="", told="stands still (test deployment)"))
        with self._lock:
            # The clocks after the readings, or a reading might come from the future.
            readings, missed = dict(self._readings), dict(self._missed)
        seen = Seen(begun=self._begun, now=self.clocks.now(), readings=readings, missed=missed)
        return judge(self.table, seen, at)

    def offsets(self) -> Mapping[Compared, float]:
        """In seconds: what must be added to our clock as it stands now, by the last reading of each server."""
        with self._lock:
            readings = dict(self._readings)
        now = self.clocks.now()
        return {compared: offset_now(reading, now) for compared, reading in readings.items()}


def ask(watch: ClockWatch, server: Server) -> str:
    """Ask one of the watch's servers and tell the watch. Waits for the answer, up to ``server.timeout``.

    Answers the code by which the server asks to be left alone (RFC 5905 section 7.4), empty where it does not.
    """
    try:
        reading = read_offset(server.host, server.port, timeout=server.timeout, clocks=watch.clocks)
    except NoReading as refused:
        watch.miss(server.compared, refused.why)
        return refused.kiss
    watch.take(server.compared, reading)
    return ""


def watch_of(file: ConfigurationFile, now: Callable[[], datetime]) -> ClockWatch:
    """``now`` is the broker's clock (``config.Clock.now``); the other one is the machine's."""
    clocks = Clocks(wall=now, running=running_seconds)
    return ClockWatch(file.time, clocks, stands_still=file.deployment.fixed_clock is not None)
