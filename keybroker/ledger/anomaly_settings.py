"""What is too often, too long and too late? The figures that detectors of Anomalous Events go by. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo

_WORKDAYS = frozenset(range(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalySettings:
    """What is too often, too long and too late. ``dated``: when somebody last looked at these figures.

    ``first_hour`` to ``last_hour`` (not included), on ``days`` (0 is Monday) in ``zone``, are the hours in which people
    work on the deployment; where the two are equal every hour is one of them.
    """

    dated: date = date(2026, 11, 1)
    burst_uses: int = 50_000
    burst_seconds: int = 60
    refusals: int = 50
    refusal_seconds: int = 300
    open_seconds: int = 60
    first_hour: int = 7
    last_hour: int = 19
    days: frozenset[int] = _WORKDAYS
    zone: tzinfo = UTC

    def is_worked(self, at: datetime) -> bool:
        """Is it one of the hours in which people work?"""
        local = at.astimezone(self.zone)
        if self.first_hour == self.last_hour:
            return local.weekday() in self.days
        return local.weekday() in self.days and self.first_hour <= local.hour < self.last_hour

    def within(self, *, first_hour: int, last_hour: int, days: frozenset[int], zone: tzinfo) -> AnomalySettings:
        """The same figures, with other hours."""
        return replace(self, first_hour=first_hour, last_hour=last_hour, days=days, zone=zone)

    @property
    def hours(self) -> str:
        """As people read it."""
        names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        days = " ".join(names[each] for each in sorted(self.days))
        return f"{days}, {self.first_hour:02}:00 to {self.last_hour:02}:00 ({self.zone})"


SAFE = AnomalySettings()
"""What stands where the configuration says nothing."""
