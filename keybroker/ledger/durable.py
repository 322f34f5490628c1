"""How is a file written so that it is there whole, or not at all, whatever happens meanwhile?"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from keybroker.errors import LedgerUnavailable


def write_durably(path: Path, octets: bytes, *, private: bool = False) -> Path:
    """Beside it first, synced, then renamed, and its directory synced. ``private``: its owner alone may read it.

    Raises: LedgerUnavailable where it cannot be written; what stood there before is as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        mode = 0o600 if private else 0o644
        # Nobody else's file is written to, nor what a link points at.
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise LedgerUnavailable(
            f"{path.name} cannot be written ({error.strerror}); nothing was changed: make room, then resume"
        ) from error
    return path


def sync_directory(directory: Path) -> None:
    """What was named, renamed or removed in it stays so, whatever happens now. Raises: OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
