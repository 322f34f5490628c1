"""One statement, at most one signature; a threshold of N, N of them: whoever races, and whoever dies.

Uses are counted at the module.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.client import Broker
from keybroker.client.answers import SignedMessage
from keybroker.errors import EvidenceSpent, KeybrokerError, ThresholdExceeded
from tests.attacks.races import (
    CLIENTS,
    ENABLE_SUPPLY,
    SET_CLOCK,
    Uses,
    a_check,
    a_pre_command,
    counted,
    intents,
    quarantined,
    set_thresholds,
    with_clients,
)
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, is_serving

pytestmark = [pytest.mark.hsm, pytest.mark.slow]

ROUNDS = int(os.environ.get("KEYBROKER_RACE_ROUNDS", "1000"))
KILLS = 8
MOST, MORE = 97, 63
"""What a threshold lets through, and how many are asked for beyond it."""
A_ROUND = 0.06
"""Seconds, about, in which all clients are answered."""
_numbers = itertools.count(1)
"""Of messages: every test has its own, on one broker."""


@dataclass(frozen=True, slots=True)
class Raced:
    deployment: Deployment
    broker: RunningBroker
    uses: Uses


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raced]:
    deployment = create_deployment(tmp_path_factory.mktemp("races") / "deployment")
    with counted(deployment) as (broker, uses):
        yield Raced(deployment, broker, uses)


@pytest.mark.clause("G3.25(a)", shows="refusal")
@pytest.mark.timeout(600)
def test_race_of_a_statement_between_thirty_two_clients_and_two_workers_uses_the_key_once_each(raced: Raced) -> None:
    async def rounds() -> None:
        async with AsyncExitStack() as stack:
            clients = await with_clients(raced.deployment, stack)
            for number in itertools.islice(_numbers, ROUNDS):
                octets = a_pre_command(raced.deployment, number)
                check = a_check(raced.deployment, octets, number)
                answers = await clients.race(octets, check=check, name=f"r{number}")
                signed = [each for each in answers if isinstance(each, SignedMessage)]
                spent = [each for each in answers if isinstance(each, EvidenceSpent)]
                assert (len(signed), len(spent)) == (1, CLIENTS - 1), answers

    before = raced.uses.count
    asyncio.run(rounds())
    assert raced.uses.count - before == ROUNDS


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", shows="refusal")
def test_race_for_a_threshold_of_n_uses_the_key_n_times_and_quarantines_the_rest(raced: Raced) -> None:
    async def one_race(asked: list[bytes]) -> list[SignedMessage | KeybrokerError]:
        async with AsyncExitStack() as stack:
            clients = await with_clients(raced.deployment, stack)
            return await clients.share([(octets, "") for octets in asked], name="n")

    set_thresholds(raced.deployment, {"6.11": MOST})
    asked = [a_pre_command(raced.deployment, number, SET_CLOCK) for number in itertools.islice(_numbers, MOST + MORE)]
    before, kept = raced.uses.count, quarantined(raced.deployment)
    answers = asyncio.run(one_race(asked))
    assert raced.uses.count - before == MOST
    refused = [octets for octets, each in zip(asked, answers, strict=True) if isinstance(each, ThresholdExceeded)]
    assert (signatures(answers), len(refused)) == (MOST, MORE)
    assert quarantined(raced.deployment) - kept == {sha256(octets).hexdigest() for octets in refused}


@pytest.mark.timeout(300)
def test_race_for_a_threshold_of_n_with_workers_killed_at_random_never_uses_the_key_more_often(raced: Raced) -> None:
    def some() -> Iterator[tuple[bytes, str]]:
        for number in itertools.islice(_numbers, CLIENTS):
            octets = a_pre_command(raced.deployment, number, ENABLE_SUPPLY)
            yield octets, a_check(raced.deployment, octets, number, variant="7.1")

    async def rounds() -> list[SignedMessage | KeybrokerError]:
        """A worker dies in the first and in that which comes to N; then until nobody is let through."""
        answers: list[SignedMessage | KeybrokerError] = []
        async with AsyncExitStack() as stack:
            clients = await with_clients(raced.deployment, stack)
            while not answers or not all(isinstance(each, ThresholdExceeded) for each in answers[-CLIENTS:]):
                number = len(answers) // CLIENTS
                racing = asyncio.ensure_future(clients.share(list(some()), name=f"t{number}"))
                if number in (0, MOST // CLIENTS):
                    await asyncio.sleep(chance.random() * A_ROUND)
                    kill_one(raced.broker, chance)
                answers += await racing
        return answers

    set_thresholds(raced.deployment, {"7.1": MOST})
    before, begun, chance = raced.uses.count, intents(raced.deployment), random.Random(2)  # noqa: S311 - no secret
    answers = asyncio.run(rounds())
    # N were let through, no fewer. A worker that died then had not used the key, or took the answer with it.
    assert intents(raced.deployment) - begun == MOST
    assert 0 < signatures(answers) <= raced.uses.count - before <= MOST


@pytest.mark.timeout(300)
def test_race_with_workers_killed_at_random_never_uses_the_key_twice_for_one_statement(raced: Raced) -> None:
    deployment, answered = raced.deployment, []
    with killing(raced.broker) as still:
        while still():
            before, number = raced.uses.count, next(_numbers)
            octets = a_pre_command(deployment, number)
            asked = (octets, a_check(deployment, octets, number))
            signed = _asked_by_several(deployment, *asked, name=f"k{number}")
            # A worker that died with the key in use took the answer with it: fewer answers than uses, never more.
            assert signed <= raced.uses.count - before <= 1
            answered += [asked] * signed
    assert answered
    assert is_serving(raced.broker)
    before = raced.uses.count
    for replayed in (answered[0], answered[-1]):
        with client(deployment) as broker, pytest.raises(EvidenceSpent):
            sign(broker, *replayed, name=f"again-{before}")
    assert raced.uses.count == before


def signatures(answers: list[SignedMessage | KeybrokerError]) -> int:
    return sum(isinstance(each, SignedMessage) for each in answers)


@contextmanager
def killing(broker: RunningBroker) -> Iterator[Callable[[], bool]]:
    """Workers die at random moments; whether any still will."""
    stop = threading.Event()
    killer = threading.Thread(target=_kill_at_random, args=(broker, stop))
    killer.start()
    try:
        yield killer.is_alive
    finally:
        stop.set()
        killer.join()


def _kill_at_random(broker: RunningBroker, stop: threading.Event) -> None:
    chance = random.Random(1)  # noqa: S311 - when a worker dies is no secret
    for _ in range(KILLS):
        time.sleep(0.5 + chance.random())
        if stop.is_set():
            return
        kill_one(broker, chance)


def kill_one(broker: RunningBroker, chance: random.Random) -> None:
    if workers := broker.workers():
        os.kill(chance.choice(workers), signal.SIGKILL)


def client(deployment: Deployment) -> Broker:
    pem: dict[str, Any] = {
        "certificate": deployment.certificate("supplier-a"),
        "private_key": deployment.private_key("supplier-a"),
        "anchors": deployment.anchors,
    }
    return Broker(deployment.target, **pem, timeout=20)


def sign(broker: Broker, octets: bytes, check: str, *, name: str) -> SignedMessage:
    return broker.sign_pre_command(key="supplier-a", octets=octets, supply_sensitive_checks=[check], request_id=name)


def _asked_by_several(deployment: Deployment, octets: bytes, check: str, *, name: str) -> int:
    """Four clients ask with one statement at once; how many were answered with a signature."""
    signed = []

    def ask(name: str) -> None:
        with client(deployment) as broker:
            try:
                signed.append(sign(broker, octets, check, name=name))
            except KeybrokerError:
                return

    threads = [threading.Thread(target=ask, args=(f"{name}-{each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(signed)
