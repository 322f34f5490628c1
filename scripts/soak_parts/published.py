"""What does the world see of the ledger? Every checkpoint that is published meanwhile, kept for the checker."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import final

from scripts.soak_parts.scene import Scene

_LOOK_SECONDS = 0.5


@final
class Published:
    """Looks at the published checkpoint again and again, and keeps each that it sees, a line of JSON each."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stopping = threading.Event()
        self._seen: list[str] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        with self._scene.checkpoints.open("w") as kept:
            while not self._stopping.wait(_LOOK_SECONDS):
                with suppress(FileNotFoundError):
                    text = self._scene.published.read_text()
                    if text not in self._seen:
                        self._seen.append(text)
                        kept.write(json.dumps(text) + "\n")

    def stop(self) -> int:
        """Answers how many were seen."""
        self._stopping.set()
        self._thread.join()
        return len(self._seen)
