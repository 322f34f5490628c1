"""What does the watch show of itself? Beside the workers' numbers, on the supervisor's port."""

from __future__ import annotations

from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge

from keybroker.ledger.anomaly_form import Detector


@final
class WatchMetrics:
    """One process's numbers; there is one watch."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._anomalies = Counter(
            "keybroker_anomalies", "Anomalous Events, by what found them.", ("detector",), registry=registry
        )
        for detector in Detector:
            self._anomalies.labels(detector.value)
        self._messages = Counter(
            "keybroker_webhook_tries",
            "Tries to send a message, by whether it was taken.",
            ("taken",),
            registry=registry,
        )
        self._undelivered = _gauge("keybroker_webhook_undelivered", "Messages that nobody took yet.", registry)
        self._behind = _gauge("keybroker_watch_behind_records", "Records not looked through yet.", registry)
        self._unreviewed = _gauge(
            "keybroker_ledger_unreviewed_records", "Records behind the last review of the audit log.", registry
        )
        self._review_days = _gauge(
            "keybroker_ledger_review_age_days", "Days since the audit log was reviewed last.", registry
        )
        self._overdue = _gauge(
            "keybroker_ledger_review_overdue", "1 where that is longer than the configuration allows.", registry
        )

    def anomaly(self, detector: Detector) -> None:
        self._anomalies.labels(detector.value).inc()

    def message(self, *, taken: bool) -> None:
        self._messages.labels(str(taken).lower()).inc()

    def standing(self, *, undelivered: int, behind: int) -> None:
        self._undelivered.set(undelivered)
        self._behind.set(behind)

    def reviewed(self, *, unreviewed: int, days: float, overdue: bool) -> None:
        self._unreviewed.set(unreviewed)
        self._review_days.set(days)
        self._overdue.set(overdue)


def _gauge(name: str, told: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, told, registry=registry, multiprocess_mode="livemostrecent")
