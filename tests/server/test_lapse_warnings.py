"""A back-up that is due is told in the log, once, and by the metric as long as it is (SEC G2.16)."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry

from keybroker.gates.lapses import Lapse, due_back_up
from keybroker.policy.model import KeyRegister
from keybroker.server.lapse_warnings import LapseWarnings
from keybroker.server.metrics import Metrics
from tests.situations import AT

WITHIN = timedelta(days=2)
NOTHING = KeyRegister(version=1, keys={})


def test_a_back_up_that_is_due_is_told_once_and_counted_all_the_time() -> None:
    registry, out = CollectorRegistry(), io.StringIO()
    log = structlog.wrap_logger(structlog.WriteLogger(out), processors=[structlog.processors.JSONRenderer()])
    warnings = LapseWarnings(Metrics(registry), log)

    def look(back_up: Lapse | None) -> float | None:
        warnings.look(NOTHING, {}, AT, back_up)
        return registry.get_sample_value("keybroker_evidence_lapse_days", {"what": "back-up"})

    assert look(None) is None
    assert look(due_back_up(AT - timedelta(days=1), WITHIN, AT)) == 1
    assert out.getvalue() == ""
    late = due_back_up(AT - timedelta(days=5), WITHIN, AT)
    assert [look(late), look(late)] == [-3, -3]
    (told,) = map(json.loads, out.getvalue().splitlines())
    assert (told["what"], told["clause"], told["days"]) == ("back-up", "G2.16", -3)
    assert told["subject"].startswith("the last is of ")
