"""What may become of a communication that exceeded an Anomaly Detection Threshold? SEC G6.1(a)(iii), (d). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class QuarantineState(StrEnum):
    """What became of it; the last two are for ever."""

    QUARANTINED = "quarantined"
    RELEASED = "released"
    DELETED = "deleted"
    PROCESSED = "processed"


ACTIONS: Mapping[str, tuple[tuple[QuarantineState, ...], QuarantineState]] = {
    "release": ((QuarantineState.QUARANTINED,), QuarantineState.RELEASED),
    "delete": ((QuarantineState.QUARANTINED, QuarantineState.RELEASED), QuarantineState.DELETED),
}
"""What a User may say of it: from which states, and to which."""
