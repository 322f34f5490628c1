"""What does the signer thread do? Takes what waits, begins it as one batch while the batch before ends, and again."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Generic, Protocol, TypeVar, final

from keybroker.errors import ModuleBusy
from keybroker.server.baton import Baton
from keybroker.signing import Item, Outcome

F = TypeVar("F")
Call = Callable[[], None]


class Work(Protocol[F]):
    """Takes batches down the line, on the signer thread. ``F`` is a batch that flies."""

    def begin(self, items: Sequence[Item], after: F | None) -> tuple[Sequence[Outcome], F]:
        """An outcome for each item of the batch before, in order, and this one, of which no key was used yet."""
        ...

    def use(self, flying: F) -> F:
        """The module uses its keys."""
        ...

    def end(self, flying: F) -> Sequence[Outcome]:
        """An outcome for each item of a batch that no other follows."""
        ...


class Parcel:
    """What one call brought: it travels, and comes back, together. ``expires`` is on the event loop's clock."""

    __slots__ = ("expires", "future", "items")

    def __init__(self, items: Sequence[Item], future: asyncio.Future[Sequence[Outcome]], expires: float) -> None:
        self.items = items
        self.future = future
        self.expires = expires


Landed = Sequence[tuple[Parcel, Sequence[Outcome] | Exception]]


@final
class Signer(Generic[F]):
    """``taken`` brings parcels, other calls in their order, and None to stop. ``land`` is called on the event loop."""

    def __init__(
        self,
        work: Work[F],
        taken: queue.SimpleQueue[Parcel | Call | None],
        *,
        batch_items: int,
        loop: asyncio.AbstractEventLoop,
        land: Callable[[Landed], None],
        baton: Baton | None,
    ) -> None:
        self._work = work
        self._taken = taken
        self._batch_items = batch_items
        self._loop = loop
        self._land = land
        self._baton = baton
        self._put_back: list[Parcel | Call | None] = []
        """What was taken and has to wait: one at most."""
        self._after: F | None = None
        self._parcels: list[Parcel] = []
        self.busy_since: float | None = None
        """When the step that is under way began, on the monotonic clock; None between steps."""

    @property
    def parcels(self) -> Sequence[Parcel]:
        """The parcels that fly."""
        return tuple(self._parcels)

    def run(self) -> None:
        """The thread's whole life."""
        while True:
            # With a batch in flight nothing is waited for: whoever follows is there now, or nobody does.
            if self._after is None and not self._put_back:
                self._put_back.append(self._taken.get())
            with self._baton or nullcontext():
                parcels, items = self._gather()
                if parcels:
                    self._step(self._begin, parcels, items)
                    continue
                if self._after is not None:
                    self._step(self._end)
                    continue
            if self._put_back:
                call = self._put_back.pop()
                if call is None:
                    return
                if not isinstance(call, Parcel):
                    call()

    def _gather(self) -> tuple[list[Parcel], list[Item]]:
        """What waits now, as far as it may fly together; what expired or was cancelled is dropped."""
        parcels: list[Parcel] = []
        items: list[Item] = []
        now = self._loop.time()
        while self._put_back or not self._taken.empty():
            waiting = self._put_back.pop() if self._put_back else self._taken.get()
            if not isinstance(waiting, Parcel) or (items and len(items) + len(waiting.items) > self._batch_items):
                self._put_back.append(waiting)
                break
            if self._is_wanted(waiting, now):
                parcels.append(waiting)
                items += waiting.items
        return parcels, items

    def _is_wanted(self, parcel: Parcel, now: float) -> bool:
        if parcel.future.done():  # cancelled: the caller has gone
            self._say([(parcel, ())])
            return False
        if parcel.expires <= now:
            self._say([(parcel, ModuleBusy("the deadline passed in the queue; nothing was signed; ask again"))])
            return False
        return True

    def _step(self, step: Callable[..., None], *arguments: object) -> None:
        self.busy_since = time.monotonic()
        try:
            step(*arguments)
        finally:
            self.busy_since = None

    def _begin(self, parcels: list[Parcel], items: list[Item]) -> None:
        before, after = self._parcels, self._after
        self._parcels = [*before, *parcels]
        try:
            outcomes, flying = self._work.begin(items, after)
            self._parcels = parcels
            self._share(before, outcomes)
            self._after = self._work.use(flying)
        except Exception as error:  # noqa: BLE001  # the last resort: each call answers INTERNAL, and logs it
            self._say([(parcel, error) for parcel in self._parcels])
            self._parcels, self._after = [], None

    def _end(self) -> None:
        flying, self._after = self._after, None
        parcels = self._parcels
        try:
            outcomes = self._work.end(flying)  # type: ignore[arg-type]  # called only where a batch flies
        except Exception as error:  # noqa: BLE001  # as above
            self._parcels = []
            self._say([(parcel, error) for parcel in parcels])
        else:
            self._parcels = []
            self._share(parcels, outcomes)

    def _share(self, parcels: Sequence[Parcel], outcomes: Sequence[Outcome]) -> None:
        landed: list[tuple[Parcel, Sequence[Outcome] | Exception]] = []
        start = 0
        for parcel in parcels:
            end = start + len(parcel.items)
            landed.append((parcel, outcomes[start:end]))
            start = end
        if landed:
            self._say(landed)

    def _say(self, landed: Landed) -> None:
        self._loop.call_soon_threadsafe(self._land, landed)
