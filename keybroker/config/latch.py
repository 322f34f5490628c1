"""Is the module latched? A wrong PIN is tried once; then nothing tries again until an operator acts.

Tokens count wrong PINs and lock themselves. The latch is a file in the data directory, so that it outlives the broker;
``keybroker module unlatch`` takes it away.
"""

from __future__ import annotations

from pathlib import Path

_NAME = "module-latched"


def latch(data_directory: Path, why: str) -> None:
    """Write the latch; ``why`` is for the operator and holds no secret."""
    (data_directory / _NAME).write_text(why + "\n", encoding="utf-8")


def find_latch(data_directory: Path) -> str | None:
    """Why the module is latched, None where it is not."""
    try:
        return (data_directory / _NAME).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def unlatch(data_directory: Path) -> None:
    """Take the latch away; nothing happens where there is none."""
    (data_directory / _NAME).unlink(missing_ok=True)
