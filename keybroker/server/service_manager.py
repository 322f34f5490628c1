"""What does the service manager hear? Readiness, a sign of life, one line of status: sd_notify(3), by datagram.

Without $NOTIFY_SOCKET nobody listens and nothing is said. The sign of life says that the supervisor goes round, and no
more: the workers have the supervisor to look after them.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import final

OF_THE_SUPERVISOR = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"})
"""Variables that the service manager meant for the supervisor; no worker has them."""

_PATIENCE_SECONDS = 1.0


@final
class ServiceManager:
    """``environment`` is this process's, as the service manager made it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        place = environment.get("NOTIFY_SOCKET", "")
        # An abstract name begins with NUL, which no environment can hold; it is written with @ (sd_notify(3)).
        self._place = "\0" + place[1:] if place.startswith("@") else place
        self._watched = "WATCHDOG_USEC" in environment

    def ready(self, status: str) -> None:
        """Every worker serves."""
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """The supervisor goes round; said as often as it does, which is more often than a watchdog needs."""
        if self._watched:
            self._say("WATCHDOG=1", seconds=0)

    def status(self, status: str) -> None:
        """One line for ``systemctl status``."""
        self._say(f"STATUS={status}")

    def stopping(self) -> None:
        self._say("STOPPING=1\nSTATUS=workers drain")

    def _say(self, text: str, *, seconds: float = _PATIENCE_SECONDS) -> None:
        """A service manager that does not listen stops no broker; one whose queue is full is waited for a moment."""
        if not self._place:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end, contextlib.suppress(OSError):
            end.settimeout(seconds)
            end.sendto(text.encode(), self._place)
