"""Runs ``keybroker`` as people do: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def run(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``keybroker ARGUMENTS`` with no KEYBROKER_ variables but those of ``env``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYBROKER_")}
    return subprocess.run(
        [sys.executable, "-m", "keybroker.cli.main", *map(str, arguments)],
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run_json(*arguments: object, env: Mapping[str, str] | None = None, expect: int = 0) -> Any:
    """The one JSON object that it prints, with ``--json``."""
    done = run(*arguments, "--json", env=env)
    assert done.returncode == expect, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)
