"""The refusing cases of every rule: ``REFUSALS`` of the line and of each topic's ``test_*_rules.py``."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tests.policy.refused_cases import REFUSALS


@cache
def refused_by_topic() -> dict[str, frozenset[str]]:
    """Test module to the rules that its cases refuse by; those of the line under ``test_rules``."""
    topics = sorted(path.stem for path in Path(__file__).parent.glob("test_*_rules.py"))
    found = {"test_rules": frozenset(str(case.rule) for case in REFUSALS)}
    for topic in topics:
        module = importlib.import_module(f"tests.policy.{topic}")
        found[topic] = frozenset(str(case.rule) for case in module.REFUSALS)
    return found


def every_rule_refused() -> frozenset[str]:
    return frozenset[str]().union(*refused_by_topic().values())
