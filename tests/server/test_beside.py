"""A process beside the workers does not outlive the supervisor, however early that one died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keybroker.config import read_configuration
from tests.server.test_transparency import a_deployment

pytestmark = pytest.mark.hsm


def test_whose_supervisor_was_gone_before_it_could_look_ends_at_once(tmp_path: Path) -> None:
    deployment = a_deployment(tmp_path / "deployment", tiles="tiles")
    configuration = read_configuration(deployment.config_path)
    configuration.accept()
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = [sys.executable, "-m", "keybroker.server.publisher", str(configuration.accepted)]
    done = subprocess.run([*command, "--supervisor", str(gone.pid)], timeout=60, check=False)
    assert done.returncode == 0
