"""What time is it? Everything below is told the moment; this is where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import final


@final
class Clock:
    """The broker's clock. A test deployment may stop it at a moment; a live one cannot."""

    def __init__(self, fixed: datetime | None) -> None:
        self._fixed = fixed

    def now(self) -> datetime:
        return self._fixed or datetime.now(UTC)
