"""One statement, at most one signature: whoever races, and whoever dies. Uses are counted at the module."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.client import Broker
from keybroker.client.answers import SignedMessage
from keybroker.errors import EvidenceSpent, KeybrokerError
from tests.attacks.races import CLIENTS, a_check, a_pre_command, counted, with_clients
from tests.deployments import create_deployment

pytestmark = [pytest.mark.hsm, pytest.mark.slow]

ROUNDS = int(os.environ.get("KEYBROKER_RACE_ROUNDS", "1000"))
KILLS = 8


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return create_deployment(tmp_path / "deployment")


@pytest.mark.clause("G3.25(a)", shows="refusal")
@pytest.mark.timeout(600)
def test_race_of_a_statement_between_thirty_two_clients_and_two_workers_uses_the_key_once_each(
    deployment: Deployment,
) -> None:
    async def rounds() -> None:
        async with AsyncExitStack() as stack:
            clients = await with_clients(deployment, stack)
            for number in range(1, ROUNDS + 1):
                octets = a_pre_command(deployment, number)
                answers = await clients.race(octets, check=a_check(deployment, octets, number), name=f"r{number}")
                signed = [each for each in answers if isinstance(each, SignedMessage)]
                spent = [each for each in answers if isinstance(each, EvidenceSpent)]
                assert (len(signed), len(spent)) == (1, CLIENTS - 1), answers

    with counted(deployment) as (_, uses):
        before = uses.count
        asyncio.run(rounds())
        assert uses.count - before == ROUNDS


@pytest.mark.timeout(300)
def test_race_with_workers_killed_at_random_never_uses_the_key_twice_for_one_statement(
    deployment: Deployment,
) -> None:
    with counted(deployment) as (broker, uses):
        before, stop = uses.count, threading.Event()
        killer = threading.Thread(target=_kill_at_random, args=(broker, stop))
        killer.start()
        statements, answered = 0, 0
        try:
            while killer.is_alive():
                statements += 1
                answered += _asked_by_several(deployment, statements)
        finally:
            stop.set()
            killer.join()
        # A worker that died with the key in use took the answer with it: fewer answers than uses, never more.
        assert answered <= uses.count - before <= statements
        assert answered > 0


def _kill_at_random(broker: object, stop: threading.Event) -> None:
    chance = random.Random(1)  # noqa: S311 - when a worker dies is no secret
    for _ in range(KILLS):
        time.sleep(0.5 + chance.random())
        workers = broker.workers()  # type: ignore[attr-defined]
        if stop.is_set():
            return
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)


def _asked_by_several(deployment: Deployment, number: int) -> int:
    """Four clients ask with one statement at once; how many were answered with a signature."""
    octets = a_pre_command(deployment, number)
    check, signed = a_check(deployment, octets, number), []

    def ask(name: str) -> None:
        pem: dict[str, Any] = {
            "certificate": deployment.certificate("supplier-a"),
            "private_key": deployment.private_key("supplier-a"),
            "anchors": deployment.anchors,
        }
        with Broker(deployment.target, **pem, timeout=20) as client:
            try:
                signed.append(
                    client.sign_pre_command(
                        key="supplier-a", octets=octets, supply_sensitive_checks=[check], request_id=name
                    )
                )
            except KeybrokerError:
                return

    threads = [threading.Thread(target=ask, args=(f"k{number}-{each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(signed)
