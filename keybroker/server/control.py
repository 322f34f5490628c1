"""What do supervisor and worker say to each other? One line of JSON a message, over a socket that the worker inherits.

The PIN comes this way, not by argument or environment. When the socket closes, the supervisor has gone and the worker
drains.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Literal, final

Word = Literal["pin", "reload", "ready", "alive", "taken", "kept", "failed"]


@final
class Control:
    """One end. Its repr shows no message."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""

    def fileno(self) -> int:
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()

    def say(self, word: Word, text: str = "") -> None:
        """Nothing happens when the other end has gone: it is noticed where one listens."""
        try:
            self._end.sendall(_line(word, text))
        except OSError:
            return

    def mention(self, word: Word) -> None:
        """The same, but nobody waits for an end that does not listen: where there is no room it is left out."""
        try:
            self._end.send(_line(word, ""), socket.MSG_DONTWAIT)
        except OSError:
            return

    def hear(self) -> Iterator[tuple[str, str]]:
        """What has come. Raises: EOFError when the other end has gone. Blocks where nothing has come."""
        try:
            octets = self._end.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise EOFError from error
        if not octets:
            raise EOFError
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            word, text = json.loads(line)
            yield word, text


def _line(word: Word, text: str) -> bytes:
    return json.dumps([word, text]).encode("ascii") + b"\n"
