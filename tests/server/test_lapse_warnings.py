"""What lapses is told in the log, once a warning, and by the metric all the time; a back-up that is due too (G2.16)."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from keybroker.gates.lapses import Lapse, due_back_up
from keybroker.policy.model import KeyRegister
from keybroker.server.lapse_warnings import LapseWarnings
from keybroker.server.metrics import Metrics
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location
from keybroker.statement.standing import Standing
from tests.evidence import in_common, stated
from tests.situations import AT

WITHIN = timedelta(days=2)
NOTHING = KeyRegister(version=1, keys={})


class Told:
    """Warnings with a metric and a log of their own."""

    def __init__(self) -> None:
        self._registry, self._out = CollectorRegistry(), io.StringIO()
        log = structlog.wrap_logger(structlog.WriteLogger(self._out), processors=[structlog.processors.JSONRenderer()])
        self.warnings = LapseWarnings(Metrics(self._registry), log)

    def days(self, what: str) -> float | None:
        return self._registry.get_sample_value("keybroker_evidence_lapse_days", {"what": what})

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.getvalue().splitlines()]


def test_evidence_is_warned_of_thirty_and_seven_days_before_and_counted_all_the_time() -> None:
    told = Told()
    said = {
        "of": "person",
        "subject": "a-smith",
        "party": "supplier-a",
        "country": "GB",
        "site": "london",
        "people": [],
    }
    given = in_common(StatementKind.LOCATION, at=AT, last=timedelta(days=31))
    location = stated(Location.model_validate(given | said))
    register = KeyRegister(version=1, keys={}, standing=Standing(statements=(location,)))
    seen = []
    for days in (31, 30, 29, 8, 7, 6):
        told.warnings.look(register, {}, location.payload.expires - timedelta(days=days))
        seen.append((told.days("location"), len(told.logged())))
    assert seen == [(31, 0), (30, 1), (29, 1), (8, 1), (7, 2), (6, 2)]
    assert [(each["what"], each["subject"], each["clause"], each["days"]) for each in told.logged()] == [
        ("location", "person a-smith of supplier-a", "G3.23", days) for days in (30, 7)
    ]


def test_a_back_up_that_is_due_is_told_once_and_counted_all_the_time() -> None:
    told = Told()

    def look(back_up: Lapse | None) -> float | None:
        told.warnings.look(NOTHING, {}, AT, back_up)
        return told.days("back-up")

    assert look(None) is None
    assert look(due_back_up(AT - timedelta(days=1), WITHIN, AT)) == 1
    assert told.logged() == []
    late = due_back_up(AT - timedelta(days=5), WITHIN, AT)
    assert [look(late), look(late)] == [-3, -3]
    (line,) = told.logged()
    assert (line["what"], line["clause"], line["days"]) == ("back-up", "G2.16", -3)
    assert line["subject"].startswith("the last is of ")
