"""How did the tests of a claim end, in one run of the suite? Read from the file of ``pytest --junitxml=FILE``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lxml import etree

Ending = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Of one test function: how many of its cases passed, failed and were skipped; all nothing where it did not run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        counted = ((self.failed, "FAILED"), (self.passed, "passed"), (self.skipped, "skipped"))
        return ", ".join(f"{number} {ending}" for number, ending in counted if number) or "NOT RUN"


NOT_RUN = Ended()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the suite: when it began, as its file says, and how each test function ended by ``path::name``."""

    began: str
    ended: Mapping[str, Ended]

    def of(self, name: str) -> Ended:
        return self.ended.get(name, NOT_RUN)


def read_run(path: Path) -> Run:
    """Raises: ValueError when the file is no result of pytest's."""
    try:
        root = etree.parse(str(path), etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{path}: expected the file of pytest --junitxml, found no XML: {error}") from error
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for case in root.iter("testcase"):
        counted[_name(case.get("classname", ""), case.get("name", ""))][_ending(case)] += 1
    suite = next(root.iter("testsuite"), None)
    if suite is None or not counted:
        raise ValueError(f"{path}: expected the file of pytest --junitxml, found no test in it")
    return Run(began=suite.get("timestamp", "")[:19], ended={name: Ended(**each) for name, each in counted.items()})


def _name(class_name: str, case: str) -> str:
    """``tests.policy.test_rules`` or ``tests.ceremony.test_splitting.TestSplit``, and ``test_refuses[case]``."""
    module, _, class_ = class_name.partition(".Test")
    inside = f"Test{class_}." if class_ else ""
    return f"{module.replace('.', '/')}.py::{inside}{case.partition('[')[0]}"


def _ending(case: etree._Element) -> Ending:
    endings = {etree.QName(child).localname for child in case}
    if endings & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in endings else "passed"
