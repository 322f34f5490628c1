"""Ada, a Key Custodian in files: enrolled once, and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import run_json
from tests.cli.enrolled import Enrolled, shares


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Her directory, to be copied: making her keys takes seconds."""
    directory = tmp_path_factory.mktemp("enrolled") / "ada"
    run_json("custodian", "enrol", "ada", "--test-files", directory)
    return directory


@pytest.fixture
def ada(enrolled: Path, tmp_path: Path) -> Enrolled:
    shutil.copytree(enrolled, tmp_path / "ada")
    return Enrolled(tmp_path / "ada", shares()[0])
