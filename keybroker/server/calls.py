"""What do all calls share? Who asks, by when, and the last resort: the one place that catches everything."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol, TypeVar, final

import grpc
from google.protobuf.message import Message

from keybroker.errors import CallerUnknown, KeybrokerError, Refusal, RequestMalformed
from keybroker.server.authn import Identities, find_caller, peer_identities
from keybroker.server.coalescer import Coalescer
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.reading import record_refusal
from keybroker.server.requests import check_no_unknown_field
from keybroker.server.standing import Current, Standing
from keybroker.server.status import CODES, abort
from keybroker.terms import Caller

Context = grpc.aio.ServicerContext[Any, Any]
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

    def __init__(self, current: Current, coalescer: Coalescer[Any], metrics: Metrics, log: Logger) -> None:
        self.current = current
        self.coalescer = coalescer
        self.metrics = metrics
        self.log = log
        self.streams: set[Ending] = set()
        """The streams that stand open, to be ended when the broker stops."""

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

    def check_size(self, request: Message) -> None:
        """Raises: RequestMalformed for a request that is larger than ours may be, or holds what we do not know."""
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
        await self.coalescer.run(lambda: record_refusal(standing, caller, identities, rpc, refusal, items))
        raise refusal

    async def begin(self, context: Context, rpc: str, request: Message) -> Caller:
        """Who asks, and is it a request that we read at all? Raises: CallerUnknown, RequestMalformed, LedgerFault."""
        identities: Identities = ()
        caller = None
        try:
            identities = self.identities(context)
            caller = find_caller(identities, self.standing.callers)
            self.check_size(request)
        except (CallerUnknown, RequestMalformed) as refusal:
            await self.refuse(rpc, identities, caller, refusal)
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
