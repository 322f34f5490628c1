"""A broker of the tests' own, started by exec as an operator would, and spoken to with bare stubs."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import order
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.config import read_configuration
from keybroker.keys.evidence import add_statement
from keybroker.keys.reload import told_reload
from keybroker.ledger.record import order_target
from keybroker.pb import signing_pb2 as pb
from keybroker.statement.kind import StatementKind
from keybroker.terms import EntityIdentifier

DEVICE = EntityIdentifier.from_text("90-B3-D5-1F-30-01-00-00")
_counter = itertools.count(int(time.time()) << 10)


class RunningBroker:
    """``keybroker serve`` on a deployment; its standard output and standard error stand in ``broker.log``."""

    def __init__(self, deployment: Deployment, *, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        self.deployment = deployment
        self._log = deployment.directory / "broker.log"
        self._environment = {**os.environ, **deployment.broker_environment, **(environment or {})}
        command = [sys.executable, "-m", "keybroker.server", str(deployment.config_path), "--workers", str(workers)]
        with self._log.open("ab") as log:
            self._from = log.tell()
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)

    def log(self) -> str:
        """What this run said so far."""
        return self._log.read_bytes()[self._from :].decode()

    def events(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def wait_for(self, event: str, *, times: int = 1, seconds: float = 20) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, self.log()
            return len(self.events(event)) >= times

        wait_until(seen, seconds=seconds, otherwise=self.log)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def reload(self) -> None:
        """Have the configuration taken that stands in the file now, by order of an administrator."""
        order_reload(self.deployment)
        self.tell(signal.SIGHUP)

    def stop(self) -> int:
        """The supervisor's exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def metric(self, name: str) -> float:
        """The sum over all labels."""
        page = urllib.request.urlopen(f"http://{self.deployment.metrics}/metrics", timeout=5).read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))

    def channel(self, caller: str | None) -> grpc.Channel:
        """As a caller of the deployment; None: without a client certificate."""
        anchors = self.deployment.anchors.read_bytes()
        credentials = grpc.ssl_channel_credentials(anchors)
        if caller is not None:
            key, certificate = self.deployment.private_key(caller), self.deployment.certificate(caller)
            credentials = grpc.ssl_channel_credentials(anchors, key.read_bytes(), certificate.read_bytes())
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
        return grpc.secure_channel(self.deployment.target, credentials, options=options)

    def request(self, request_id: str, /, **changes: Any) -> pb.SignPreCommandRequest:
        """A good one of supplier-a, over a message of its own, to be spoilt by ``changes``."""
        eui = self.deployment.keys["supplier-a"].eui
        assert eui is not None
        message = sample_pre_command(eui, DEVICE, next(_counter))
        return pb.SignPreCommandRequest(
            **{"request_id": request_id, "key": "supplier-a", "pre_command": message, **changes}
        )


@contextmanager
def running(deployment: Deployment, **arguments: Any) -> Iterator[RunningBroker]:
    """A broker that is ready."""
    broker = RunningBroker(deployment, **arguments)
    try:
        broker.wait_for("broker ready")
        yield broker
    finally:
        broker.stop()


def items(*requests: pb.SignPreCommandRequest) -> list[pb.SignItem]:
    return [pb.SignItem(sign_pre_command=request) for request in requests]


def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, dict[str, Any]]:
    """gRPC code, reason, and the details by the name of their type; fails when the call succeeds."""
    try:
        answer = call()
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        details = {} if status is None else {detail.type_url.rpartition(".")[2]: detail for detail in status.details}
        info = error_details_pb2.ErrorInfo()
        if "ErrorInfo" in details:
            details["ErrorInfo"].Unpack(info)
        return error.code(), info.reason, {**details, "info": info, "sentence": error.details()}
    raise AssertionError(f"expected a refusal, found {answer}")


def reason(outcome: pb.SignOutcome) -> str:
    """``SIGNED``, or the reason of the item's error."""
    if outcome.HasField("signed"):
        return "SIGNED"
    info = error_details_pb2.ErrorInfo()
    outcome.error.details[0].Unpack(info)
    return str(info.reason)


def wait_until(seen: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str] = str) -> None:
    last = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > last:
            raise AssertionError(f"did not come within {seconds} s\n{otherwise()}")
        time.sleep(0.02)


def edit(deployment: Deployment, old: str, new: str) -> None:
    """Change keybroker.toml."""
    text = deployment.config_path.read_text()
    assert old in text
    deployment.config_path.write_text(text.replace(old, new))


def order_reload(deployment: Deployment) -> None:
    """An administrator orders that the configuration as it stands in the file is taken; the order is held."""
    configuration = read_configuration(deployment.config_path)
    at, told = configuration.clock.now(), told_reload(configuration.sources.digest)
    given = order(
        deployment.directory / "evidence",
        origin=configuration.ledger_origin,
        act=str(told["act"]),
        target=order_target(told),
        at=at,
    )
    with acting(configuration, "operator") as (journal, actor):
        add_statement(journal, actor, given, StatementKind.ORDER, configuration.people, at)


def is_serving(broker: RunningBroker) -> bool:
    """Does health say that supplier-a's key can be used?"""
    with broker.channel("supplier-a") as channel:
        asked = health_pb2.HealthCheckRequest(service="key/supplier-a")
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, wait_for_ready=True, timeout=10)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
