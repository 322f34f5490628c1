"""How do records tell of acts on the ledger itself? That it was backed up, and what was aged out of it. Pure.

SEC G2.16 (back-up), G2.17-G2.18 and G3.10 (retention). These acts tell of records before them, so whoever verifies
looks at them ahead (``verify_upkeep.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json

BACK_UP = "BackUpLedger"
RETAIN = "RetainLedger"
AGE = "AgeRecords"
UPKEEP = frozenset({BACK_UP, RETAIN, AGE})

SUBJECT = "ledger"
"""What whoever orders a retention acts on (``PersonAct.subject``)."""

MOST_RANGES = 10_000
"""In one record: a quarter of a million octets at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A back-up: the head that it holds, SHA-256 (hex) and length of its file, and of each recipient's certificate."""

    tree_size: int
    root_hash: str
    sha256: str
    octets: int
    recipients: tuple[str, ...]

    def told(self) -> dict[str, Json]:
        return {
            "act": BACK_UP,
            "octets": self.octets,
            "recipients": [*self.recipients],
            "root_hash": self.root_hash,
            "sha256": self.sha256,
            "tree_size": self.tree_size,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """What one transaction aged out, by the order in the record ``retain``.

    ``ranges`` are leaf indexes, first and last, ascending; ``kinds`` counts records, ``octets`` messages that were
    erased; ``uses`` is the sum that the aged intents gave to the table of counters (``verify``), in hex; ``until`` is
    the latest moment of an aged use, in whole seconds, None where no use was.
    """

    retain: int
    octets: int
    ranges: tuple[tuple[int, int], ...]
    kinds: Mapping[str, int]
    uses: str
    until: int | None

    def told(self) -> dict[str, Json]:
        return {
            "act": AGE,
            "kinds": dict(self.kinds),
            "octets": self.octets,
            "ranges": [[first, last] for first, last in self.ranges],
            "retain": self.retain,
            "until": self.until,
            "uses": self.uses,
        }


def retention(before: str) -> dict[str, Json]:
    """What an order of a retention names."""
    return {"act": RETAIN, "before": before}


def read_backed_up(index: int, act: Mapping[str, Json]) -> BackedUp:
    """Raises: LedgerBroken for another form."""
    match act:
        case {
            "tree_size": int(size),
            "root_hash": str(root),
            "sha256": str(sha256),
            "octets": int(octets),
            "recipients": [str(), *_] as recipients,
        } if 0 < size <= index:
            people = tuple(map(str, recipients))
            return BackedUp(tree_size=size, root_hash=root, sha256=sha256, octets=octets, recipients=people)
        case _:
            raise LedgerBroken(f"record {index}: expected what a back-up holds, found {dict(act)}")


def read_aged(index: int, act: Mapping[str, Json]) -> Aged:
    """Raises: LedgerBroken for another form."""
    try:
        match act:
            case {
                "retain": int(retain),
                "octets": int(octets),
                "ranges": list(ranges),
                "kinds": dict(kinds),
                "uses": str(uses),
                "until": int() | None as until,
            } if retain < index and int(uses, 16) >= 0:
                return Aged(
                    retain=retain,
                    octets=octets,
                    ranges=_ranges(ranges, index),
                    kinds={kind: int(str(count)) for kind, count in kinds.items()},
                    uses=uses,
                    until=until,
                )
            case _:
                raise ValueError("form")  # noqa: TRY301 - told below, in one sentence with the others
    except ValueError as error:
        raise LedgerBroken(f"record {index}: expected which records were aged out, found another form") from error


def _ranges(told: list[Json], end: int) -> tuple[tuple[int, int], ...]:
    """Raises: ValueError unless they ascend and end before the record that tells of them."""
    ranges, least = [], 1
    for each in told:
        match each:
            case [int(first), int(last)] if least <= first <= last < end:
                ranges.append((first, last))
                least = last + 1
            case _:
                raise ValueError("ranges ascend")
    return tuple(ranges)


def days_ago(at: datetime, seconds: int) -> int:
    """Whole days between a moment that a table keeps in seconds and ``at``."""
    return (int(at.timestamp()) - seconds) // 86_400
