"""A worker that hangs or is stopped is noticed by its supervisor, killed and started again; nothing is lost by it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from keybroker.pb import signing_pb2_grpc
from keybroker.server.control import Control
from tests.deployments import create_deployment
from tests.faults.shim import Rule, clear_rules, count_uses, put_between, set_rules
from tests.server.broker import RunningBroker, running, wait_until

pytestmark = [pytest.mark.hsm, pytest.mark.slow]

SILENCE_SECONDS = 20
"""The least that a supervisor waits."""


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def broker(tmp_path: Path, control: Path) -> Iterator[RunningBroker]:
    deployment = create_deployment(tmp_path / "deployment", limits={"deadline_seconds": 5})
    put_between(deployment, control, tmp_path / "uses")
    with running(deployment, workers=2) as broker:
        yield broker


def test_workers_that_hang_in_the_module_or_are_stopped_are_killed_and_started_again(
    broker: RunningBroker, control: Path, tmp_path: Path
) -> None:
    stopped, other = broker.workers()
    os.kill(stopped, signal.SIGSTOP)
    set_rules(control, Rule("C_Sign", "hang"))
    asking = threading.Thread(target=partial(_ask_until, broker, time.monotonic() + SILENCE_SECONDS / 2))
    asking.start()
    wait_until(
        lambda: {stopped, other}.isdisjoint(broker.workers()),
        seconds=2 * SILENCE_SECONDS,
        otherwise=broker.log,
    )
    clear_rules(control)
    asking.join()
    assert len(broker.events("worker silent")) >= 2
    broker.wait_for("worker ready", times=4)
    assert _ask_until(broker, time.monotonic() + SILENCE_SECONDS)
    assert count_uses(tmp_path / "uses")["made"] >= 1


def test_a_worker_never_waits_for_a_supervisor_that_does_not_listen() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        control = Control(ours)
        for _ in range(10_000):
            control.mention("alive")
        assert set(Control(theirs).hear()) == {("alive", "")}


def _ask_until(broker: RunningBroker, last: float) -> bool:
    """Ask on new connections until one is answered; False where none was."""
    while time.monotonic() < last:
        with broker.channel("supplier-a") as channel:
            asked = broker.request(f"silent-{time.monotonic_ns()}")
            try:
                stub = signing_pb2_grpc.SigningServiceStub(channel)
                return bool(stub.SignPreCommand(asked, timeout=2).signed.signature)
            except grpc.RpcError:
                continue
    return False
