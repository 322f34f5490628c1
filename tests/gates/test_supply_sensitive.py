"""The table of what is supply sensitive: read strictly, dated, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.errors import ConfigurationInvalid
from keybroker.gates.supply_sensitive import (
    SUPPLY_SENSITIVE,
    Sensitivity,
    read_supply_sensitive,
    sensitivity_of,
    strictest_of,
)

AT = datetime(2026, 1, 15, tzinfo=UTC)
LINES = files("keybroker.gates").joinpath("supply_sensitive.csv").read_text(encoding="utf-8").splitlines()
FIRST = LINES[1]

SPOILT = {
    "the columns are not": ["variant,sensitivity", *LINES[1:]],
    "expected every variant, found none of 1.1.1": [LINES[0], *LINES[2:]],
    "1.1.1 stands twice, and not from a later day": [*LINES, FIRST],
    "'99.9' is no Service Reference Variant": [*LINES, "99.9,no,2013-09-23,G3.25,judged"],
    "'perhaps' is not a valid Sensitivity": [LINES[0], FIRST.replace("possibly", "perhaps"), *LINES[2:]],
    "lacks a clause or a reason": [LINES[0], "1.1.1,possibly,2013-09-23,G3.25,", *LINES[2:]],
    "1.1.1 lacks a clause": [LINES[0], "1.1.1,possibly,2013-09-23,nowhere,judged", *LINES[2:]],
    "is no date of the form": [LINES[0], FIRST.replace("2013-09-23", "2013-9-23"), *LINES[2:]],
    "does not match format": [LINES[0], FIRST.replace("2013-09-23", "today"), *LINES[2:]],
    "argument 2 is longer|shorter than": [LINES[0], FIRST.rpartition(",")[0], *LINES[2:]],
}


@pytest.mark.parametrize(("sentence", "lines"), SPOILT.items(), ids=SPOILT)
def test_refuses_a_table_in_which(sentence: str, lines: list[str]) -> None:
    with pytest.raises(ConfigurationInvalid, match=sentence):
        read_supply_sensitive(lines)


def test_every_variant_has_a_row_and_only_critical_ones_are_sensitive() -> None:
    assert SUPPLY_SENSITIVE.keys() == SERVICE_REFERENCE_VARIANTS.keys()
    sensitive = {name for name, rows in SUPPLY_SENSITIVE.items() if rows[0].sensitivity is not Sensitivity.NO}
    assert sensitive <= {name for name, variant in SERVICE_REFERENCE_VARIANTS.items() if variant.critical}
    assert all(row.clause == "G3.25" and row.reason for rows in SUPPLY_SENSITIVE.values() for row in rows)


@pytest.mark.parametrize(
    ("variant", "sensitivity"),
    [("7.2", "yes"), ("7.1", "yes"), ("1.6", "yes"), ("7.16", "possibly"), ("6.11", "no"), ("7.4", "no")],
)
def test_the_shipped_table_says(variant: str, sensitivity: str) -> None:
    assert sensitivity_of(variant, AT) == sensitivity


def test_what_is_in_no_row_and_what_was_before_every_row_is_sensitive() -> None:
    assert sensitivity_of("99.9", AT) is Sensitivity.YES
    assert sensitivity_of("7.4", datetime(2013, 9, 22, tzinfo=UTC)) is Sensitivity.YES


def test_a_later_row_takes_the_place_of_an_earlier_one_from_its_own_day() -> None:
    table = read_supply_sensitive([*LINES, "7.16,no,2026-02-01,G3.25,the panel determined so"])
    day = datetime(2026, 2, 1, tzinfo=UTC)
    assert sensitivity_of("7.16", day - timedelta(seconds=1), table) is Sensitivity.POSSIBLY
    assert sensitivity_of("7.16", day, table) is Sensitivity.NO
    assert [row.sensitivity for row in table["7.16"]] == ["no", "possibly"]


@pytest.mark.parametrize(
    ("variants", "strictest"),
    [(("7.16", "7.2", "6.11"), "yes"), (("6.11", "7.16"), "possibly"), (("6.11", "8.1.1"), "no"), ((), "yes")],
)
def test_of_several_the_strictest_counts(variants: tuple[str, ...], strictest: str) -> None:
    assert strictest_of(variants, AT) == strictest
