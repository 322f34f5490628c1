"""Killed at every boundary of every step, and at random instants: each kind of ceremony comes to the same end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind
from tests.ceremony.stories import a_story, killed_stories

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
@pytest.mark.parametrize("kind", CeremonyKind)
def test_killed_at_every_boundary_it_comes_to_its_end(tmp_path: Path, kind: CeremonyKind) -> None:
    story = a_story(kind, tmp_path)
    story.killed_at_every_boundary()
    verified = story.finish()
    steps = sum(len(each.entries) for each in verified.values())
    assert story.deaths == steps


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
@pytest.mark.parametrize("kind", CeremonyKind)
def test_killed_at_five_random_instants_it_comes_to_its_end(tmp_path: Path, kind: CeremonyKind) -> None:
    chance = random.Random(kind.value)  # noqa: S311 - instants, not secrets
    assert sum(story.deaths for story in killed_stories(kind, tmp_path, 5, chance)) >= 5
