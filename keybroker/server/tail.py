"""How does an auditor follow the records? One call sends them in their order, as many as he asked for at most.

A call reads; what it sends it does not write down one by one. It ends with what it was asked for, at the end of the
records unless it follows, at the age of a connection, at the caller's deadline, and when the broker stops.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, final

from keybroker.errors import CallerUnknown, ModuleBusy, NotPermitted, RequestMalformed
from keybroker.ledger.audit import read_records
from keybroker.pb import records_pb2 as pb
from keybroker.server.authn import find_caller
from keybroker.server.calls import Calls, Context
from keybroker.terms import Caller, CallerKind, Finding, RuleName

_MOST = 1_000_000
_PAGE = 64
_PAGE_OCTETS = 1 << 20
_PAUSE_SECONDS = 0.5
_AT_ONCE = 8
"""Tails of one worker, whosever."""


def check_may_tail(caller: Caller) -> None:
    """Raises: NotPermitted."""
    if caller.kind is not CallerKind.AUDITOR:
        finding = Finding(
            rule=RuleName("tail-is-for-auditors"),
            clause="G2.26, G2.27",
            passed=False,
            expected=CallerKind.AUDITOR.value,
            found=caller.kind.value,
        )
        raise NotPermitted("only an auditor reads the records of all parties", findings=(finding,))


@final
class Tail:
    """One call, entered while it runs, so that the broker can end it."""

    def __init__(self, calls: Calls, context: Context, caller: Caller, request: pb.TailRecordsRequest) -> None:
        self._calls = calls
        self._context = context
        self._caller = caller
        self._most = request.most
        self._left = request.most
        self._follow = request.follow
        self._ended = asyncio.Event()
        self.next_index = min(request.first_index, 2**53 - 1)

    def __enter__(self) -> Self:
        self._calls.streams.add(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._calls.streams.discard(self)

    def check(self) -> None:
        """Raises: RequestMalformed; ModuleBusy where there are too many already."""
        if not 1 <= self._most <= _MOST:
            raise RequestMalformed(f"expected 1 to {_MOST} records, found {self._most}", field="most")
        if sum(isinstance(stream, Tail) for stream in tuple(self._calls.streams)) >= _AT_ONCE:
            raise ModuleBusy(f"{_AT_ONCE} calls read the records already; ask again")

    def end(self) -> None:
        """Send nothing more."""
        self._ended.set()

    async def run(self) -> None:
        """Raises: CallerUnknown once the caller is one no more; LedgerFault."""
        age = asyncio.get_running_loop().call_later(self._calls.standing.limits.connection_age_seconds, self.end)
        try:
            while self._left and not self._ended.is_set():
                sent = await self._send_page()
                if not sent and not (self._follow and await self._nothing_ends_it()):
                    return
        finally:
            age.cancel()

    async def _send_page(self) -> int:
        self._check_still_may()
        ledger, first, count = self._calls.standing.line.journal.ledger, self.next_index, min(self._left, _PAGE)
        found = await self._calls.aside(self._caller.identity, lambda: read_records(ledger, first, count))
        octets = 0
        records: list[pb.GetRecordResponse] = []
        for stored in found:
            octets += len(stored.octets)
            if records and octets > _PAGE_OCTETS:
                break
            records.append(pb.GetRecordResponse(record=stored.octets, leaf_hash=stored.leaf_hash))
        if records:
            await self._context.write(pb.TailRecordsResponse(first_index=first, records=records))
        self.next_index += len(records)
        self._left -= len(records)
        return len(records)

    async def _nothing_ends_it(self) -> bool:
        """After a pause in which records may have come."""
        try:
            await asyncio.wait_for(self._ended.wait(), _PAUSE_SECONDS)
        except TimeoutError:
            return True
        return False

    def _check_still_may(self) -> None:
        if find_caller((self._caller.identity,), self._calls.standing.callers).kind is not CallerKind.AUDITOR:
            raise CallerUnknown("this caller is an auditor no more")
