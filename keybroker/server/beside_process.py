"""Do publisher and witnessing run? Processes without the PIN, started again when they end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import final

from keybroker.server.logging import Logger

_PAUSES = (0.0, 1.0, 5.0, 30.0)
_STEADY_SECONDS = 60.0
_END_SECONDS = 5.0


@final
class BesideProcess:
    """Started by exec, like a worker. Whether it runs or not, requests are served."""

    def __init__(self, name: str, accepted: Path, *, hidden: frozenset[str], log: Logger) -> None:
        """``name``: of the module in ``keybroker.server``. ``hidden``: names that must not stand in its environment
        (the PIN's)."""
        self._command = [sys.executable, "-m", f"keybroker.server.{name}", str(accepted)]
        self._command += ["--supervisor", str(os.getpid())]
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self._name = name
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._not_before = 0.0
        self._failures = 0

    def keep_running(self) -> None:
        """Every tick, once the ledger is there."""
        now = time.monotonic()
        if self._process is not None and (status := self._process.poll()) is not None:
            self._log.error("process beside the workers ended", process=self._name, status=status)
            self._process = None
            if now - self._started > _STEADY_SECONDS:
                self._failures = 0
            self._not_before = now + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures += 1
        if self._process is None and now >= self._not_before:
            self._started = now
            self._process = subprocess.Popen(  # noqa: S603  # our own module, arguments as a list
                self._command, env=self._environment, stdin=subprocess.DEVNULL
            )

    def end(self) -> None:
        """It finishes the file it is at, or is killed: either leaves what can be read."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
