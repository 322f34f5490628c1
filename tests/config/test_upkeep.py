"""What may stand in [backup] and [retention]: nothing that a clause or an assessment would miss."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from keybroker.config.upkeep import FULL_CYCLE, FULL_YEAR, BackUpTable, RetentionTable

KEEPS = {"octets_days": 31, "reads_days": FULL_YEAR, "refusals_days": FULL_YEAR, "uses_days": FULL_CYCLE}
BACKUP: dict[str, Any] = {"recipients": ["ada.pem"], "warn_after_days": 1}
REFUSED: dict[str, tuple[type[BackUpTable | RetentionTable], dict[str, Any]]] = {
    "octets that nobody could review": (RetentionTable, KEEPS | {"octets_days": 30}),
    "reads younger than an assessment": (RetentionTable, KEEPS | {"reads_days": FULL_YEAR - 1}),
    "refusals younger than an assessment": (RetentionTable, KEEPS | {"refusals_days": FULL_YEAR - 1}),
    "uses younger than a full assessment": (RetentionTable, KEEPS | {"uses_days": FULL_CYCLE - 1}),
    "a sort of which nothing is said": (RetentionTable, {key: KEEPS[key] for key in KEEPS if key != "uses_days"}),
    "a sort that there is none of": (RetentionTable, KEEPS | {"keys_days": 5000}),
    "days that are no number": (RetentionTable, KEEPS | {"uses_days": "5000"}),
    "a back-up for nobody": (BackUpTable, BACKUP | {"recipients": []}),
    "a recipient without a name": (BackUpTable, BACKUP | {"recipients": [""]}),
    "no warning, ever": (BackUpTable, BACKUP | {"warn_after_days": 0}),
    "a warning after more than a year": (BackUpTable, BACKUP | {"warn_after_days": 367}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    table, told = REFUSED[case]
    with pytest.raises(ValidationError):
        table.model_validate(told)


def test_takes_the_least_of_each() -> None:
    assert RetentionTable.model_validate(KEEPS).uses_days == 1_098
    assert BackUpTable.model_validate(BACKUP).recipients == ["ada.pem"]
