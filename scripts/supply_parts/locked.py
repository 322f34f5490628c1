"""What is locked? requirements/*.txt as `scripts/lock` writes them: name, version, marker, hashes; strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "dev", "proof")

_entry = re.compile(
    r"(?P<name>[a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>[0-9][0-9a-z.]*)(?: ; (?P<marker>[^\\]+?))?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)"
).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One distribution. ``sha256``: of each of its files that may be installed. ``marker``: where it is (PEP 508)."""

    name: str
    version: str
    marker: str | None
    sha256: tuple[str, ...]


def read_lock(name: str, root: Path = ROOT) -> tuple[Locked, ...]:
    """``name``: of ``LOCKS``; ``root``: the top of the tree.

    Raises: ValueError for an entry that is no exact version with hashes.
    """
    text = (root / "requirements" / f"{name}.txt").read_text()
    without_comments = re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE)
    entries = [entry.rstrip() for entry in re.split(r"\n(?=\S)", without_comments) if entry.strip()]
    return tuple(_read(entry, name) for entry in entries)


def _read(entry: str, lock: str) -> Locked:
    found = _entry(entry)
    if found is None:
        expected = "name==version with a SHA-256 of each of its files"
        raise ValueError(f"requirements/{lock}.txt: expected {expected}, found {entry.splitlines()[0]!r}")
    hashes = tuple(sorted(re.findall(r"[0-9a-f]{64}", found["hashes"])))
    return Locked(name=found["name"], version=found["version"], marker=found["marker"], sha256=hashes)
