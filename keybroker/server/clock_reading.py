"""Who asks the time servers, and who is told? Every so often, on a thread beside the line; log and metrics on a change.

A worker reads for itself: each has a watch of its own (``config/clock_watch.py``), and none relies on another.
"""

from __future__ import annotations

import asyncio
from typing import final

from keybroker.config.clock_watch import ClockWatch, Compared, Doubt, Server, ask
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics

_MOST_PATIENT = 16
"""A server that asks to be left alone is asked half as often, again and again, down to this part (RFC 5905 7.4)."""


@final
class ClockReading:
    """Runs on the event loop; only the waiting for answers is on other threads."""

    def __init__(self, watch: ClockWatch, metrics: Metrics, log: Logger) -> None:
        self._watch = watch
        self._metrics = metrics
        self._log = log
        self._doubt: Doubt | None = None
        self._pauses: dict[Compared, int] = {}
        self._rounds: dict[Compared, int] = {}

    @property
    def every_seconds(self) -> float | None:
        """How often to ``read``; None where there is nobody to ask."""
        return None if self._watch.table is None else self._watch.table.read_every_seconds

    async def read(self) -> None:
        """One reading of every server whose turn it is, all at once; then ``look``. Raises nothing."""
        await asyncio.gather(*(self._read(server) for server in self._watch.servers if self._has_its_turn(server)))
        self.look()

    def look(self) -> None:
        """How the clock stands now: metrics always, the log where it changed. Asks nobody, so it may be often."""
        judged = self._watch.judge(self._watch.clocks.wall())
        offsets = {compared.value: offset for compared, offset in self._watch.offsets().items()}
        self._metrics.clock(reliable=judged.doubt is None, offsets=offsets)
        if judged.doubt is self._doubt:
            return
        self._doubt = judged.doubt
        match judged.doubt:
            case None:
                self._log.info("clock agrees with its source", told=judged.stand.told)
            case Doubt.DIFFERS:
                self._log.error("clock differs from its source", why=judged.stand.why_not, clause="G2.47")
            case Doubt.NOT_COMPARED:
                self._log.error("clock not compared", why=judged.stand.why_not, clause="G2.47")

    async def _read(self, server: Server) -> None:
        kiss = await asyncio.to_thread(ask, self._watch, server)
        pause = min(2 * self._pauses.get(server.compared, 1), _MOST_PATIENT) if kiss else 1
        self._pauses[server.compared] = self._rounds[server.compared] = pause

    def _has_its_turn(self, server: Server) -> bool:
        """Every round; where a server asked to be left alone, every second, fourth, … round."""
        left = self._rounds.get(server.compared, 1) - 1
        self._rounds[server.compared] = left
        return left <= 0
