"""What may become of a communication that exceeded an Anomaly Detection Threshold? SEC G6.1(a)(iii), (d). Pure."""

from __future__ import annotations

from enum import StrEnum


class QuarantineState(StrEnum):
    """What became of it; the last two are for ever."""

    QUARANTINED = "quarantined"
    RELEASED = "released"
    DELETED = "deleted"
    PROCESSED = "processed"
