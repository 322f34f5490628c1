"""What did the policy say that judged this, years ago? The texts whose digests records name, kept from their first use.

A record names SHA-256 of configuration, profile and policies in force. A pen is made with these digests, and their
texts are kept in the data directory before it writes its first record, each under its digest: never changed, never
removed by the broker. What an earlier version had in force was not kept; an evidence package says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from keybroker.ledger.durable import write_durably

DIRECTORY = "in-force"


def keep_texts(data_directory: Path, texts: Iterator[bytes]) -> None:
    """Raises: LedgerUnavailable where one cannot be written: no digest is recorded that nobody can read."""
    for text in texts:
        file = _file(data_directory, sha256(text).hexdigest())
        if not file.exists():
            write_durably(file, text, private=True)


def find_text(data_directory: Path, digest: str) -> bytes | None:
    """The text with this digest (hexadecimal), None where none is kept or what is kept is another."""
    try:
        text = _file(data_directory, digest).read_bytes()
    except OSError:
        return None
    return text if sha256(text).hexdigest() == digest else None


def every_text(data_directory: Path) -> Iterator[bytes]:
    """Each text that is kept, and is what its name says."""
    directory = data_directory / DIRECTORY
    for file in sorted(directory.iterdir()) if directory.is_dir() else ():
        if (text := find_text(data_directory, file.name)) is not None:
            yield text


def _file(data_directory: Path, digest: str) -> Path:
    return data_directory / DIRECTORY / digest
