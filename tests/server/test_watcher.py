"""A real broker with a watch: events are on record once, whatever dies; messages wait until they are taken; and nobody
who signs waits for any of it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from keybroker.cli.dev.deployment import DevKey
from keybroker.config import read_configuration, reading
from keybroker.ledger import audit
from keybroker.ledger.following import bodies
from keybroker.pb import signing_pb2_grpc
from keybroker.terms import KeyPurpose, RemotePartyRole
from tests import messages
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, edit, running, wait_until
from tests.server.receiver import HANG, certificate, receiving

pytestmark = pytest.mark.hsm

SECRET = "the secret of the webhook of these tests"
SECOND_PIN = "KEYBROKER_WEBHOOK"
EVENT = "anomalous event"


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def port() -> int:
    """Where nobody listens yet."""
    return free_port()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RunningBroker]:
    key = DevKey(
        label="supplier-a",
        purpose=KeyPurpose.SUPPLIER_PRE_COMMAND,
        party="supplier-a",
        eui=messages.SUPPLIER,
        role=RemotePartyRole.SUPPLIER,
    )
    deployment = create_deployment(tmp_path_factory.mktemp("watched"), keys=(key,))
    certificate(deployment.directory)
    watched = f"""\
[anomalies]
dated = 2026-11-01
burst_uses = 5
burst_seconds = 3600
look_seconds = 0.1
[anomalies.webhook]
url = "https://127.0.0.1:{port}/events"
anchors = "receiver.pem"
secret = {{ environment = "{SECOND_PIN}" }}
timeout_seconds = 1.0
longest_pause_seconds = 1.0
late_seconds = 1.0
"""
    edit(deployment, "[limits]", f"{watched}\n[limits]")
    with running(deployment, environment={SECOND_PIN: SECRET}) as broker:
        yield broker


def sign(broker: RunningBroker, count: int = 1) -> float:
    """Seconds that the slowest took."""
    slowest = 0.0
    with broker.channel("supplier-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        for _ in range(count):
            began = time.monotonic()
            asked = broker.request(f"watched-{os.urandom(8).hex()}")
            assert stub.SignPreCommand(asked, wait_for_ready=True, timeout=20).signed.signature
            slowest = max(slowest, time.monotonic() - began)
    return slowest


def events(broker: RunningBroker) -> list[dict[str, Any]]:
    """As they are on record."""
    configuration = read_configuration(broker.deployment.config_path)
    with reading(configuration) as ledger:
        found: list[Any] = [body.get("body") for _, body in bodies(ledger, 0, 1 << 40)]
    return [each for each in found if each and each.get("act") == "AnomalousEvent"]


def verify(broker: RunningBroker) -> None:
    configuration = read_configuration(broker.deployment.config_path)
    with reading(configuration) as ledger:
        audit.verify(ledger, configuration.clock.now())


def is_serving(broker: RunningBroker, service: str) -> bool:
    with broker.channel("supplier-a") as channel:
        asked = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, wait_for_ready=True, timeout=10)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def watcher(broker: RunningBroker) -> int:
    """The process id of the watch."""
    for pid in broker.workers():
        if b"keybroker.server.watcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("there is no watch")


def test_the_whole_way_of_an_event(broker: RunningBroker, port: int) -> None:
    """One test, since each step stands on the one before."""
    broker.wait_for("watching for anomalous events")
    environment = Path(f"/proc/{watcher(broker)}/environ").read_bytes()
    assert (broker.deployment.pin.encode() in environment, SECRET.encode() in environment) == (False, True)
    # 1. Somebody uses a key for the first time while nobody takes messages.
    sign(broker)
    broker.wait_for(EVENT)
    broker.wait_for("message not taken")
    (first,) = events(broker)
    assert (first["detector"], first["subject"].split()[-1]) == ("new-pair", "supplier-a")
    wait_until(lambda: broker.metric('keybroker_anomalies_total{detector="new-pair"}') == 1, seconds=5)
    # 2. The receiver hangs, and then fails: whoever signs does not notice, and readiness shows it.
    with ExitStack() as opened:
        receiver = opened.enter_context(receiving(broker.deployment.directory, port))
        receiver.does = [HANG, 500, HANG]
        wait_until(lambda: receiver.asked >= 1, seconds=10)
        assert sign(broker, 5) < 5
        broker.wait_for(EVENT, times=2)
        wait_until(lambda: not is_serving(broker, "watch/messages"), seconds=15)
        assert is_serving(broker, "key/supplier-a")
        assert is_serving(broker, "watch/review")
        # 3. The watch is killed. What it knew it knows again, and the messages are still there.
        os.kill(watcher(broker), signal.SIGKILL)
        broker.wait_for("watching for anomalous events", times=2)
        assert [each["detector"] for each in events(broker)] == ["new-pair", "burst"]
        receiver.does = [200]
        wait_until(lambda: len(receiver.took) >= 2, seconds=20, otherwise=broker.log)
        wait_until(lambda: broker.metric("keybroker_webhook_undelivered") == 0, seconds=10)
        told = [json.loads(octets) for _, octets in receiver.took]
        assert {each["record"]["body"]["detector"] for each in told} == {"new-pair", "burst"}
        wait_until(lambda: is_serving(broker, "watch/messages"), seconds=15)
    # 4. Nothing is told twice, and an auditor finds nothing wrong.
    sign(broker, 3)
    wait_until(lambda: broker.metric("keybroker_watch_behind_records") == 0, seconds=10)
    assert [each["detector"] for each in events(broker)] == ["new-pair", "burst"]
    assert SECRET not in broker.log()
    verify(broker)


def test_a_review_that_is_missing_is_shown_by_metrics(broker: RunningBroker) -> None:
    wait_until(lambda: broker.metric("keybroker_ledger_unreviewed_records") > 0, seconds=10)
    assert broker.metric("keybroker_ledger_review_overdue") == 0
