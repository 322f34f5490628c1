"""The watch as the supervisor sees it: a process that is started, started again with growing pauses, and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import final

from keybroker.config import Configuration
from keybroker.server.control import Control
from keybroker.server.logging import Logger

_PAUSES = (0.2, 1.0, 5.0, 30.0)
_STEADY_SECONDS = 60.0
_STOP_SECONDS = 15.0


@final
class WatchProcess:
    """At most one at a time; none where the configuration has no watch."""

    def __init__(self, configuration: Configuration, metrics_directory: Path, log: Logger) -> None:
        self._accepted = configuration.accepted
        self._wanted = configuration.file.watch is not None
        self._hidden = configuration.file.module.pin.environment
        self._metrics_directory = metrics_directory
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Control | None = None
        self._started = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._renewed = False

    @property
    def runs(self) -> bool:
        """It is there, or none is wanted."""
        return not self._wanted or self._process is not None

    def tick(self) -> int | None:
        """Start what is to run; the process id of one that has ended."""
        ended = self._bury()
        if self._wanted and self._process is None and time.monotonic() >= self._not_before:
            self._start()
        return ended

    def renew(self) -> None:
        """Another configuration is in force: the next one starts with it."""
        if self._process is not None:
            self._renewed = True
            self._process.terminate()

    def stop(self) -> None:
        self._wanted = False
        if self._process is None:
            return
        self._process.terminate()
        if self._control is not None:
            # It hears at once that it ends, whatever it waits for.
            self._control.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._log.error("watch did not end in time")
            self._process.kill()
            self._process.wait()
        self._close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "keybroker.server.watcher", str(self._accepted)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module, arguments as a list
                [*command, "--control", str(theirs.fileno())],
                env=self._environment(),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self._control = Control(ours)
        self._started = time.monotonic()

    def _bury(self) -> int | None:
        process = self._process
        if process is None or process.poll() is None:
            return None
        if not self._renewed:
            self._log.error("watch ended", status=process.returncode, why=self._why())
            steady = time.monotonic() - self._started > _STEADY_SECONDS
            self._failures = 0 if steady else self._failures
            self._not_before = time.monotonic() + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures += 1
        self._renewed = False
        self._close()
        return process.pid

    def _why(self) -> str:
        """What it said last."""
        said = ""
        try:
            while self._control is not None:
                for _, text in self._control.hear():
                    said = text
        except EOFError:
            return said
        return said

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        self._process, self._control = None, None

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != self._hidden}
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self._metrics_directory)
        return environment
