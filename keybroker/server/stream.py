"""How does one SignStream run? A reader that stops while too much is unanswered, and a writer that sends what is ready.

Each message's items go down the line as one parcel; replies that come together leave together. The caller is looked up
again for every message. A stream ends by itself at the age of a connection, and when the broker stops: clients open
another and may ask again, under the same request_ids, for what was unanswered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import final

from keybroker.errors import CallerUnknown, KeybrokerError, RequestMalformed
from keybroker.pb import signing_pb2 as pb
from keybroker.server import replies
from keybroker.server.authn import Identities, find_caller
from keybroker.server.calls import Calls, Context
from keybroker.server.requests import check_items, read_item, request_id_of
from keybroker.server.status import item_status
from keybroker.signing import Item, Outcome
from keybroker.terms import Caller

Log = Callable[[str, Sequence[Item], Sequence[Outcome]], None]

RPC = "SignStream"
_LONGEST_REPLY = 1 << 20
"""Octets, about: a client's gRPC takes 4 MiB unless told otherwise."""


@final
class Stream:
    """One call. ``identities`` are the peer's, which cannot change while the connection stands."""

    def __init__(self, calls: Calls, context: Context, identities: Identities, log: Log) -> None:
        self._calls = calls
        self._context = context
        self._identities = identities
        self._log = log
        self._unanswered = 0
        self._ready: list[pb.SignOutcome] = []
        self._failure: Exception | None = None
        self._read_to_the_end = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._parcels: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client closes its side or ``end`` is called; then answer what was taken."""
        self._reader = asyncio.create_task(self._read_all())
        age = asyncio.get_running_loop().call_later(self._calls.standing.limits.connection_age_seconds, self.end)
        try:
            await self._write_all()
        finally:
            age.cancel()
            self._reader.cancel()
            for parcel in self._parcels:
                parcel.cancel()

    def end(self) -> None:
        """Read nothing more."""
        if self._reader is not None:
            self._reader.cancel()

    async def _read_all(self) -> None:
        try:
            while (message := await self._next()) is not None:
                self._start(self._take(message), len(message.items))
        finally:
            self._read_to_the_end = True
            self._changed.set()

    async def _next(self) -> pb.SignStreamRequest | None:
        """The next message, once there is room for it; None at the end of the client's side."""
        while self._unanswered >= self._calls.standing.limits.stream_items:
            self._room.clear()
            await self._room.wait()
        message = await self._context.read()
        return message if isinstance(message, pb.SignStreamRequest) else None

    def _start(self, parcel: Coroutine[None, None, None], items: int) -> None:
        self._unanswered += items
        task = asyncio.create_task(parcel)
        self._parcels.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, parcel: asyncio.Task[None]) -> None:
        self._parcels.discard(parcel)
        if not parcel.cancelled() and isinstance(error := parcel.exception(), Exception):
            self._failure = error
        self._changed.set()

    async def _take(self, message: pb.SignStreamRequest) -> None:
        """One message: its caller as the table stands now, its items, their outcomes."""
        limits = self._calls.standing.limits
        caller: Caller | None = None
        try:
            caller = find_caller(self._identities, self._calls.standing.callers)
            self._calls.check_size(message)
            check_items(message.items, limits.batch_items)
            await self._sign(message, [read_item(item, caller, limits.message_octets) for item in message.items])
        except (CallerUnknown, RequestMalformed) as refusal:
            await self._refuse(message, caller, refusal)

    async def _sign(self, message: pb.SignStreamRequest, items: Sequence[Item]) -> None:
        expires = asyncio.get_running_loop().time() + self._calls.standing.limits.deadline_seconds
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self._calls.coalescer.sign(items, expires=expires)
        except KeybrokerError as error:
            outcomes = [error] * len(items)
        self._log(RPC, items, outcomes)
        self._ready += [
            replies.sign_outcome(request_id_of(asked), item, outcome)
            for asked, item, outcome in zip(message.items, items, outcomes, strict=True)
        ]

    async def _refuse(
        self, message: pb.SignStreamRequest, caller: Caller | None, refusal: CallerUnknown | RequestMalformed
    ) -> None:
        error: KeybrokerError = refusal
        try:
            await self._calls.refuse(RPC, self._identities, caller, refusal, items=len(message.items))
        except KeybrokerError as raised:
            error = raised
        status = item_status(error)
        self._ready += [pb.SignOutcome(request_id=request_id_of(item), error=status) for item in message.items]

    async def _write_all(self) -> None:
        while True:
            self._changed.clear()
            if self._failure is not None:
                raise self._failure
            while self._ready:
                outcomes = self._next_reply()
                await self._context.write(pb.SignStreamResponse(outcomes=outcomes))
                self._unanswered -= len(outcomes)
                self._room.set()
            if self._read_to_the_end and not self._parcels:
                if not self._ready and self._failure is None:
                    return
                continue
            await self._changed.wait()

    def _next_reply(self) -> list[pb.SignOutcome]:
        octets = count = 0
        for outcome in self._ready:
            octets += len(outcome.signed.signed_message)
            if count and octets > _LONGEST_REPLY:
                break
            count += 1
        reply, self._ready = self._ready[:count], self._ready[count:]
        return reply
