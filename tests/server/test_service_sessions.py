"""Keys for TLS sessions with SMETS1 Devices (SEC G2.44A(d)) through a running broker: refused, made, used, swept."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from keybroker import errors
from keybroker.cli.dev.deployment import Deployment
from keybroker.client import Broker, Smets1Session, Tls13CertificateVerify, TlsRole
from keybroker.pb import sessions_pb2, sessions_pb2_grpc
from tests.cli.command import run_here, run_json
from tests.content.test_smets1 import DEVICE, GET
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, refusal, running

pytestmark = pytest.mark.hsm


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return create_deployment(tmp_path_factory.mktemp("sessions") / "deployment")


@contextmanager
def client(deployment: Deployment, caller: str = "dcc", channels: int = 8) -> Iterator[Broker]:
    certificate, private_key = deployment.certificate(caller), deployment.private_key(caller)
    arguments: dict[str, Any] = {"certificate": certificate, "private_key": private_key, "channels": channels}
    with Broker(deployment.target, anchors=deployment.anchors, **arguments) as broker:
        yield broker


def handshake(broker: Broker) -> int:
    content = Tls13CertificateVerify(role=TlsRole.CLIENT, transcript_hash=os.urandom(32))
    return broker.sign_tls_handshake(key="smets1-tls", content=content).receipt.leaf_index


def begin(broker: Broker, **more: Any) -> Smets1Session:
    return broker.begin_smets1_session(key="s1sp-smets1", device=DEVICE, handshake_record=handshake(broker), **more)


def protect(broker: Broker, key: str) -> int:
    """Its record."""
    return broker.protect_smets1_instruction(key=key, instruction=GET, device=DEVICE).receipt.leaf_index


def intent_of(broker: Broker, outcome: int) -> dict[str, Any]:
    index = json.loads(broker.get_record(outcome).octets)["intent"]
    body: dict[str, Any] = json.loads(broker.get_record(index).octets)
    return body


def test_a_session_in_a_broker_of_two_workers_and_what_a_killed_broker_leaves(deployment: Deployment) -> None:
    with running(deployment, workers=2) as broker, client(deployment) as dcc:
        check_refusals(broker, deployment, dcc)
        begun = begin(dcc, request_id="first")
        for _ in range(12):
            # By either worker: gRPC spreads the channels over both.
            with client(deployment, channels=1) as another:
                findings = intent_of(another, protect(another, begun.key))["findings"]
            assert any("G2.44A(d): a key for one TLS session" in str(finding) for finding in findings)
        destroyed = dcc.end_smets1_session(key=begun.key)
        assert json.loads(dcc.get_record(destroyed.leaf_index).octets)["body"]["act"] == "SessionKeyDestroyed"
        for _ in range(4):
            with client(deployment, channels=1) as another, pytest.raises(errors.NotPermitted):
                protect(another, begun.key)
        left = begin(dcc)
        protect(dcc, left.key)
        assert left.key in {key.label for key in dcc.list_keys()}
        kill(broker)
    with running(deployment) as broker, client(deployment) as dcc:
        (swept,) = broker.events("session key destroyed")
        assert (swept["key"], swept["why"]) == (left.key, "the broker started anew")
        assert left.key not in {key.label for key in dcc.list_keys()}
        with pytest.raises(errors.NotPermitted):
            protect(dcc, left.key)
        check_commands(deployment, dcc)
    assert run_json("ledger", "verify", "--config", deployment.config_path, env=deployment.broker_environment)


def kill(broker: RunningBroker) -> None:
    """kill -9 of the whole broker."""
    for pid in (broker.process.pid, *broker.workers()):
        os.kill(pid, signal.SIGKILL)
    broker.process.wait(10)


def check_refusals(broker: RunningBroker, deployment: Deployment, dcc: Broker) -> None:
    signed = handshake(dcc)
    good: dict[str, Any] = {
        "request_id": "a",
        "key": "s1sp-smets1",
        "device": DEVICE.octets,
        "handshake_record": signed,
    }
    spoilt: list[tuple[dict[str, Any], str]] = [
        ({"request_id": ""}, "REQUEST_MALFORMED"),
        ({"key": "no label"}, "REQUEST_MALFORMED"),
        ({"device": bytes(7)}, "REQUEST_MALFORMED"),
        ({"handshake_record": 2**64 - 1}, "NOT_PERMITTED"),
        ({"handshake_record": 0}, "NOT_PERMITTED"),
        ({"key": "dco-smets1"}, "NOT_PERMITTED"),
        ({"key": "supplier-a"}, "NOT_PERMITTED"),
    ]
    with broker.channel("dcc") as channel, broker.channel("supplier-a") as other:
        dccs, theirs = sessions_pb2_grpc.SessionServiceStub(channel), sessions_pb2_grpc.SessionServiceStub(other)
        for changes, reason in spoilt:
            request = sessions_pb2.BeginSmets1SessionRequest(**{**good, **changes})
            assert refusal(lambda asked=request: dccs.BeginSmets1Session(asked, timeout=10))[1] == reason, changes  # type: ignore[misc]
        end = sessions_pb2.EndSmets1SessionRequest(request_id="e", key="s1sp-smets1")
        asks: list[Callable[[], object]] = [
            lambda: theirs.BeginSmets1Session(sessions_pb2.BeginSmets1SessionRequest(**good), timeout=10),
            lambda: theirs.EndSmets1Session(end, timeout=10),
            lambda: dccs.EndSmets1Session(end, timeout=10),
        ]
        for ask in asks:
            assert refusal(ask)[1] == "NOT_PERMITTED"


def check_commands(deployment: Deployment, dcc: Broker) -> None:
    env = {
        "KEYBROKER_TARGET": deployment.target,
        "KEYBROKER_CERTIFICATE": str(deployment.certificate("dcc")),
        "KEYBROKER_PRIVATE_KEY": str(deployment.private_key("dcc")),
        "KEYBROKER_ANCHORS": str(deployment.anchors),
    }
    asked = ("--key", "s1sp-smets1", "--device", DEVICE, "--handshake", handshake(dcc))
    begun = run_json("smets1", "begin", *asked, env=env, how=run_here)
    protect(dcc, begun["key"])
    assert run_json("smets1", "end", "--key", begun["key"], env=env, how=run_here)["key"] == begun["key"]
    with pytest.raises(errors.NotPermitted):
        protect(dcc, begun["key"])
