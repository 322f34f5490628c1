"""Who carries the messages on Anomalous Events? A thread of the watch: in order, again and again until each is taken.

After a failure it rests, twice as long each time, up to what the configuration says: an end that is down is not run
down, and nothing else waits.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import final

from keybroker.config.clock import Clock
from keybroker.errors import KeybrokerError
from keybroker.ledger.following import body_at
from keybroker.ledger.message_queue import Message, failed, first_due, taken
from keybroker.ledger.store import Ledger
from keybroker.server.logging import Logger
from keybroker.server.watch_metrics import WatchMetrics
from keybroker.server.webhook import NotTaken, Webhook

_IDLE_SECONDS = 1.0


@final
class Courier:
    """Runs while it is entered."""

    def __init__(self, ledger: Ledger, webhook: Webhook, clock: Clock, metrics: WatchMetrics, log: Logger) -> None:
        self._ledger = ledger
        self._webhook = webhook
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def works(self) -> bool:
        """Its thread is there: what nobody foresaw may have ended it."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """A try that is under way is waited for as long as one lasts; what it came to may be found out again."""
        self._stop.set()
        self._thread.join(self._webhook.table.timeout_seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._pause()):
            try:
                self._carry_what_is_due()
            except KeybrokerError as fault:
                # The ledger's own state is told elsewhere; the queue stays as it is.
                self._failures += 1
                self._log.warning("messages not looked at", reason=fault.reason, why=fault.sentence)

    def _carry_what_is_due(self) -> None:
        while not self._stop.is_set():
            message = first_due(self._ledger, self._clock.now())
            if message is None or not self._carry(message):
                return

    def _carry(self, message: Message) -> bool:
        """Was it taken?"""
        at = self._clock.now()
        try:
            self._webhook.send(message.event, body_at(self._ledger, message.event), at)
        except NotTaken as why:
            self._failures += 1
            next_at = self._clock.now() + timedelta(seconds=self._pause())
            failed(self._ledger, message.event, str(why), next_at)
            self._metrics.message(taken=False)
            self._log.warning("message not taken", event_record=message.event, tries=message.tries + 1, why=str(why))
            return False
        self._failures = 0
        taken(self._ledger, message.event, self._clock.now())
        self._metrics.message(taken=True)
        return True

    def _pause(self) -> float:
        longest: float = self._webhook.table.longest_pause_seconds
        pause: float = _IDLE_SECONDS * 2 ** min(self._failures, 32)
        return min(pause, longest)
