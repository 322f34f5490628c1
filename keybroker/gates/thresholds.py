"""Which Anomaly Detection Thresholds are in force, of which notifications? SEC G6.3, G6.6, G6.6A.

Of the notifications by one User for one part of the systems the greatest sequence alone counts: where that one has
lapsed, nothing is in force, and never an older one again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.statement.payloads import Threshold, ThresholdNotification
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

DCC = "dcc"
"""How whatever is the DCC's own is called beside User IDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """The newest notification by one User. ``whose``: the User ID, or ``dcc``; ``why_not`` is empty where it counts.

    ``has_values``: is there any threshold on a data value?
    """

    whose: str
    statement: Statement
    notification: ThresholdNotification
    why_not: str
    has_values: bool

    def find(self, measure: str, subject: str) -> Threshold | None:
        """The threshold on a count; ``subject`` is a Service Reference Variant or a Message Code."""
        return next(
            (
                each
                for each in self.notification.thresholds
                if (each.measure, each.variant or each.code) == (measure, subject)
            ),
            None,
        )

    def on_values(self, code: int) -> tuple[Threshold, ...]:
        """The thresholds on data values of this Message Code."""
        name = f"0x{code:04X}"
        return tuple(each for each in self.notification.thresholds if (each.measure, each.code) == ("value", name))


@clause("G6.3(a)", "G6.6(a)", "G6.6(c)", "G6.10")
def newest(standing: Standing, part: str, at: datetime) -> Mapping[str, Notified]:
    """By whose they are: the notification with the greatest sequence, whether it counts at this moment or not."""
    found: dict[str, Notified] = {}
    for statement, notification in standing.ever(ThresholdNotification):
        whose = notification.user or DCC
        before = found.get(whose)
        if notification.part != part or (before and before.notification.sequence >= notification.sequence):
            continue
        void = standing.why_void(statement, at)
        why_not = "" if void is None else f"{void.flaw}: {void.found}"
        found[whose] = Notified(
            whose=whose,
            statement=statement,
            notification=notification,
            why_not=why_not,
            has_values=any(each.measure == "value" for each in notification.thresholds),
        )
    return found
