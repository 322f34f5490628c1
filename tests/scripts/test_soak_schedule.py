"""The soak's schedule: the same seed the same faults, each in its turn, and nothing beside what must be alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import pytest

from scripts.soak_parts.host_faults import ALONE, OVER_AT_ONCE, host_faults, long_faults
from scripts.soak_parts.schedule import SHORTEST_SECONDS, steps
from scripts.soak_parts.token_faults import Fault, token_faults

FAULTS: Mapping[str, Fault] = {**host_faults(), **token_faults(), **long_faults()}
LONGEST = 3.0


@pytest.mark.parametrize("seed", range(5))
def test_every_fault_has_its_turn_before_any_comes_again(seed: int) -> None:
    seen: list[str] = []
    for step in steps(sorted(FAULTS), alone=ALONE, longest=LONGEST, seed=seed):
        seen += step.faults
        assert SHORTEST_SECONDS <= step.seconds <= LONGEST
        assert len(step.faults) == 1 or ALONE.isdisjoint(step.faults)
        if len(seen) >= len(FAULTS):
            break
    assert sorted(seen) == sorted(FAULTS)


def test_a_seed_decides_and_another_decides_otherwise() -> None:
    first, again, other = (
        list(islice(steps(sorted(FAULTS), alone=ALONE, longest=LONGEST, seed=seed), 200)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert any(len(step.faults) == 2 for step in first)


def test_what_is_said_of_faults_is_of_faults_that_there_are() -> None:
    assert set(FAULTS) >= ALONE | OVER_AT_ONCE
