"""One SignStream call: items go out in messages, outcomes come back in any order and find their asker by request_id.

A stream ends for many reasons (the connection's age, a worker that drains or dies). Whatever is unanswered then is told
so (``Ended``), and its asker decides whether to ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import final

import grpc
from google.rpc import code_pb2

from keybroker.client.refusals import BrokerUnreachable, error_from
from keybroker.client.wire import WireStatus, status_of
from keybroker.errors import KeybrokerError
from keybroker.pb import signing_pb2, signing_pb2_grpc

_CLOSED = WireStatus(code=code_pb2.OK, message="the broker closed the stream", details=(), retry_delay=None)
_CANCELLED = WireStatus(code=code_pb2.CANCELLED, message="the client was closed", details=(), retry_delay=None)
_BROKEN = WireStatus(code=code_pb2.UNAVAILABLE, message="the stream ended", details=(), retry_delay=None)
_MESSAGES_UNANSWERED = 2
"""One at the broker and one on its way; what comes meanwhile gathers into the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The stream ended before the outcome came: ``code`` is a google.rpc.Code, OK when the broker closed it."""

    code: int
    error: KeybrokerError
    retry_delay: float | None


@dataclass(slots=True, eq=False)
class Ask:
    """One item on its way. ``sent``: a broker may have taken it already."""

    item: signing_pb2.SignItem
    request_id: str
    answer: asyncio.Future[signing_pb2.SignOutcome | Ended]
    sent: bool = False


class _Message:
    """How many items of one message are unanswered."""

    __slots__ = ("unanswered",)

    def __init__(self, unanswered: int) -> None:
        self.unanswered = unanswered


@final
class Stream:
    """Lives inside one event loop. ``changed`` is called whenever it can take more, and when it is over."""

    def __init__(self, channel: grpc.aio.Channel, changed: Callable[[], None]) -> None:
        self._channel = channel
        self._changed = changed
        self._call = signing_pb2_grpc.SigningServiceStub(channel).SignStream()
        self._unanswered: dict[str, tuple[Ask, _Message]] = {}
        self._messages = 0
        self._written = asyncio.Event()
        self._written.set()
        self._write_failed = False
        self._began = False
        self._finishing = False
        self.over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._run(self._read_all())

    @property
    def load(self) -> int:
        """Items written and not answered."""
        return len(self._unanswered)

    @property
    def is_leaving(self) -> bool:
        """Nothing more may be written. After a GOAWAY the channel is no longer READY while its calls go on."""
        if self.over or self._finishing:
            return True
        return self._began and self._channel.get_state() is not grpc.ChannelConnectivity.READY

    @property
    def has_room(self) -> bool:
        return self._written.is_set() and self._messages < _MESSAGES_UNANSWERED

    def holds(self, request_id: str) -> bool:
        """Is an item of this name unanswered here?"""
        return request_id in self._unanswered

    def send(self, asks: Sequence[Ask]) -> None:
        """Write one message; only while ``has_room``."""
        message = _Message(len(asks))
        self._unanswered.update((ask.request_id, (ask, message)) for ask in asks)
        self._messages += 1
        self._written.clear()
        self._run(self._write(asks))

    def finish(self) -> None:
        """Write nothing more; what is unanswered may still be answered."""
        if not self._finishing:
            self._finishing = True
            self._run(self._done_writing())

    async def close(self) -> None:
        """End it now."""
        self._call.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, asks: Sequence[Ask]) -> None:
        if self._channel.get_state() is grpc.ChannelConnectivity.READY:
            _mark_sent(asks)
        try:
            await self._call.write(signing_pb2.SignStreamRequest(items=[ask.item for ask in asks]))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            self._write_failed = True
            return  # the reader learns why
        finally:
            self._written.set()
        self._began = True
        _mark_sent(asks)
        self._changed()

    async def _done_writing(self) -> None:
        try:
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            return  # it has ended by itself

    async def _read_all(self) -> None:
        status = _CLOSED
        try:
            while isinstance(response := await self._call.read(), signing_pb2.SignStreamResponse):
                for outcome in response.outcomes:
                    self._answer(outcome)
                self._changed()
        except grpc.aio.AioRpcError as failure:
            status = status_of(failure)
        except asyncio.CancelledError:
            status = _CANCELLED
        await self._written.wait()
        # grpc.aio lays an INTERNAL of its own over the stream's status when a write meets its end.
        self._end(_BROKEN if self._write_failed and status.code == code_pb2.INTERNAL else status)

    def _answer(self, outcome: signing_pb2.SignOutcome) -> None:
        ask, message = self._unanswered.pop(outcome.request_id, (None, None))
        if ask is None or message is None:
            return
        message.unanswered -= 1
        if not message.unanswered:
            self._messages -= 1
        if not ask.answer.done():
            ask.answer.set_result(outcome)

    def _end(self, status: WireStatus) -> None:
        self.over = True
        if status in (_CLOSED, _CANCELLED):
            error: KeybrokerError = BrokerUnreachable(status.message)
        else:
            error = error_from(status.code, status.message, status.details)
        ended = Ended(code=status.code, error=error, retry_delay=status.retry_delay)
        unanswered, self._unanswered = self._unanswered, {}
        for ask, _ in unanswered.values():
            if not ask.answer.done():
                ask.answer.set_result(ended)
        self._changed()


def _mark_sent(asks: Sequence[Ask]) -> None:
    for ask in asks:
        ask.sent = True
