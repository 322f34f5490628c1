"""When are so many calendar months over? SEC G2.22B(c), (d): "at least 24 months", "at least six months"."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime

from keybroker.clause import clause


@clause("G2.22B(c)", "G2.22B(d)")
def months_after(moment: datetime, months: int) -> datetime:
    """The same day and time of a later month; where it has no such day, midnight at its end ("at least").

    31 August and six months is the end of February: 1 March, 00:00.
    """
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    if moment.day <= monthrange(year, month)[1]:
        return moment.replace(year=year, month=month)
    return months_after(moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0), months + 1)
