"""What arrives while a batch is in flight forms the next; what expired is dropped before the line, never after."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from keybroker.errors import BrokerStopping, LedgerUnavailable, ModuleBusy, ModuleUnavailable, OutcomeUnknown
from keybroker.server.coalescer import Coalescer
from keybroker.server.requests import read_request
from keybroker.signing import Item, Outcome
from tests.server.callers import caller, pre_command

FAR = 1e9


def ask(name: str) -> Item:
    return read_request(pre_command(request_id=name), caller(), 100)


class Line:
    """Work that can be held, and remembers its batches. Its outcomes are faults that carry the request's id."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def begin(
        self, items: Sequence[Item], after: Sequence[Outcome] | None
    ) -> tuple[Sequence[Outcome], Sequence[Outcome]]:
        names = [item.identity.request_id for item in items]
        self.batches.append([str(name) for name in names])
        self.begun.release()
        assert self.gate.wait(10)
        if "raise" in names:
            raise ZeroDivisionError
        return after or (), [LedgerUnavailable(name) for name in names]

    def use(self, flying: Sequence[Outcome]) -> Sequence[Outcome]:
        return flying

    def end(self, flying: Sequence[Outcome]) -> Sequence[Outcome]:
        return flying


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
async def coalescer(line: Line) -> AsyncIterator[Coalescer[Any]]:
    made = Coalescer(line, queued_items=8, batch_items=4, overdue_seconds=5)
    yield made
    line.gate.set()
    await made.drained()
    made.close()


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not seen():
            await asyncio.sleep(0.001)


def sentences(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.sentence for outcome in outcomes if isinstance(outcome, LedgerUnavailable)]


async def test_refuses_what_the_queue_has_no_room_for(line: Line, coalescer: Coalescer[Any]) -> None:
    line.gate.clear()
    waiting = asyncio.create_task(coalescer.sign([ask(f"{n}") for n in range(8)], expires=FAR))
    await until(lambda: coalescer.queued == 8)
    with pytest.raises(ModuleBusy):
        await coalescer.sign([ask("one too many")], expires=FAR)
    with pytest.raises(ModuleBusy):
        await coalescer.run(int)
    line.gate.set()
    assert len(await waiting) == 8


async def test_drops_what_expired_or_was_cancelled_in_the_queue_before_the_line(
    line: Line, coalescer: Coalescer[Any]
) -> None:
    line.gate.clear()
    flying = asyncio.create_task(coalescer.sign([ask("flying")], expires=FAR))
    await until(lambda: line.batches == [["flying"]])
    loop = asyncio.get_running_loop()
    expired = asyncio.create_task(coalescer.sign([ask("expired")], expires=loop.time()))
    cancelled = asyncio.create_task(coalescer.sign([ask("cancelled")], expires=FAR))
    await until(lambda: coalescer.queued == 3)
    cancelled.cancel()
    line.gate.set()
    assert sentences(await flying) == ["flying"]
    with pytest.raises(ModuleBusy):
        await expired
    await coalescer.drained()
    assert line.batches == [["flying"]]


async def test_what_is_in_flight_goes_to_its_end_though_its_caller_has_gone(
    line: Line, coalescer: Coalescer[Any]
) -> None:
    line.gate.clear()
    gone = asyncio.create_task(coalescer.sign([ask("gone")], expires=FAR))
    await until(lambda: line.batches == [["gone"]])
    gone.cancel()
    line.gate.set()
    await coalescer.drained()
    assert sentences(await coalescer.sign([ask("next")], expires=FAR)) == ["next"]


async def test_refuses_new_work_while_draining_and_ends_what_was_taken(line: Line, coalescer: Coalescer[Any]) -> None:
    line.gate.clear()
    taken = asyncio.create_task(coalescer.sign([ask("taken")], expires=FAR))
    await until(lambda: coalescer.queued == 1)
    coalescer.refuse_new()
    with pytest.raises(BrokerStopping):
        await coalescer.sign([ask("new")], expires=FAR)
    line.gate.set()
    assert sentences(await taken) == ["taken"]
    assert await coalescer.run_unbounded(lambda: "the broker's own work still runs") is not None


async def test_a_batch_that_takes_too_long_is_unknown_and_nothing_is_taken_until_it_returns(line: Line) -> None:
    coalescer = Coalescer(line, queued_items=8, batch_items=4, overdue_seconds=0.05)
    line.gate.clear()
    stuck = asyncio.create_task(coalescer.sign([ask("stuck")], expires=FAR))
    await until(lambda: line.batches == [["stuck"]])
    behind = asyncio.create_task(coalescer.sign([ask("behind")], expires=FAR))
    with pytest.raises(OutcomeUnknown):
        await stuck
    with pytest.raises(ModuleUnavailable):
        await behind
    with pytest.raises(ModuleUnavailable):
        await coalescer.sign([ask("new")], expires=FAR)
    assert coalescer.overdue
    line.gate.set()
    await coalescer.drained()
    assert not coalescer.overdue
    assert sentences(await coalescer.sign([ask("again")], expires=FAR)) == ["again"]  # type: ignore[unreachable]  # it is
    assert line.batches == [["stuck"], ["again"]]
    coalescer.close()


async def test_what_nobody_foresaw_reaches_each_caller_of_the_batch_and_the_next_batch_goes_on(
    line: Line, coalescer: Coalescer[Any]
) -> None:
    with pytest.raises(ZeroDivisionError):
        await coalescer.sign([ask("raise")], expires=FAR)
    with pytest.raises(KeyError):
        await coalescer.run(partial(dict[str, int]().__getitem__, "nothing"))
    assert sentences(await coalescer.sign([ask("next")], expires=FAR)) == ["next"]


async def test_coalesces_what_arrived_meanwhile_up_to_the_bound_and_keeps_each_order(
    line: Line, coalescer: Coalescer[Any]
) -> None:
    line.gate.clear()
    first = asyncio.create_task(coalescer.sign([ask("first")], expires=FAR))
    await until(lambda: line.batches == [["first"]])
    rest = [asyncio.create_task(coalescer.sign([ask(f"{n}a"), ask(f"{n}b")], expires=FAR)) for n in range(3)]
    await until(lambda: coalescer.queued == 7)
    line.gate.set()
    assert sentences(await first) == ["first"]
    assert [sentences(await task) for task in rest] == [["0a", "0b"], ["1a", "1b"], ["2a", "2b"]]
    assert line.batches == [["first"], ["0a", "0b", "1a", "1b"], ["2a", "2b"]]


async def test_a_lone_request_waits_for_nobody(line: Line, coalescer: Coalescer[Any]) -> None:
    async with asyncio.timeout(1):
        for n in range(50):
            await coalescer.sign([ask(f"{n}")], expires=FAR)
    assert all(len(batch) == 1 for batch in line.batches)
