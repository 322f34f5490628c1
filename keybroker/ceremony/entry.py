"""What is signed for each step? Canonical JSON that says which step of which plan, when, who was there, what came out.

Each entry names SHA-256 of the one before it, so that none can be left out or changed. Performers and witnesses sign
its very octets (``signed_data.py``). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from keybroker.ledger.canonical_json import Json, decode, encode
from keybroker.ledger.ceremony_form import NOTHING_BEFORE

__all__ = ["FORM", "NOTHING_BEFORE", "Entry", "EntryUnfit", "read_entry"]

FORM = "keybroker-ceremony-entry-1"

_FIELDS = {
    "at": str,
    "ceremony": str,
    "facts": dict,
    "form": str,
    "ledger": str,
    "number": int,
    "people": list,
    "plan_sha256": str,
    "previous": str,
    "side": str,
    "step": str,
}


class EntryUnfit(Exception):
    """What is no entry, or not the one expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``number`` counts a side's own steps from 1; ``people`` are those who sign it, by name."""

    ceremony: str
    plan_sha256: str
    ledger: str
    side: str
    number: int
    step: str
    at: datetime
    people: tuple[str, ...]
    facts: Mapping[str, Json]
    previous: str = NOTHING_BEFORE

    @property
    def octets(self) -> bytes:
        """Canonical JSON, ASCII; ``at`` in whole seconds, UTC."""
        return encode(
            {
                "at": f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "ceremony": self.ceremony,
                "facts": dict(self.facts),
                "form": FORM,
                "ledger": self.ledger,
                "number": self.number,
                "people": list(self.people),
                "plan_sha256": self.plan_sha256,
                "previous": self.previous,
                "side": self.side,
                "step": self.step,
            }
        )

    @property
    def sha256(self) -> str:
        return sha256(self.octets).hexdigest()


def read_entry(octets: bytes) -> Entry:
    """Raises: EntryUnfit for octets that ``Entry.octets`` would not give."""
    try:
        read: dict[str, Any] = decode(octets)
        if {name: type(value) for name, value in read.items()} != _FIELDS:
            raise EntryUnfit("expected exactly the fields of an entry")
        if read.pop("form") != FORM:
            raise EntryUnfit(f"expected form {FORM}")
        at = datetime.strptime(read.pop("at"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        entry = Entry(**{**read, "people": tuple(read["people"]), "at": at})
        exact = entry.octets == octets
    except (ValueError, RecursionError) as error:
        raise EntryUnfit("not readable as an entry") from error
    if not exact:
        raise EntryUnfit("not as an entry is written: expected canonical JSON")
    return entry
