"""Does the ledger still speak? A broker shows its last checkpoint again while nothing is recorded."""

from __future__ import annotations

import threading
from typing import final

from keybroker.witness.cosigning import Log
from keybroker.witness.metrics import WitnessMetrics


@final
class Silence:
    """``watch`` runs on a thread of its own. The seconds are those of Event.wait: nobody can set them."""

    def __init__(self, cosigned: threading.Event, *, silence_seconds: float, metrics: WitnessMetrics, log: Log) -> None:
        self._cosigned = cosigned
        self._seconds = silence_seconds
        self._metrics = metrics
        self._log = log
        self._silent = False

    def watch(self) -> None:
        """Until the process ends. It counts from the start, too: a ledger that never comes is silent."""
        while True:
            self.look()

    def look(self) -> None:
        """Waits for the next cosignature, ``silence_seconds`` at most."""
        heard = self._cosigned.wait(self._seconds)
        self._cosigned.clear()
        if heard and self._silent:
            self._log.info("ledger speaks again")
        elif not heard:
            # Once at its beginning and again each time as long: a shout that nobody heard is lost.
            self._log.error("LEDGER SILENT", seconds=self._seconds)
        self._silent = not heard
        self._metrics.silent.set(self._silent)
