"""How does a record tell of an Anomalous Event? SEC G2.29-G2.30, G3.15-G3.16. Pure.

One administrative act a finding; ``docs/operations/anomalies.md`` says what each detector looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from keybroker.ledger.canonical_json import Json

ANOMALOUS = "AnomalousEvent"
"""The act."""
CLAUSES = "G2.29, G2.30, G3.15, G3.16"
"""What obliges the DCC and Supplier Parties to detect such events."""


class Detector(StrEnum):
    """What found it."""

    NEW_PAIR = "new-pair"
    """A caller used a key that it never used before."""
    BURST = "burst"
    """A key was used more often in so many seconds than it should be."""
    REFUSAL_STORM = "refusal-storm"
    """A caller, or somebody at the machine, was refused more often in so many seconds than anybody should be."""
    OUT_OF_HOURS = "out-of-hours"
    """A ceremony or an administrative act at an hour at which nobody should be there."""
    COUNTER_GAP = "counter-gap"
    """The ledger gave a number that is not the next."""
    WITHOUT_OUTCOME = "without-outcome"
    """A key may have been used, and no outcome was written."""
    USES_DIFFER = "uses-differ"
    """The module counted another number of uses of a key than the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """``record`` is the leaf index of what gave rise to it; ``subject`` whom or what it concerns."""

    detector: Detector
    record: int
    subject: str
    expected: str
    found: str

    @property
    def identity(self) -> tuple[str, int, str]:
        """No two records tell of one event: not after a crash either."""
        return self.detector.value, self.record, self.subject

    def told(self) -> dict[str, Json]:
        """As its record says it."""
        return {
            "act": ANOMALOUS,
            "clause": CLAUSES,
            "detector": self.detector.value,
            "expected": self.expected,
            "found": self.found,
            "record": self.record,
            "subject": self.subject,
        }


def read_anomaly(act: Mapping[str, Json]) -> Anomaly:
    """What a record of the act tells. Raises: ValueError for another form."""
    match act:
        case {
            "detector": str(detector),
            "expected": str(expected),
            "found": str(found),
            "record": int(record),
            "subject": str(subject),
        } if not isinstance(record, bool):
            known = Detector(detector)
            return Anomaly(detector=known, record=record, subject=subject, expected=expected, found=found)
        case _:
            raise ValueError("detector, record, subject, expected, found")
