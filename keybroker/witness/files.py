"""How does a witness write so that it is there after any instant? A whole file at once, or a line at the end of one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from keybroker.errors import ConfigurationInvalid, LedgerUnavailable

_TAIL_OCTETS = 16 << 20
"""How much of a log is read: some 100,000 lines, the last ones."""


@final
class Lines:
    """A log of JSON objects, one a line. A line that was torn is cut off before the next is written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._whole = 0
        self._waiting: list[bytes] = []

    def read(self) -> list[dict[str, Any]]:
        """The last lines, as far as they are whole. Raises: ConfigurationInvalid for one that is no JSON object."""
        try:
            with self._file.open("rb") as opened:
                size = opened.seek(0, os.SEEK_END)
                start = max(size - _TAIL_OCTETS, 0)
                opened.seek(start)
                octets = opened.read()
        except FileNotFoundError:
            return []
        self._whole = start + octets.rfind(b"\n") + 1
        lines = octets[: self._whole - start].splitlines()
        try:
            return [dict(json.loads(line)) for line in (lines[1:] if start else lines)]
        except (ValueError, TypeError) as error:
            raise ConfigurationInvalid("is not as this witness wrote it", where=str(self._file)) from error

    def append(self, entry: Mapping[str, object]) -> None:
        """Durable when this returns. Raises: LedgerUnavailable; the line is written with the next."""
        self._waiting.append(json.dumps(entry).encode("ascii") + b"\n")
        octets = b"".join(self._waiting)
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.truncate(self._whole)
                out.write(octets)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise LedgerUnavailable(f"{self._file.name} cannot be written ({error.strerror})") from error
        self._whole += len(octets)
        self._waiting.clear()
