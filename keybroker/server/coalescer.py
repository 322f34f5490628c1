"""How do many small requests become few large batches? What arrives while one batch is in flight forms the next.

asyncio stands in front, one signer thread behind: it alone touches the line, so ledger and token see one caller a
process. No timer: a lone request goes at once. The queue is bounded; what has expired or was cancelled is dropped
before the line and never after, since an intent may then be durable.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar, cast, final

from keybroker.errors import BrokerStopping, ModuleBusy, ModuleUnavailable, OutcomeUnknown
from keybroker.ledger.model import Refused
from keybroker.signing import Ask, Outcome

Item = Ask | Refused
Work = Callable[[Sequence[Item]], Sequence[Outcome]]
"""Takes a batch down the line on the signer thread; an outcome for each, in order."""

T = TypeVar("T")


class _Parcel:
    """What one call brought: it travels, and comes back, together."""

    __slots__ = ("expires", "future", "items")

    def __init__(self, items: Sequence[Item], future: asyncio.Future[Sequence[Outcome]], expires: float) -> None:
        self.items = items
        self.future = future
        self.expires = expires


@final
class Coalescer:
    """Built inside the event loop. ``queued_items`` bounds what waits and flies; ``batch_items`` what flies together.

    ``overdue_seconds``: a batch in flight for longer has an unknown outcome; nothing is taken until it returns.
    """

    def __init__(self, work: Work, *, queued_items: int, batch_items: int, overdue_seconds: float) -> None:
        self._work = work
        self._queued_items = queued_items
        self._batch_items = batch_items
        self._overdue_seconds = overdue_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Parcel] = deque()
        self._flying: list[_Parcel] = []
        self._formed = False
        self._queued = 0
        self._stopping = False
        self._overdue = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="signer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Items waiting and flying."""
        return self._queued

    @property
    def overdue(self) -> bool:
        return self._overdue

    async def sign(self, items: Sequence[Item], *, expires: float) -> Sequence[Outcome]:
        """Take the items down the line together. ``expires`` is on the event loop's clock.

        Raises: BrokerStopping, ModuleBusy (no place, or expired in the queue), ModuleUnavailable, OutcomeUnknown.
        """
        self._check_room(len(items))
        future: asyncio.Future[Sequence[Outcome]] = self._loop.create_future()
        self._waiting.append(_Parcel(items, future, expires))
        self._take(len(items))
        if not self._flying and not self._formed:
            # After this turn of the loop, so that what is being read now goes along.
            self._formed = True
            self._loop.call_soon(self._form)
        return await future

    async def run(self, call: Callable[[], T]) -> T:
        """Run something else on the signer thread, between batches. Raises: as ``sign``, and what it raises."""
        self._check_room(1)
        return await self.run_unbounded(call)

    async def run_unbounded(self, call: Callable[[], T]) -> T:
        """The same for the broker's own work, which must not be shut out by a full queue or a drain."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._take(1)

        def called() -> None:
            try:
                result = call()
            except Exception as error:  # noqa: BLE001  # handed to whoever awaits it
                self._loop.call_soon_threadsafe(self._ran, future, None, error)
            else:
                self._loop.call_soon_threadsafe(self._ran, future, result, None)

        self._calls.put(called)
        return await future

    def refuse_new(self) -> None:
        """From now on new work is refused with BrokerStopping."""
        self._stopping = True

    async def drained(self) -> None:
        """Returns when nothing waits and nothing flies."""
        await self._idle.wait()

    def close(self) -> None:
        """End the signer thread after what it has been given; waits for it unless it is overdue."""
        self._calls.put(None)
        if not self._overdue:
            self._thread.join()

    def _check_room(self, items: int) -> None:
        if self._stopping:
            raise BrokerStopping("this worker is stopping; ask again")
        if self._overdue:
            raise ModuleUnavailable("the module has not answered in time; nothing is taken until it does")
        if self._queued + items > self._queued_items:
            raise ModuleBusy(f"the queue of {self._queued_items} items is full; nothing was signed; ask again")

    def _form(self) -> None:
        """Make the next batch of what waits and give it to the signer."""
        self._formed = False
        parcels, items = self._next_parcels()
        if not parcels:
            return
        self._flying = parcels
        timer = self._loop.call_later(self._overdue_seconds, self._has_overdue, parcels)

        def called() -> None:
            try:
                outcomes = self._work(items)
            except Exception as error:  # noqa: BLE001  # the last resort: each call answers INTERNAL, and logs it
                self._loop.call_soon_threadsafe(self._failed, parcels, timer, error)
            else:
                self._loop.call_soon_threadsafe(self._landed, parcels, timer, outcomes)

        self._calls.put(called)

    def _next_parcels(self) -> tuple[list[_Parcel], list[Item]]:
        parcels: list[_Parcel] = []
        items: list[Item] = []
        now = self._loop.time()
        while self._waiting and (not items or len(items) + len(self._waiting[0].items) <= self._batch_items):
            parcel = self._waiting.popleft()
            if parcel.future.done():  # cancelled: the caller has gone
                self._give(len(parcel.items))
            elif parcel.expires <= now:
                self._give(len(parcel.items))
                parcel.future.set_exception(
                    ModuleBusy("the deadline passed in the queue; nothing was signed; ask again")
                )
            else:
                parcels.append(parcel)
                items += parcel.items
        return parcels, items

    def _landed(self, parcels: list[_Parcel], timer: asyncio.TimerHandle, outcomes: Sequence[Outcome]) -> None:
        start = 0
        for parcel in parcels:
            end = start + len(parcel.items)
            if not parcel.future.done():
                parcel.future.set_result(outcomes[start:end])
            start = end
        self._next(parcels, timer)

    def _failed(self, parcels: list[_Parcel], timer: asyncio.TimerHandle, error: Exception) -> None:
        for parcel in parcels:
            if not parcel.future.done():
                parcel.future.set_exception(error)
        self._next(parcels, timer)

    def _next(self, parcels: list[_Parcel], timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._overdue = False
        self._flying = []
        self._give(sum(len(parcel.items) for parcel in parcels))
        if self._waiting:
            # After the replies of this batch: two threads that want the interpreter at once slow each other down.
            self._formed = True
            self._loop.call_soon(self._form)

    def _has_overdue(self, parcels: list[_Parcel]) -> None:
        """The batch may still end well; its callers cannot wait for it. Who waits behind it was not begun."""
        self._overdue = True
        for parcel in parcels:
            if not parcel.future.done():
                parcel.future.set_exception(
                    OutcomeUnknown("the module did not answer in time; the key may have been used")
                )
        while self._waiting:
            parcel = self._waiting.popleft()
            self._give(len(parcel.items))
            if not parcel.future.done():
                parcel.future.set_exception(ModuleUnavailable("the module did not answer in time; nothing was signed"))

    def _ran(self, future: asyncio.Future[T], result: T | None, error: Exception | None) -> None:
        self._give(1)
        if future.done():
            return
        if error is None:
            future.set_result(cast("T", result))
        else:
            future.set_exception(error)

    def _take(self, items: int) -> None:
        self._queued += items
        self._idle.clear()

    def _give(self, items: int) -> None:
        self._queued -= items
        if not self._queued:
            self._idle.set()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
