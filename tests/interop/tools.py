"""The independent tools, fetched when the tests run: npm packages into a directory, commands from apt where it may.

Nothing of them is kept in the tree. What cannot be had is said, and the tests that need it are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

TEMPLATES, SIGN_WRAP = "@smartdcc/duis-templates@0.7.0", "@smartdcc/duis-sign-wrap@0.1.2"
_COMMANDS = {"npm": "npm", "javac": "default-jdk-headless", "xmlsec1": "xmlsec1"}
_RUNNER = Path(__file__).parent / "DuisTool.java"


@dataclass(frozen=True)
class Tools:
    templates: tuple[Path, ...]
    jar: Path
    runner: Path

    def run(self, lines: Iterable[Sequence[str | Path]]) -> dict[str, tuple[str, str]]:
        """Result code and what the tool said, by document; all in one JVM."""
        given = "".join("\t".join(map(str, line)) + "\n" for line in lines)
        told = _output(["java", "-cp", f"{self.jar}:{self.runner}", "DuisTool"], given=given)
        answers = (line.split("\t") for line in told.splitlines())
        return {document: (code, said) for document, code, said in answers}


def find_tools(directory: Path) -> Tools:
    """Unpacked under ``directory``, the runner compiled. Skips the test where something is not to be had."""
    for command, package in _COMMANDS.items():
        if not _have(command, package):
            pytest.skip(f"DUIS interop is NOT tested: {command} is missing, and apt-get could not install {package}")
    jar = _npm(SIGN_WRAP, directory) / "dist" / "tool.jar"
    templates = tuple(sorted((_npm(TEMPLATES, directory) / "templates").glob("*.XML")))
    _output(["javac", "-d", str(directory), str(_RUNNER)])
    return Tools(templates=templates, jar=jar, runner=directory)


@cache
def _have(command: str, package: str) -> bool:
    if shutil.which(command) is None:
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
            as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
            try:
                subprocess.run([*as_root, "apt-get", *arguments], check=False, capture_output=True, timeout=300)
            except (OSError, subprocess.TimeoutExpired):
                return False
    return shutil.which(command) is not None


def _npm(package: str, directory: Path) -> Path:
    """The package as it was published: packed and unpacked, nothing of it run."""
    place = directory / package.partition("/")[2].partition("@")[0]
    place.mkdir()
    try:
        # Without a network npm would try for longer than anybody waits.
        made = subprocess.run(
            ["npm", "pack", "--silent", "--fetch-retries=1", package],
            cwd=place,
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"DUIS interop is NOT tested: npm pack {package} did not end in 100 s")
    if made.returncode:
        pytest.skip(f"DUIS interop is NOT tested: npm pack {package} failed: {made.stderr.strip()[-300:]}")
    _output(["tar", "-xzf", str(place / made.stdout.split()[-1]), "-C", str(place)])
    return place / "package"


def _output(command: Sequence[str], *, given: str = "") -> str:
    return subprocess.run(command, input=given, check=True, capture_output=True, text=True, timeout=100).stdout
