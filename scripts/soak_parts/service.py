"""Who keeps the broker up? What systemd would do: start it, and again a moment after it ended without being told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from scripts.soak_parts.scene import Scene

RESTART_SECONDS = 1.0
_STOP_SECONDS = 60.0
_WORKER = b"keybroker.server.worker"


@final
class Service:
    """``keybroker serve`` on the scene. ``starts`` counts how often it was started, ``statuses`` how it ended."""

    def __init__(self, scene: Scene, *, workers: int) -> None:
        self._scene, self.workers_wanted = scene, workers
        self._stopping = threading.Event()
        self._held = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.statuses: list[int] = []
        self._thread = threading.Thread(target=self._keep_up, daemon=True)
        self._thread.start()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            with self._held:
                self._process = process = self._start()
            self.statuses.append(process.wait())
            self._stopping.wait(RESTART_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        deployment = self._scene.deployment
        command = [sys.executable, "-P", "-m", "keybroker.server", str(deployment.config_path)]
        # Our own silence about the transport is not the broker's, which counts failed handshakes by what it says.
        inherited = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
        environment = {**inherited, **self._scene.broker_environment}
        self.starts += 1
        with self._scene.log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--workers", str(self.workers_wanted)], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def supervisor(self) -> int:
        """Its process id."""
        return self._process.pid if self._process is not None else 0

    def workers(self) -> list[int]:
        """Process ids; fewer than wanted while some are down."""
        return [pid for pid in self.children() if _WORKER in _command(pid)]

    def children(self) -> list[int]:
        """Process ids of all that the supervisor started: workers, and what follows the ledger beside them."""
        try:
            children = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [int(child) for child in children]

    def workers_ready(self) -> int:
        """As its metrics say."""
        try:
            with urllib.request.urlopen(f"http://{self._scene.deployment.metrics}/metrics", timeout=2) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            return 0
        return int(sum(float(line.split()[-1]) for line in lines if line.startswith("keybroker_workers_ready ")))

    def kill(self, *pids: int) -> None:
        """kill -9; who has gone already is let be."""
        for pid in pids:
            tell(pid, signal.SIGKILL)

    @contextmanager
    def down(self) -> Iterator[None]:
        """All of it killed, and not started again before the block ends."""
        with self._held:
            self.kill(self.supervisor, *self.children())
            time.sleep(0.5)
            yield

    def stop(self) -> int:
        """In order, as an operator would. Answers the exit status."""
        self._stopping.set()
        with self._held:
            tell(self.supervisor, signal.SIGTERM)
        self._thread.join(_STOP_SECONDS)
        return self.statuses[-1] if self.statuses else -1


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def tell(pid: int, what: signal.Signals) -> None:
    """Nothing happens where the process has gone."""
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, what)
