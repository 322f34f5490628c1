"""How does one SignStream run? A reader that stops while too much is unanswered, and a writer that sends what is ready.

Each message's items go down the line as one parcel; replies that come together leave together. The caller is looked up
again for every message. A message of the wrong form ends the stream, once what was taken before is answered: one
record, one answer, whatever it holds. A stream ends by itself at the age of a connection, and when the broker stops:
clients open another and may ask again, under the same request_ids, for what was unanswered.
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
from keybroker.server.requests import read_item, request_id_of
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
        self._ending: KeybrokerError | None = None
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
                # Only what has 1 to batch_items items gets as far as an answer for each.
                if not await self._is_well_formed(message):
                    return
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

    async def _is_well_formed(self, message: pb.SignStreamRequest) -> bool:
        try:
            self._calls.check_form(message)
        except RequestMalformed as refusal:
            self._ending = await self._refused(message, refusal)
            return False
        return True

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
        standing = self._calls.standing
        try:
            caller = find_caller(self._identities, standing.callers)
        except CallerUnknown as refusal:
            status = item_status(await self._refused(message, refusal))
            self._ready += [pb.SignOutcome(request_id=request_id_of(item), error=status) for item in message.items]
        else:
            await self._sign(
                message, [read_item(item, caller, standing.limits.message_octets) for item in message.items]
            )

    async def _sign(self, message: pb.SignStreamRequest, items: Sequence[Item]) -> None:
        expires = asyncio.get_running_loop().time() + self._calls.standing.limits.deadline_seconds
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self._calls.sign(items, expires=expires)
        except KeybrokerError as error:
            outcomes = [error] * len(items)
        self._log(RPC, items, outcomes)
        self._ready += [
            replies.sign_outcome(request_id_of(asked), item, outcome)
            for asked, item, outcome in zip(message.items, items, outcomes, strict=True)
        ]

    async def _refused(
        self, message: pb.SignStreamRequest, refusal: CallerUnknown | RequestMalformed
    ) -> KeybrokerError:
        """One record for the whole message, whoever sent it; answers the refusal, or why it could not be recorded."""
        caller: Caller | None = None
        try:
            caller = find_caller(self._identities, self._calls.standing.callers)
        except CallerUnknown as stranger:
            refusal = stranger
        try:
            await self._calls.refuse(RPC, self._identities, caller, refusal, items=len(message.items))
        except KeybrokerError as error:
            return error

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
                if self._ready or self._failure is not None:
                    continue
                if self._ending is not None:
                    raise self._ending
                return
            await self._changed.wait()

    def _next_reply(self) -> list[pb.SignOutcome]:
        octets = count = 0
        for outcome in self._ready:
            octets += outcome.ByteSize()
            if count and octets > _LONGEST_REPLY:
                break
            count += 1
        reply, self._ready = self._ready[:count], self._ready[count:]
        return reply
