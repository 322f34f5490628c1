"""Which statement about one thing counts? The newest: what was said later takes the place of what was said before.

It does so whether it still counts or not. A newer statement that has lapsed does not bring an older one back: whoever
wants that withdraws the newer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

P = TypeVar("P", bound=Said)


def newest(standing: Standing, model: type[P], about: Callable[[P], bool]) -> tuple[Statement, P] | None:
    """By when it was said, and of two of one second the one that came last; None where nothing was ever said."""
    said = (each for each in standing.ever(model) if about(each[1]))
    return max(said, key=lambda each: each[1].iat, default=None)


def newest_in_force(
    standing: Standing, model: type[P], about: Callable[[P], bool], at: datetime
) -> tuple[Statement, P] | None:
    """The newest, where it counts at this moment."""
    found = newest(standing, model, about)
    return found if found is not None and standing.why_void(found[0], at) is None else None
