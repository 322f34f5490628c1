"""``[anomalies]``: every figure has a safe default, hours are hours, and whoever writes the table dates it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from keybroker.config.anomalies_table import SAFE_TABLE, AnomaliesTable
from keybroker.config.file import ConfigurationFile, read_file
from keybroker.ledger.anomaly_settings import SAFE
from keybroker.terms import DeploymentKind
from tests.server.test_configuration import GOOD

HOURS: dict[str, Any] = {"first": 8, "last": 18, "days": ["mon", "sat"], "zone": "Europe/London"}


def a_table(**changes: Any) -> AnomaliesTable:
    return AnomaliesTable.model_validate({"dated": date(2026, 11, 1), **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"dated": None},
        {"dated": "yesterday"},
        {"burst_uses": 0},
        {"refusals": -1},
        {"open_seconds": 1.5},
        {"look_seconds": 0.01},
        {"look_seconds": 61.0},
        {"review_days": 0},
        {"bursts": 3},
        {"hours": {**HOURS, "first": 19}},
        {"hours": {**HOURS, "last": 25}},
        {"hours": {**HOURS, "days": []}},
        {"hours": {**HOURS, "days": ["monday"]}},
        {"hours": {**HOURS, "zone": "Europe/Nowhere"}},
        {"hours": {**HOURS, "zone": "../../etc/passwd"}},
    ],
)
def test_refuses(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_table(**changes)


def test_a_table_must_be_dated() -> None:
    with pytest.raises(ValidationError, match="dated"):
        AnomaliesTable.model_validate({})


def test_what_is_left_out_is_safe() -> None:
    assert a_table().settings == SAFE_TABLE.settings == SAFE


def test_hours_are_read_with_their_days_and_zone() -> None:
    settings = a_table(hours=HOURS).settings
    assert settings.hours == "Mon Sat, 08:00 to 18:00 (Europe/London)"


def configuration(text: str) -> ConfigurationFile:
    return read_file(text.encode(), name="keybroker.toml")


def test_a_live_deployment_is_watched_without_the_table_and_a_test_deployment_only_with_it() -> None:
    test = configuration(GOOD)
    assert (test.anomalies, test.watch) == (None, None)
    with_table = f"{GOOD}\n[anomalies]\ndated = 2026-11-01\nburst_uses = 7\n"
    watched = configuration(with_table).watch
    assert watched is not None
    assert watched.burst_uses == 7
    live = test.model_copy(update={"deployment": test.deployment.model_copy(update={"kind": DeploymentKind.LIVE})})
    assert live.watch == SAFE_TABLE
