"""Who keeps asking? One client process of each sort; one that is killed is started again, with a file of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import final

from scripts.soak_parts.client import SORTS
from scripts.soak_parts.scene import Scene

_STOP_SECONDS = 20.0
_FIRST_SECONDS = 120.0
_SILENT_SECONDS = 60.0


@final
class Load:
    """The clients of one run."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene, self._seed, self._started = scene, seed, 0
        self._clients = {name: self._start(name) for name in SORTS}
        self.unasked_ends: list[str] = []

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        self._started += 1
        file = self._scene.replies / f"{name}-{self._started}.jsonl"
        arguments = [str(self._scene.deployment.directory), name, str(file), f"{self._seed}-{self._started}"]
        return subprocess.Popen([sys.executable, "-P", "-m", "scripts.soak_parts.client", *arguments])

    def wait_for_first(self) -> None:
        """Until every client holds something. Raises: SystemExit where one holds nothing after two minutes."""
        last = time.monotonic() + _FIRST_SECONDS
        while any(self._held(name) == 0 for name in SORTS):
            if time.monotonic() > last:
                empty = [name for name in SORTS if self._held(name) == 0]
                raise SystemExit(f"soak: these clients got no signature: {', '.join(empty)}; see broker.log")
            time.sleep(0.2)

    def _held(self, name: str) -> int:
        return sum(file.stat().st_size for file in self._scene.replies.glob(f"{name}-[0-9]*.jsonl"))

    def silent(self) -> list[str]:
        """Clients that hold nothing new within a minute, although all is well again: none should stay behind."""
        before = {name: self._held(name) for name in SORTS}
        last = time.monotonic() + _SILENT_SECONDS
        while time.monotonic() < last:
            if all(self._held(name) > size for name, size in before.items()):
                break
            time.sleep(0.2)
        return [name for name, size in before.items() if self._held(name) == size]

    @property
    def names(self) -> list[str]:
        return list(self._clients)

    def kill_one(self, name: str) -> None:
        """kill -9, in whatever it is doing; another takes its place."""
        self._clients[name].kill()
        self._clients[name].wait()
        self._clients[name] = self._start(name)

    def look(self) -> None:
        """A client that ended by itself is started again, and told of."""
        for name, client in self._clients.items():
            if client.poll() is not None:
                self.unasked_ends.append(f"{name}: status {client.returncode}")
                self._clients[name] = self._start(name)

    def stop(self) -> None:
        for client in self._clients.values():
            client.terminate()
        for client in self._clients.values():
            try:
                client.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()
