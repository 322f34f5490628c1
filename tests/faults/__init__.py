"""Faults of fsync, write and the clock in one subprocess: an LD_PRELOAD library (``faults.c``) and its switches.

environment = os.environ | faults.environment(control)     # for the subprocess; control is an empty directory
faults.set_fault(control, "fsync", "ledger.sqlite")         # from now on
faults.clear_fault(control, "fsync")
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import pytest

SOURCE = Path(__file__).with_name("faults.c")
COUNTING = Path(__file__).with_name("counting_module.c")
FAILING = Path(__file__).with_name("failing_module.c")
SHIM = Path(__file__).with_name("pkcs11_shim.c")
Fault = Literal["fsync", "slow", "write", "readonly", "clock", "module"]


def build(source: Path = SOURCE) -> Path:
    """The compiled library, built once for each version of its source. Skips the test, loudly, without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("NO C COMPILER: the tests with failing fsync, full disk and shifted clock did NOT run")
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"keybroker-{source.stem}-{os.getuid()}-{version}.so"
    if not library.exists():
        # Beside, then moved: several test processes may build at once.
        with tempfile.NamedTemporaryFile(dir=library.parent, suffix=".so", delete=False) as unfinished:
            command = [compiler, "-std=gnu11", "-O1", "-Wall", "-shared", "-fPIC", "-o", unfinished.name, str(source)]
            subprocess.run([*command, "-ldl"], check=True)
        Path(unfinished.name).replace(library)
    return library


def environment(control: Path) -> dict[str, str]:
    """What a subprocess's environment needs, so that switches in ``control`` work on it."""
    control.mkdir(exist_ok=True)
    return {"LD_PRELOAD": str(build()), "KEYBROKER_FAULTS": str(control)}


def set_fault(control: Path, fault: Fault, concerned: str, *, after: int = 0) -> None:
    """Switch a fault on: ``concerned`` is a part of the paths that fail (or the clock's shift in seconds; of
    ``FAILING`` a return value and functions, ``0x31 C_UnwrapKey;``), ``after`` the number of calls that still succeed
    (of ``slow`` the milliseconds that each sync takes longer).
    """
    unfinished = control / f".{fault}"
    unfinished.write_text(f"{concerned}\n{after}\n")
    unfinished.replace(control / fault)


def clear_fault(control: Path, fault: Fault) -> None:
    """Switch a fault off."""
    (control / fault).unlink(missing_ok=True)
