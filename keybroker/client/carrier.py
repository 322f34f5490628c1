"""Who puts waiting calls on streams, and asks again? One carrier for all channels of a client.

A call joins what waits; at the end of the event loop's turn all that waits goes out, shared among the streams that have
room. What comes while none has room gathers into the next messages: no timer, and a lone call goes at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import final

import grpc

from keybroker.client.answers import Answer
from keybroker.client.patience import Patience, no_answer_in_time, unknown_outcome
from keybroker.client.refusals import BrokerUnreachable, retry_delay
from keybroker.client.replies import outcome_from
from keybroker.client.stream import Ask, Ended, Stream
from keybroker.errors import KeybrokerError, Refusal
from keybroker.pb import signing_pb2

_ITEMS, _OCTETS = 256, 1 << 20
"""The most that one message carries; a single longer item goes alone."""


_WORTHWHILE = 32
"""Fewer items are not shared among streams."""


class _Seat:
    """One channel, the stream that is open on it, and streams that take no more but may still answer."""

    __slots__ = ("channel", "leaving", "stream", "turn")

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.stream: Stream | None = None
        self.leaving: list[Stream] = []
        self.turn = 0

    def streams(self) -> list[Stream]:
        return self.leaving if self.stream is None else [*self.leaving, self.stream]


@final
class Carrier:
    """Lives inside one event loop."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seats = [_Seat(channel) for channel in channels]
        self._waiting: deque[Ask] = deque()
        self._called = False
        self._turn = 0
        self._closed = False

    async def carry(self, item: signing_pb2.SignItem, request_id: str, seconds: float) -> Answer:
        """Send one item and wait for its outcome, asking again where that is safe.

        Raises: the item's error; BrokerUnreachable when no broker took it; OutcomeUnknown when one may have, and no
        answer came within ``seconds``.
        """
        ask = Ask(item, request_id, self._loop.create_future())
        deadline = self._loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                return await self._carry(ask, deadline)
        except TimeoutError:
            raise no_answer_in_time(request_id, sent=ask.sent) from None

    async def close(self) -> None:
        """End every stream; what is unanswered ends with BrokerUnreachable or OutcomeUnknown."""
        self._closed = True
        while self._waiting:
            _tell(self._waiting.popleft(), _client_closed())
        streams = [stream for seat in self._seats for stream in seat.streams()]
        await asyncio.gather(*(stream.close() for stream in streams))

    async def _carry(self, ask: Ask, deadline: float) -> Answer:
        patience = Patience(deadline=deadline)
        while True:
            self._join(ask)
            reply = await ask.answer
            if isinstance(reply, Ended):
                pause = None if self._closed else patience.after_end(self._loop.time(), reply)
                if pause is None:
                    raise _ended(ask, reply)
            else:
                outcome = outcome_from(reply)
                if not isinstance(outcome, KeybrokerError):
                    return outcome
                status = reply.error
                pause = patience.after(self._loop.time(), status.code, outcome, retry_delay(status.details))
                if pause is None:
                    raise outcome
            await asyncio.sleep(pause)
            ask.answer = self._loop.create_future()

    def _join(self, ask: Ask) -> None:
        if self._closed:
            _tell(ask, _client_closed())
            return
        self._waiting.append(ask)
        if not self._called:
            self._called = True
            self._loop.call_soon(self._send_waiting)

    def _send_waiting(self) -> None:
        self._called = False
        if not self._waiting or self._closed:
            return
        free = self._seats_with_room()
        while free and self._waiting:
            seat = free.pop()
            # Equal shares keep every worker busy, yet none so small that messages cost more than their items.
            asks = self._take(max(-(-len(self._waiting) // (len(free) + 1)), _WORTHWHILE))
            if not asks:
                return
            if seat.stream is None:
                seat.stream = Stream(seat.channel, self._send_waiting)
            seat.turn = self._turn = self._turn + 1
            seat.stream.send(asks)

    def _seats_with_room(self) -> list[_Seat]:
        """The least loaded last, and among equals the one whose turn was longest ago."""
        free = []
        for seat in self._seats:
            if seat.leaving:
                seat.leaving = [stream for stream in seat.leaving if not stream.over]
            if seat.stream is not None and seat.stream.is_leaving:
                seat.stream.finish()
                seat.leaving.append(seat.stream)
                seat.stream = None
            if seat.stream is None or seat.stream.has_room:
                free.append(seat)
        return sorted(free, key=lambda seat: (seat.stream.load if seat.stream else 0, seat.turn), reverse=True)

    def _take(self, share: int) -> list[Ask]:
        """Up to ``share`` of what waits. An item whose name is still unanswered somewhere waits for that answer."""
        taken: dict[str, Ask] = {}
        kept: list[Ask] = []
        octets = 0
        while self._waiting and len(taken) < min(share, _ITEMS):
            ask = self._waiting.popleft()
            if ask.answer.done():
                continue  # its caller has gone
            if ask.request_id in taken or self._is_out(ask.request_id):
                kept.append(ask)
                continue
            octets += ask.item.ByteSize()
            if taken and octets > _OCTETS:
                kept.append(ask)
                break
            taken[ask.request_id] = ask
        self._waiting.extendleft(reversed(kept))
        return list(taken.values())

    def _is_out(self, request_id: str) -> bool:
        return any(stream.holds(request_id) for seat in self._seats for stream in seat.streams())


def _tell(ask: Ask, ended: Ended) -> None:
    if not ask.answer.done():
        ask.answer.set_result(ended)


def _client_closed() -> Ended:
    return Ended(code=1, error=BrokerUnreachable("the client was closed"), retry_delay=None)


def _ended(ask: Ask, ended: Ended) -> KeybrokerError:
    """What to say of an item that no stream answered. A refusal of the stream itself came before it took anything."""
    if isinstance(ended.error, Refusal) or not ask.sent:
        return ended.error
    return unknown_outcome(ask.request_id, ended.error.sentence)
