"""What stands in another process's memory? All that a core image of it would hold, read from /proc/PID/mem (root's)."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_PIECE = 1 << 24
_NOT_MEMORY = ("[vvar]", "[vsyscall]", "[vvar_vclock]")


def spellings(secret: str) -> tuple[bytes, ...]:
    """As a dump, a log or a file may write it."""
    return *spellings_of_octets(secret.encode()), secret.encode("utf-16-le")


def spellings_of_octets(octets: bytes) -> tuple[bytes, ...]:
    return octets, octets.hex().encode(), octets.hex().upper().encode(), base64.b64encode(octets).rstrip(b"=")


def where_in_memory(pid: int, secret: bytes) -> list[str]:
    """The mappings that hold ``secret``. Raises: PermissionError for whoever may not look."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        return [
            name
            for start, end, name in _readable(pid)
            if any(secret in piece for piece in _pieces(memory.fileno(), start, end, len(secret)))
        ]


def written_in_memory(pid: int, secrets: Iterable[bytes]) -> set[bytes]:
    """Those of ``secrets`` that stand in memory which the process may write: not in the files that it maps.

    Raises: PermissionError for whoever may not look.
    """
    left = set(secrets)
    overlap = max(map(len, left))
    found: set[bytes] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, _ in _readable(pid, modes="rw"):
            for piece in _pieces(memory.fileno(), start, end, overlap):
                found |= {secret for secret in left - found if secret in piece}
    return found


def children(pid: int) -> list[int]:
    """Process ids of what this process started, and of what its threads did."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _readable(pid: int, modes: str = "r") -> Iterator[tuple[int, int, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, permitted, *_, name = [*line.split(maxsplit=5), ""][:6]
        if permitted.startswith(modes) and name not in _NOT_MEMORY:
            start, end = (int(number, 16) for number in place.split("-"))
            yield start, end, name or "(anonymous)"


def _pieces(descriptor: int, start: int, end: int, overlap: int) -> Iterator[bytes]:
    """Each reaches into the next, so that nothing is cut in two; a mapping that went meanwhile holds nothing."""
    for at in range(start, end, _PIECE):
        try:
            yield os.pread(descriptor, min(_PIECE + overlap, end - at), at)
        except OSError:
            return
