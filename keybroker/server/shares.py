"""May this caller have more of the queue? Nobody holds more than half of it, so that there is room for the others.

Counted are items (and reads, as one each) from when they are handed over until the queue has let go of them, which for
a call that was cancelled is later than its end.
"""

from __future__ import annotations

from collections import Counter
from typing import final

from keybroker.errors import ModuleBusy


@final
class Shares:
    """``most``: items of one caller. Callers go by their identity in the caller table, strangers by their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    def take(self, who: str, items: int) -> None:
        """Raises: ModuleBusy."""
        if self._held[who] + items > self._most:
            raise ModuleBusy(
                f"this caller holds its whole share of the queue ({self._most} items); nothing was signed; ask again"
            )
        self._held[who] += items

    def give(self, who: str, items: int) -> None:
        self._held[who] -= items
        if not self._held[who]:
            # Else it would remember every stranger there ever was.
            del self._held[who]
