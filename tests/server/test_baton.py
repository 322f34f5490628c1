"""The event loop and the signer take turns: neither runs in the other's, and neither starves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from keybroker.server.baton import Baton, BatonSelector


@pytest.fixture
def baton() -> Baton:
    return Baton()


@pytest.fixture
def loop(baton: Baton) -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.SelectorEventLoop(BatonSelector(baton))
    yield made
    made.close()


def test_the_signer_waits_while_the_loop_is_busy_and_the_loop_while_the_signer_is(
    baton: Baton, loop: asyncio.AbstractEventLoop
) -> None:
    seen: list[str] = []

    def step() -> None:
        with baton:
            seen.append("step begins")
            time.sleep(0.05)
            seen.append("step ends")

    async def busy() -> None:
        signer = threading.Thread(target=step)
        signer.start()
        for _ in range(3):
            time.sleep(0.01)  # the loop is busy: that is the test
            seen.append("loop")
            await asyncio.sleep(0)
        while signer.is_alive():
            await asyncio.sleep(0.001)
        seen.append("loop")

    loop.run_until_complete(busy())
    assert seen == ["loop"] * 3 + ["step begins", "step ends", "loop"]


def test_a_loop_that_is_always_busy_does_not_starve_the_signer(baton: Baton, loop: asyncio.AbstractEventLoop) -> None:
    done = threading.Event()

    def step() -> None:
        with baton:
            done.set()

    async def never_idle() -> None:
        threading.Thread(target=step).start()
        async with asyncio.timeout(5):
            while not done.is_set():
                await asyncio.sleep(0)

    loop.run_until_complete(never_idle())
    assert done.is_set()


def test_a_lone_caller_waits_for_nobody(baton: Baton) -> None:
    baton.asked()
    assert not baton.more_to_come()
    baton.answered(1)
    baton.asked()
    assert not baton.more_to_come()


def test_those_who_were_just_answered_are_waited_for_until_a_moment_passes_without_anybody(baton: Baton) -> None:
    baton.answered(3)
    assert not baton.more_to_come()
    baton.asked()
    assert baton.more_to_come()
    baton.nobody_came()
    assert not baton.more_to_come()


def test_whoever_waits_for_the_other_thread_lends_the_baton(baton: Baton) -> None:
    def step() -> None:
        with baton:
            pass

    baton.take()
    with baton.lent():
        other = threading.Thread(target=step)
        other.start()
        other.join(5)
        assert not other.is_alive()
    baton.give()


def test_the_loop_goes_on_without_the_baton_while_a_step_hangs(baton: Baton, loop: asyncio.AbstractEventLoop) -> None:
    hanging, release = threading.Event(), threading.Event()

    def step() -> None:
        with baton:
            hanging.set()
            release.wait(10)

    async def alive() -> None:
        signer = threading.Thread(target=step)
        signer.start()
        async with asyncio.timeout(5):
            while not hanging.is_set():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
        assert signer.is_alive()
        release.set()

    loop.run_until_complete(alive())
