"""Is this the only broker in the data directory? A lock that the kernel drops when the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keybroker.errors import BrokerStopping, ConfigurationInvalid


@contextmanager
def hold_directory(directory: Path) -> Iterator[None]:
    """Make the directory where there is none, and hold it. Raises: BrokerStopping when another broker holds it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationInvalid(
            f"{directory} cannot be written: {error.strerror}", where="data_directory"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BrokerStopping(f"another broker is running in {directory}") from error
    finally:
        os.close(descriptor)
