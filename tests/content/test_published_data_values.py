"""Data values of the published Commands: those that they were made with."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keybroker.content.data_values import VALUES, code_of_values, data_values
from keybroker.terms import ContentKind
from tests.content import published
from tests.content.values_in_commands import ADJUST, GAS, LIMIT, PREPAYMENT, reading

LOADED = {"load-limit-power-threshold": 6_900, "load-limit-period": 300, "load-limit-restoration-period": 30}
PUBLISHED: dict[int, dict[str, int]] = {
    ADJUST: {"adjust-meter-balance": 1_200_000},
    LIMIT: LOADED,
    PREPAYMENT: {
        "max-meter-balance": 5_000_000,
        "max-credit-threshold": 1_000_000,
        "debt-recovery-rate-cap": 30,
        "debt-recovery-rate-cap-period": 604_800,
        "low-credit-threshold": 200_000,
        "emergency-credit-limit": 300_000,
        "emergency-credit-threshold": 100_000,
    },
    GAS: {
        "emergency-credit-limit": 10_000_000,
        "emergency-credit-threshold": 100_000,
        "overall-debt-cap": 100_000,
        "low-credit-threshold": 5_000_000,
        "max-meter-balance": 25_000_000,
        "max-credit-threshold": 25_000_000,
    },
}
"""What the DUIS templates say that the published Commands were made from; the supply state is both."""


def published_values() -> list[tuple[int, Mapping[str, int]]]:
    found = []
    for message in published.read_messages(published.directory()):
        content = reading(ContentKind.PRE_COMMAND, message.octets) if message.kind == "PRECOMMAND" else None
        if content is not None:
            values = data_values(content)
            found.append((code_of_values(content) or 0, values))
    return found


@pytest.mark.rtds
def test_published_commands_of_other_codes_have_no_values() -> None:
    found = published_values()
    assert found
    assert all(not values for code, values in found if code not in VALUES)


@pytest.mark.rtds
@pytest.mark.parametrize("code", PUBLISHED)
def test_published_commands_have_the_values_they_were_made_with(code: int) -> None:
    found = [values for each, values in published_values() if each == code]
    if not found:
        pytest.skip(f"KEYBROKER_RTDS holds no Pre-Command of 0x{code:04X}: its published values are NOT tested")
    for values in found:
        assert values.items() >= PUBLISHED[code].items()
        assert values.keys() == VALUES[code]
