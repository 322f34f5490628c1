"""What lapses soon that keys depend on? Told in the log thirty and seven days before, and by a metric all the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import final

from keybroker.gates.lapses import Lapse, lapses
from keybroker.policy.model import KeyRegister, Policy
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.terms import KeyPurpose


@final
class LapseWarnings:
    """Remembers what it warned of: each warning is told once a worker, and again when the next one is due."""

    def __init__(self, metrics: Metrics, log: Logger) -> None:
        self._metrics = metrics
        self._log = log
        self._told: set[tuple[str, str, datetime, int]] = set()

    def look(
        self,
        register: KeyRegister,
        policies: Mapping[KeyPurpose, Policy],
        at: datetime,
        back_up: Lapse | None = None,
    ) -> None:
        """The soonest of each sort to the metric; what is due to the log. ``back_up``: when the next one is due."""
        keys, lists = register.keys.values(), register.lists.values()
        found = lapses(register.standing, policies, at, keys=keys, lists=lists)
        found += () if back_up is None else (back_up,)
        soonest: dict[str, int] = {}
        for each in found:
            soonest[each.what] = min(each.days, soonest.get(each.what, each.days))
            self._warn(each)
        self._metrics.lapses(soonest)

    def _warn(self, lapse: Lapse) -> None:
        due = lapse.warned_days
        mark = (lapse.what, lapse.subject, lapse.until, due or 0)
        if due is None or mark in self._told:
            return
        self._told.add(mark)
        self._log.warning(
            "evidence lapses",
            what=lapse.what,
            subject=lapse.subject,
            clause=lapse.clause,
            until=lapse.until.isoformat(),
            days=lapse.days,
        )
