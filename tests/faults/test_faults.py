"""The fault library does what it says, to the process it is loaded into."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import faults

FSYNC = "import os,sys; d=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT); os.fsync(d)"
WRITE = "import os,sys; d=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT); os.write(d,b'1'); os.pwrite(d,b'2',1)"


def run(program: str, control: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | faults.environment(control)
    return subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("fault", "program", "error"),
    [("fsync", FSYNC, "Errno 5"), ("write", WRITE, "Errno 28"), ("readonly", FSYNC, "Errno 30")],
)
def test_fails_the_calls_on_the_paths_concerned_and_no_others(
    tmp_path: Path, fault: faults.Fault, program: str, error: str
) -> None:
    control = tmp_path / "control"
    control.mkdir()
    assert run(program, control, str(tmp_path / "ledger")).returncode == 0
    faults.set_fault(control, fault, "ledger")
    assert error in run(program, control, str(tmp_path / "ledger")).stderr
    assert run(program, control, str(tmp_path / "other")).returncode == 0
    faults.set_fault(control, fault, "ledger", after=2)
    assert run(program, control, str(tmp_path / "ledger")).returncode == 0
    faults.clear_fault(control, fault)
    assert run(program, control, str(tmp_path / "ledger")).returncode == 0


def test_makes_syncs_of_the_paths_concerned_slow(tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.mkdir()
    faults.set_fault(control, "slow", "ledger", after=300)
    program = f"import time; begun=time.monotonic(); {FSYNC}; print(time.monotonic()-begun)"
    assert float(run(program, control, str(tmp_path / "ledger")).stdout) >= 0.3
    assert float(run(program, control, str(tmp_path / "other")).stdout) < 0.3


def test_shifts_the_clock_of_the_process_alone(tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.mkdir()
    faults.set_fault(control, "clock", "-86400")
    shifted = float(run("import time; print(time.time())", control).stdout)
    assert time.time() - shifted == pytest.approx(86400, abs=30)
