"""The five minutes of a rehearsal in README.md: its commands are run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.ceremony.terminal import Answer, Conductor

pytestmark = pytest.mark.hsm
PROGRAMS = Path(sys.executable).parent
RESTS = 75


def commands(directory: Path) -> list[list[str]]:
    """Those of the section, in order; the plan is written before them."""
    _, _, below = (ROOT / "README.md").read_text().partition("\n## Ceremonies\n")
    found = re.search(r"```sh\n(cat > (\S+) <<'END'\n(.*?)END\n)(.*?)```", below, re.DOTALL)
    assert found is not None
    (directory / found[2]).write_text(found[3])
    return [shlex.split(line, comments=True) for line in found[4].splitlines()]


def at_terminal(directory: Path, command: list[str], answers: dict[str, Answer]) -> int:
    with Conductor((PROGRAMS / command[0], *command[1:]), answers, cwd=directory, timeout=120) as conductor:
        return conductor.run()


def test_the_rehearsal_in_the_readme_works_as_written(tmp_path: Path) -> None:
    first, certify, again, verify = commands(tmp_path)
    assert at_terminal(tmp_path, first, {"certificate": "stop"}) == RESTS
    subprocess.run([PROGRAMS / certify[0], *certify[1:]], cwd=tmp_path, check=True)
    assert at_terminal(tmp_path, again, {"certificate": "chain.pem"}) == 0
    told = subprocess.run([PROGRAMS / verify[0], *verify[1:]], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert re.search(r"^complete +yes$", told.stdout, re.MULTILINE)
    assert (tmp_path / "parts" / "acb-2.html").is_file()
