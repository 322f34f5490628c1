"""Where does a file of these octets stand, and how is it taken away? For copies of wrapped keys on a host's disk.

Overwriting proves nothing on flash, on copy-on-write and journalling file systems, or where a back-up was made: what is
wrapped is gone for good only when the key that opens it is. SEC G5.13(c), G5.24(c).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from keybroker.clause import clause
from keybroker.errors import LedgerUnavailable
from keybroker.ledger.durable import sync_directory

UNPROVEN_OF_FILES = (
    "that flash memory, a journal, a snapshot or a back-up of the disk keeps no trace of the file",
    "that no copy stands on a medium or in a directory that was not searched",
)
"""What looking for a file cannot prove; for the transcript."""
MOST_OCTETS = 1024 * 1024
"""A longer file is no wrapped key and no key file of ours, and is not read."""


def find_file(directory: Path, digest: str) -> tuple[Path, ...]:
    """Every file under ``directory`` whose SHA-256 (hexadecimal) is this, whatever it is called; links are not
    followed. Raises: OSError where the directory cannot be read."""
    return tuple(sorted(each for each in _files(directory) if sha256(each.read_bytes()).hexdigest() == digest))


@clause("G5.13(c)", "G5.24(c)")
def erase_file(file: Path) -> None:
    """Overwritten with zeros, synced, removed, and its directory synced; nothing where it is gone already.

    Raises: LedgerUnavailable where it cannot be; it stands then, whole or overwritten.
    """
    try:
        with file.open("r+b") as opened:
            opened.write(bytes(file.stat().st_size))
            opened.flush()
            os.fsync(opened.fileno())
        file.unlink()
        sync_directory(file.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LedgerUnavailable(f"{file.name} cannot be erased ({error.strerror}); mend it, then resume") from error


def _files(directory: Path) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        raise error

    for folder, _, names in os.walk(directory, onerror=failed):
        for name in names:
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= MOST_OCTETS:
                yield file
