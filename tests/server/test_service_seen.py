"""What may be seen of a running broker: health, reflection, metrics, the log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from keybroker.pb import signing_pb2_grpc
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, edit, refusal, running

pytestmark = pytest.mark.hsm
LIMITS = {"message_octets": 2048, "batch_items": 8, "queued_items": 16}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    deployment = create_deployment(tmp_path_factory.mktemp("service"), limits=LIMITS)
    # load-controller-a keeps its certificate and loses its place in the table.
    edit(deployment, "urn:keybroker:load-controller-a:", "urn:keybroker:nobody:")
    with running(deployment) as broker:
        yield broker


@pytest.fixture(scope="module")
def supplier(broker: RunningBroker) -> Iterator[grpc.Channel]:
    with broker.channel("supplier-a") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(supplier: grpc.Channel) -> signing_pb2_grpc.SigningServiceStub:
    return signing_pb2_grpc.SigningServiceStub(supplier)


def test_health_is_per_service_and_per_key_and_tells_nobody_of_other_keys(
    broker: RunningBroker, supplier: grpc.Channel
) -> None:
    stub = health_pb2_grpc.HealthStub(supplier)

    def check(service: str) -> int:
        return int(stub.Check(health_pb2.HealthCheckRequest(service=service)).status)

    serving = health_pb2.HealthCheckResponse.SERVING
    assert {check(name) for name in ("", "keybroker.v1.SigningService", "key/supplier-a")} == {serving}
    for name in ("key/network-operator-a", "key/no-such-key"):
        assert refusal(partial(check, name))[0] is grpc.StatusCode.NOT_FOUND


def test_reflection_tells_the_services(supplier: grpc.Channel) -> None:
    services = set(ProtoReflectionDescriptorDatabase(supplier).get_services())
    assert {"keybroker.v1.SigningService", "keybroker.v1.KeyService", "keybroker.v1.RecordService"} <= services


def test_metrics_count_by_operation_and_outcome_and_name_nobody(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    name = 'keybroker_requests_total{operation="SignPreCommand",outcome="SIGNED"}'
    before = broker.metric(name)
    stub.SignPreCommand(broker.request("counted"))
    assert broker.metric(name) == before + 1
    assert broker.metric("keybroker_ledger_records") > 0
    assert broker.metric('keybroker_key_ready{key="supplier-a"}') == 1


def test_the_log_shares_the_request_id_and_holds_no_secret(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    with pytest.raises(grpc.RpcError):
        stub.SignPreCommand(broker.request("in-the-log", pre_command=b"\xdf"))
    events = [event for event in broker.events("not signed") if event.get("request_id") == "in-the-log"]
    assert [event["reason"] for event in events] == ["CONTENT_MALFORMED"]
    assert broker.deployment.pin not in broker.log()
    assert broker.deployment.pin not in str([Path(f"/proc/{pid}/cmdline").read_bytes() for pid in broker.workers()])


@pytest.mark.skipif(os.geteuid() != 0, reason="a worker's environment is root's to read: NOT LOOKED AT")
def test_no_worker_has_the_pin_in_its_environment(broker: RunningBroker) -> None:
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in broker.workers()]
    assert not any(broker.deployment.pin.encode() in environment for environment in environments)
