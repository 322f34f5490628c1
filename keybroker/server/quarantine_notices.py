"""Whom does a quarantine concern tonight? Each communication that exceeded a threshold is told once, and counted.

SEC G6.1: what exceeds an Anomaly Detection Threshold is quarantined, or deleted, and its User is notified. The record
holds the rest and the quarantine the octets: no event ever does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from keybroker.ledger.quarantining import Kept
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics


@final
class QuarantineNotices:
    """``tell`` is called with what became of a batch, once its records are durable."""

    def __init__(self, metrics: Metrics, log: Logger) -> None:
        self._metrics = metrics
        self._log = log

    def tell(self, answers: Iterable[object]) -> None:
        """The event is ``quarantined`` or ``deleted``; ``record`` is what the User's action names."""
        for answer in answers:
            if isinstance(answer, Kept):
                self._metrics.quarantined(answer.state)
                self._log.warning(answer.state.value, **_told(answer))


def _told(kept: Kept) -> dict[str, object]:
    identity = kept.identity
    return {
        "record": kept.leaf_index,
        "request_id": identity.request_id,
        "key": identity.key,
        "system": identity.caller.system,
        "user": kept.user,
        "counts": list(kept.counts),
    }
