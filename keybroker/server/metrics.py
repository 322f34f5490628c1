"""What does the operator watch? Prometheus metrics, counted in every worker, served by the supervisor on its own port.

Workers share their numbers through files (prometheus_client's multi-process mode, PROMETHEUS_MULTIPROC_DIR); names and
meanings stand in docs/operations.md. No label ever holds an identity, a request_id or octets.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from keybroker.content.assembly import PROCESSED_KINDS
from keybroker.errors import KeybrokerError, ModuleFault
from keybroker.ledger.model import Concluded
from keybroker.ledger.quarantine_state import QuarantineState
from keybroker.signing import Ask, Item, Outcome
from keybroker.terms import KeyLabel

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_MOST_CALLS = 1024
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def outcome_word(item: Item, outcome: Outcome) -> str:
    """``SIGNED``, ``PROCESSED`` (a use that is no signature), ``GIVEN_AGAIN`` or the error's reason."""
    if isinstance(outcome, KeybrokerError):
        return outcome.reason
    if not isinstance(outcome, Concluded):
        return "GIVEN_AGAIN"
    return "PROCESSED" if isinstance(item, Ask) and item.kind in PROCESSED_KINDS else "SIGNED"


@final
class Metrics:
    """One worker's numbers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls: list[tuple[str, float]] = []
        self._count(partial(Counter, registry=registry))
        self._measure(partial(Histogram, registry=registry))
        self._show(partial(Gauge, registry=registry))

    def _count(self, counter: Callable[..., Counter]) -> None:
        self._requests = counter(
            "keybroker_requests", "Items asked for, by operation and outcome.", ("operation", "outcome")
        )
        self._module_faults = counter("keybroker_module_faults", "Faults of the module, by reason.", ("reason",))
        self._reloads = counter("keybroker_reloads", "Reloads, by whether they were taken.", ("taken",))
        self._warned = counter(
            "keybroker_threshold_warnings",
            "Uses that were signed above the warning level of an Anomaly Detection Threshold.",
        )
        self._quarantined = counter(
            "keybroker_quarantined",
            "Communications that exceeded an Anomaly Detection Threshold, by what became of them.",
            ("state",),
        )

    def _measure(self, histogram: Callable[..., Histogram]) -> None:
        self._batch_items = histogram(
            "keybroker_batch_items", "Items that went down the line together.", buckets=_ITEMS
        )
        self._batch_seconds = histogram("keybroker_batch_seconds", "Time of a batch in the line.", buckets=_SECONDS)
        self._request_seconds = histogram(
            "keybroker_request_seconds", "Time of a call, queue included.", ("rpc",), buckets=_SECONDS
        )

    def _show(self, gauge: Callable[..., Gauge]) -> None:
        """What stands now, and how it is told of several workers."""
        self._queued = gauge(
            "keybroker_queued_items", "Items waiting for and in the line.", multiprocess_mode="livesum"
        )
        self._key_ready = gauge(
            "keybroker_key_ready", "1 where every worker would use the key.", ("key",), multiprocess_mode="livemin"
        )
        self._records = gauge("keybroker_ledger_records", "Records in the ledger.", multiprocess_mode="livemax")
        self._covered = gauge(
            "keybroker_checkpoint_records", "Records that the last checkpoint covers.", multiprocess_mode="livemax"
        )
        self._uncovered = gauge(
            "keybroker_checkpoint_uncovered_records", "Records that no checkpoint covers.", multiprocess_mode="livemin"
        )
        self._clock_offset = gauge(
            "keybroker_clock_offset_seconds",
            "What must be added to the broker's clock to agree with a time source, by the last reading.",
            ("of",),
            multiprocess_mode="livemostrecent",
        )
        self._clock_reliable = gauge(
            "keybroker_clock_reliable",
            "1 where no worker's gates are shut for the clock.",
            multiprocess_mode="livemin",
        )
        self._witnessed = gauge(
            "keybroker_witnessed",
            "1 where as many witnesses as are demanded have cosigned the ledger lately.",
            multiprocess_mode="livemin",
        )
        self._lapse_days = gauge(
            "keybroker_evidence_lapse_days",
            "Days until the first of its sort lapses that keys depend on; negative where it has.",
            ("what",),
            multiprocess_mode="livemin",
        )

    def witnessed(self, *, enough: bool) -> None:
        self._witnessed.set(enough)

    def warned(self, thresholds: int) -> None:
        self._warned.inc(thresholds)

    def quarantined(self, state: QuarantineState) -> None:
        self._quarantined.labels(state.value).inc()

    def lapses(self, soonest: Mapping[str, int]) -> None:
        """Whole days by sort of evidence."""
        for what, days in soonest.items():
            self._lapse_days.labels(what).set(days)

    def batch(self, items: Sequence[Item], outcomes: Sequence[Outcome], *, seconds: float) -> None:
        self._batch_items.observe(len(items))
        self._batch_seconds.observe(seconds)
        words = Tally(
            (item.identity.operation, outcome_word(item, outcome))
            for item, outcome in zip(items, outcomes, strict=True)
        )
        for (operation, word), count in words.items():
            self._requests.labels(operation, word).inc(count)
        faults = Tally(outcome.reason for outcome in outcomes if isinstance(outcome, ModuleFault))
        for reason, count in faults.items():
            self._module_faults.labels(reason).inc(count)

    def outside_the_line(self, operation: str, word: str) -> None:
        """A request that was no item of a batch: a read, or a refusal before the line."""
        self._requests.labels(operation, word).inc()

    def call(self, rpc: str, seconds: float) -> None:
        """Kept for ``flush``: an observation shared among workers costs some 20 us, a tenth of a lone call's work."""
        self._calls.append((rpc, seconds))
        if len(self._calls) >= _MOST_CALLS:
            self.flush()

    def flush(self) -> None:
        """Tell what was kept."""
        calls, self._calls = self._calls, []
        for rpc, seconds in calls:
            self._request_seconds.labels(rpc).observe(seconds)

    def reload(self, *, taken: bool) -> None:
        self._reloads.labels(str(taken).lower()).inc()

    def standing(self, *, queued: int, records: int, keys: Mapping[KeyLabel, bool]) -> None:
        """What the worker looks at every second or so."""
        self._queued.set(queued)
        self._records.set(records)
        for label, usable in keys.items():
            self._key_ready.labels(label).set(usable)

    def checkpoint(self, covered: int, *, uncovered: int) -> None:
        """In records; a checkpoint's own two are not uncovered."""
        self._covered.set(covered)
        self._uncovered.set(uncovered)

    def clock(self, *, reliable: bool, offsets: Mapping[str, float]) -> None:
        """``offsets`` in seconds, by the name of what was read; what was never read is not in it."""
        self._clock_reliable.set(reliable)
        for of, seconds in offsets.items():
            self._clock_offset.labels(of).set(seconds)
