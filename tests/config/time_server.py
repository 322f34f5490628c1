"""A time server that speaks SNTP over UDP as RFC 4330 says, honest but for what a test makes of it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from keybroker.config.sntp import timestamp

Spoil = Callable[[bytes], list[bytes]]
"""From the honest answer to what is sent in its place, in order."""


def as_it_is(answer: bytes) -> list[bytes]:
    return [answer]


def silent(_answer: bytes) -> list[bytes]:
    return []


def kiss(code: bytes) -> Spoil:
    return lambda answer: [answer[:1] + b"\0" + answer[2:12] + code + answer[16:]]


def with_octets(start: int, octets: bytes) -> Spoil:
    return lambda answer: [answer[:start] + octets + answer[start + len(octets) :]]


def compose_answer(question: bytes, at: datetime, *, held: float = 0.0, root_distance: float = 0.01) -> bytes:
    """What a server of stratum 2 answers whose clock says ``at``, and ``held`` seconds later when it answers."""
    head = struct.pack("!BBbbIII", 4 << 3 | 4, 2, 6, -20, 0, round(root_distance * (1 << 16)), 0x0A000001)
    later = at + timedelta(seconds=held)
    return (
        head + struct.pack("!Q", timestamp(at)) + question[40:48] + struct.pack("!QQ", timestamp(at), timestamp(later))
    )


class TimeServer:
    """Answers while it is entered. ``offset``: by how many seconds its clock is ahead of this machine's; ``spoil`` may
    be changed while it runs. ``questions`` counts, ``last_asker`` is the place that asked."""

    def __init__(self, *, address: str = "127.0.0.1", offset: float = 0.0, spoil: Spoil = as_it_is) -> None:
        self.offset = offset
        self.spoil = spoil
        self.questions = 0
        self.last_asker: tuple[str, int] | None = None
        self._end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._end.bind((address, 0))
        self._end.settimeout(0.05)
        self._thread = threading.Thread(target=self._serve)
        self._stop = threading.Event()

    @property
    def host(self) -> str:
        return str(self._end.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self._end.getsockname()[1])

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._end.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                question, asker = self._end.recvfrom(512)
            except TimeoutError:
                continue
            self.questions += 1
            self.last_asker = asker
            assert len(question) == 48
            assert question[0] == 0x23
            for answer in self.spoil(compose_answer(question, datetime.now(UTC) + timedelta(seconds=self.offset))):
                self._end.sendto(answer, asker)
