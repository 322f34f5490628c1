"""Who watches the ledger while the broker serves? ``python -m keybroker.server.watcher``, one beside the workers.

It follows the ledger by reading, writes what it finds, tells metrics, the log and whoever is sent messages. It has no
PIN and no token, answers no request, and nobody waits for it. Started by the supervisor alone, and again when it dies.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import final

from prometheus_client import CollectorRegistry

from keybroker.config import Configuration, build_ledger, read_accepted_configuration
from keybroker.config.anomalies_table import AnomaliesTable
from keybroker.errors import BrokerStopping, ConfigurationInvalid, KeybrokerError, LedgerUnavailable, OutcomeUnknown
from keybroker.ledger.journal import Journal
from keybroker.ledger.message_queue import undelivered
from keybroker.ledger.reviews import last_review
from keybroker.ledger.watching import AnotherWatches, Event, Watch
from keybroker.server.control import Control
from keybroker.server.courier import Courier
from keybroker.server.exit_status import ExitStatus, exit_status
from keybroker.server.logging import Logger, configure_logging
from keybroker.server.watch_metrics import WatchMetrics
from keybroker.server.webhook import Webhook, webhook_of

NAME = "watch"
"""By whose pen events are recorded."""
_MUCH = 1000
_NICE = 10
"""Behind whoever signs, on a processor too."""


@final
class Watcher:
    """Begins, looks every so often, and ends when it is told to or the supervisor is gone."""

    def __init__(self, configuration: Configuration, table: AnomaliesTable, journal: Journal, log: Logger) -> None:
        self._configuration = configuration
        self._table = table
        self._journal = journal
        self._log = log
        self._metrics = WatchMetrics(CollectorRegistry())
        self._webhook = webhook_of(configuration)
        self._watch = Watch(journal=journal, settings=table.settings, messages=self._webhook is not None)
        self._was_overdue = False
        self._behind = 0
        self._stop = False

    def run(self, control: Control) -> None:
        """Raises: KeybrokerError: the supervisor starts another."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        self._begin()
        courier = self._courier(self._webhook)
        while not self._stop:
            self._look()
            self._stand()
            if courier is not None and not courier.works:
                raise BrokerStopping("messages are not carried any more")
            self._wait(control)
        self._watch.rest()
        if courier is not None:
            courier.stop()

    def _courier(self, webhook: Webhook | None) -> Courier | None:
        if webhook is None:
            return None
        courier = Courier(self._journal.ledger, webhook, self._configuration.clock, self._metrics, self._log)
        courier.start()
        return courier

    def _begin(self) -> None:
        self._watch.begin(self._configuration.clock.now(), live=lambda: not self._stop)
        self._log.info("watching for anomalous events", looked_to=self._watch.looked_to)

    def _look(self) -> None:
        try:
            events = self._watch.look(self._configuration.clock.now())
        except LedgerUnavailable as fault:
            self._log.warning("ledger not looked through", reason=fault.reason, why=fault.sentence)
            return
        except (OutcomeUnknown, AnotherWatches):
            # What was written is in the file: from there it goes on.
            self._begin()
            return
        for event in events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        anomaly = event.anomaly
        self._metrics.anomaly(anomaly.detector)
        self._log.warning(
            "anomalous event",
            detector=anomaly.detector.value,
            subject=anomaly.subject,
            record=anomaly.record,
            event_record=event.leaf_index,
            expected=anomaly.expected,
            found=anomaly.found,
        )

    def _stand(self) -> None:
        """How it stands with messages and reviews."""
        ledger, at = self._journal.ledger, self._configuration.clock.now()
        try:
            waiting, size, reviewed = undelivered(ledger), ledger.head(at).tree_size, last_review(ledger)
        except LedgerUnavailable:
            return
        self._behind = size - self._watch.looked_to
        self._metrics.standing(undelivered=waiting, behind=self._behind)
        overdue = reviewed.is_overdue(self._table.review_days, at)
        days = (at - reviewed.since).total_seconds() / 86400
        self._metrics.reviewed(unreviewed=reviewed.unreviewed, days=days, overdue=overdue)
        if overdue and not self._was_overdue:
            self._log.warning("audit log not reviewed", clause="G2.26", days=int(days), unreviewed=reviewed.unreviewed)
        self._was_overdue = overdue

    def _wait(self, control: Control) -> None:
        """Until it looks again; not at all while much is there to be looked through."""
        seconds = 0.0 if self._behind > _MUCH else self._table.look_seconds
        ready, _, _ = select.select([control], [], [], seconds)
        if ready:
            try:
                list(control.hear())
            except EOFError:
                self._stop = True

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True


def main(arguments: Sequence[str]) -> int:
    """Watch until told to stop. Answers an ExitStatus."""
    parser = argparse.ArgumentParser(prog="keybroker.server.watcher")
    parser.add_argument("accepted", type=Path, help="what the supervisor keeps of the configuration it accepted")
    parser.add_argument("--control", type=int, required=True)
    asked = parser.parse_args(arguments)
    control = Control(socket.socket(fileno=asked.control))
    os.nice(_NICE)
    try:
        _watch(read_accepted_configuration(asked.accepted), control)
    except KeybrokerError as error:
        control.say("failed", error.sentence)
        return exit_status(error)
    return ExitStatus.CLEAN


def _watch(configuration: Configuration, control: Control) -> None:
    table = configuration.file.watch
    if table is None:
        raise ConfigurationInvalid("this deployment is not watched", where="anomalies")
    log = configure_logging(configuration.file.server.log, worker=NAME)
    ledger, _, journal = build_ledger(configuration, worker=NAME)
    try:
        Watcher(configuration, table, journal, log).run(control)
    finally:
        journal.close()
        ledger.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
