"""How do many small requests become few large batches? What arrives while one batch is in flight forms the next.

asyncio stands in front, one signer thread behind: it alone touches the line, so ledger and token see one caller a
process. The signer takes whatever waits, without asking the event loop, and ends each batch together with the beginning
of the next. No timer: a lone request goes at once, and a batch that none follows ends at once. The queue is bounded;
what has expired or was cancelled is dropped before the line and never after, since an intent may then be durable.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Generic, TypeVar, final

from keybroker.errors import BrokerStopping, ModuleBusy, ModuleUnavailable, OutcomeUnknown
from keybroker.server.baton import Baton
from keybroker.server.signer import Call, Landed, Parcel, Signer, Work
from keybroker.signing import Item, Outcome

T = TypeVar("T")
F = TypeVar("F")


@final
class Coalescer(Generic[F]):
    """Built inside the event loop. ``queued_items`` bounds what waits and flies, ``batch_items`` what flies together.

    ``overdue_seconds``: a batch in flight for longer has an unknown outcome; nothing more is taken until it returns.
    """

    def __init__(
        self,
        work: Work[F],
        *,
        queued_items: int,
        batch_items: int,
        overdue_seconds: float,
        baton: Baton | None = None,
    ) -> None:
        self._baton = baton
        self._queued_items = queued_items
        self._overdue_seconds = overdue_seconds
        self._loop = asyncio.get_running_loop()
        self._queued = 0
        self._stopping = False
        self._overdue = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._calls: queue.SimpleQueue[Parcel | Call | None] = queue.SimpleQueue()
        self._signer = Signer(
            work, self._calls, batch_items=batch_items, loop=self._loop, land=self._landed, baton=baton
        )
        self._thread = threading.Thread(target=self._signer.run, name="signer", daemon=True)
        self._thread.start()
        self._watch = self._loop.call_later(overdue_seconds / 4, self._look)

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
        self._take(len(items))
        self._calls.put(Parcel(items, future, expires))
        if self._baton:
            self._baton.asked()
        return await future

    async def run(self, call: Callable[[], T]) -> T:
        """Run something else on the signer thread, between batches: reads, anchors. Raises: what it raises."""
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
        self._watch.cancel()
        self._calls.put(None)
        if not self._overdue:
            # The signer may want the baton once more.
            with self._baton.lent() if self._baton else nullcontext():
                self._thread.join()

    def _check_room(self, items: int) -> None:
        if self._stopping:
            raise BrokerStopping("this worker is stopping; ask again")
        if self._overdue:
            raise ModuleUnavailable("the module has not answered in time; nothing is taken until it does")
        if self._queued + items > self._queued_items:
            raise ModuleBusy(f"the queue of {self._queued_items} items is full; nothing was signed; ask again")

    def _landed(self, landed: Landed) -> None:
        """On the event loop: what a batch brought, for each of its parcels."""
        if self._baton:
            self._baton.answered(len(landed))
        for parcel, outcomes in landed:
            self._give(len(parcel.items))
            if parcel.future.done():
                continue
            if isinstance(outcomes, Exception):
                parcel.future.set_exception(outcomes)
            else:
                parcel.future.set_result(outcomes)
        self._overdue = self._overdue and self._is_overdue()

    def _is_overdue(self) -> bool:
        since = self._signer.busy_since
        return since is not None and time.monotonic() - since > self._overdue_seconds

    def _look(self) -> None:
        """The batch may still end well; its callers cannot wait for it. Who waits behind it was not begun."""
        self._watch = self._loop.call_later(self._overdue_seconds / 4, self._look)
        if not self._is_overdue():
            return
        self._overdue = True
        for parcel in self._signer.parcels:
            if not parcel.future.done():
                parcel.future.set_exception(
                    OutcomeUnknown("the module did not answer in time; the key may have been used")
                )
        while (waiting := self._next_waiting()) is not None:
            self._give(len(waiting.items))
            if not waiting.future.done():
                waiting.future.set_exception(ModuleUnavailable("the module did not answer in time; nothing was signed"))

    def _next_waiting(self) -> Parcel | None:
        """Takes one parcel out of the queue; calls stay, behind one another as they were."""
        calls: list[Call | None] = []
        found: Parcel | None = None
        while found is None and not self._calls.empty():
            taken = self._calls.get()
            if isinstance(taken, Parcel):
                found = taken
            else:
                calls.append(taken)
        for call in calls:
            self._calls.put(call)
        return found

    def _ran(self, future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
        self._give(1)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _take(self, items: int) -> None:
        self._queued += items
        self._idle.clear()

    def _give(self, items: int) -> None:
        self._queued -= items
        if not self._queued:
            self._idle.set()
