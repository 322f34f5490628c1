"""What do all calls share? Who asks, by when, and the last resort: the one place that catches everything."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, Protocol, TypeVar, final

import grpc
from google.protobuf.message import Message

from keybroker.errors import CallerUnknown, KeybrokerError, Refusal, RequestMalformed
from keybroker.pb import signing_pb2
from keybroker.server.authn import Identities, find_caller, peer_identities
from keybroker.server.coalescer import Coalescer
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.reading import record_refusal
from keybroker.server.requests import check_items, check_no_unknown_field
from keybroker.server.shares import Shares
from keybroker.server.standing import Current, Standing
from keybroker.server.status import CODES, abort
from keybroker.signing import Item, Outcome
from keybroker.terms import Caller

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
Request = TypeVar("Request")
Response = TypeVar("Response")
Handler = Callable[[Any, Request, Context], Awaitable[Response]]


class Ending(Protocol):
    def end(self) -> None:
        """Read nothing more; answer what was taken."""
        ...


@final
class Calls:
    """What every servicer is built with."""

    def __init__(
        self, current: Current, coalescer: Coalescer[Any], metrics: Metrics, log: Logger, *, share_items: int
    ) -> None:
        """``share_items``: how many items of one caller may wait and fly."""
        self.current = current
        self.coalescer = coalescer
        self.metrics = metrics
        self.log = log
        self.streams: set[Ending] = set()
        """The streams that stand open, to be ended when the broker stops."""
        self._shares = Shares(share_items)
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def standing(self) -> Standing:
        return self.current.standing

    def identities(self, context: Context) -> Identities:
        return peer_identities(context.auth_context())

    def expires(self, context: Context) -> float:
        """When this call stops waiting in the queue, on the event loop's clock."""
        seconds: float = self.standing.limits.deadline_seconds
        remaining = context.time_remaining()
        if remaining is not None:
            seconds = min(seconds, remaining)
        return asyncio.get_running_loop().time() + seconds

    def check_form(self, request: Message) -> None:
        """Raises: RequestMalformed for a request that is larger than ours may be, or holds what we do not know.

        What costs least comes first, and nothing here costs more than a few milliseconds, whatever was sent.
        """
        if isinstance(request, (signing_pb2.SignBatchRequest, signing_pb2.SignStreamRequest)):
            check_items(request.items, self.standing.limits.batch_items)
        longest = self.standing.limits.request_octets
        if request.ByteSize() > longest:
            raise RequestMalformed(
                f"expected a request of at most {longest} octets, found {request.ByteSize()}", field=""
            )
        check_no_unknown_field(request)

    async def refuse(
        self, rpc: str, identities: Identities, caller: Caller | None, refusal: Refusal, items: int = 1
    ) -> NoReturn:
        """Write down a refusal that no other record holds, then raise it. Raises: LedgerFault instead."""
        standing = self.standing
        self.metrics.outside_the_line(rpc, refusal.reason)
        who = caller.identity if caller is not None else next(iter(identities), "")
        await self.run(who, lambda: record_refusal(standing, caller, identities, rpc, refusal, items))
        raise refusal

    async def sign(self, items: Sequence[Item], *, expires: float) -> Sequence[Outcome]:
        """One caller's items down the line, within its share. Raises: what ``Coalescer.sign`` raises."""
        who = items[0].identity.caller.identity
        return await self._within_share(who, len(items), lambda: self.coalescer.sign(items, expires=expires))

    async def run(self, who: str, call: Callable[[], T]) -> T:
        """One caller's read on the signer thread, within its share. Raises: what ``Coalescer.run`` raises."""
        return await self._within_share(who, 1, lambda: self.coalescer.run(call))

    async def aside(self, who: str, call: Callable[[], T]) -> T:
        """One caller's read that may take long, in a thread of its own, within its share. Raises: what it raises."""
        return await self._within_share(who, 1, lambda: asyncio.to_thread(call))

    async def _within_share(self, who: str, items: int, work: Callable[[], Awaitable[T]]) -> T:
        self._shares.take(who, items)
        cancelled = False
        try:
            return await work()
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            if cancelled:
                self._give_when_passed(who, items)
            else:
                self._shares.give(who, items)

    def _give_when_passed(self, who: str, items: int) -> None:
        """Its items stand in the queue until the signer comes by: so they are the caller's as long."""

        async def passed() -> None:
            try:
                await self.coalescer.run_unbounded(lambda: None)
            finally:
                self._shares.give(who, items)

        task = asyncio.create_task(passed())
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def begin(self, context: Context, rpc: str, request: Message) -> Caller:
        """Who asks, and is it a request that we read at all? Raises: CallerUnknown, RequestMalformed, LedgerFault."""
        identities: Identities = ()
        caller = None
        try:
            identities = self.identities(context)
            caller = find_caller(identities, self.standing.callers)
            self.check_form(request)
        except (CallerUnknown, RequestMalformed) as refusal:
            items = len(request.items) if isinstance(request, signing_pb2.SignBatchRequest) else 1
            await self.refuse(rpc, identities, caller, refusal, items)
        return caller

    async def known(self, context: Context, rpc: str) -> Identities:
        """The peer's identities, once they name a caller. Raises: CallerUnknown, LedgerFault."""
        identities: Identities = ()
        try:
            identities = self.identities(context)
            find_caller(identities, self.standing.callers)
        except CallerUnknown as refusal:
            await self.refuse(rpc, identities, None, refusal)
        return identities


def answered(rpc: str) -> Callable[[Handler[Request, Response]], Handler[Request, Response]]:
    """Time a unary handler; end it with the status of the KeybrokerError that it raises, or INTERNAL for all else."""

    def decorate(handler: Handler[Request, Response]) -> Handler[Request, Response]:
        @functools.wraps(handler)
        async def answer(self: Any, request: Request, context: Context) -> Response:
            calls: Calls = self.calls
            started = time.perf_counter()
            try:
                return await handler(self, request, context)
            except KeybrokerError as error:
                await _refuse(calls, context, rpc, error)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:  # noqa: BLE001  # the last resort of docs and style: INTERNAL, details to the log
                await last_resort(calls, context, rpc)
            finally:
                calls.metrics.call(rpc, time.perf_counter() - started)

        return answer

    return decorate


async def _refuse(calls: Calls, context: Context, rpc: str, error: KeybrokerError) -> NoReturn:
    if type(error) not in CODES:
        await last_resort(calls, context, rpc)
    await abort(context, error)


async def last_resort(calls: Calls, context: Context, rpc: str) -> NoReturn:
    """Something that nobody foresaw: the log has the details, the caller none."""
    calls.log.exception("call failed", rpc=rpc)
    await context.abort(grpc.StatusCode.INTERNAL, "the broker failed; its operator finds the reason in the log")
