"""One caller's request against the broker that serves all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import grpc
import pytest

from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, items, reason, running

pytestmark = pytest.mark.hsm


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with running(create_deployment(tmp_path_factory.mktemp("attacks"))) as broker:
        yield broker


@pytest.fixture(scope="module")
def stub(broker: RunningBroker) -> Iterator[signing_pb2_grpc.SigningServiceStub]:
    with broker.channel("supplier-a") as channel:
        yield signing_pb2_grpc.SigningServiceStub(channel)


def test_a_stream_message_with_too_many_items_is_not_answered_item_by_item(
    stub: signing_pb2_grpc.SigningServiceStub,
) -> None:
    # Two octets of request cost some 220 of reply and 2,600 of memory: 4 MB of them took 5 GB and 13 seconds.
    message = pb.SignStreamRequest(items=[pb.SignItem()] * 10_000)
    outcomes = 0
    with suppress(grpc.RpcError):
        outcomes = sum(len(reply.outcomes) for reply in stub.SignStream(iter([message]), timeout=20))
    assert outcomes <= 1024


def test_messages_without_items_do_not_fill_the_ledger(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    def size() -> int:
        return stub.SignPreCommand(
            broker.request(f"size-{broker.deployment.target}-{next(count)}")
        ).signed.receipt.leaf_index

    count = iter(range(2))
    before = size()
    with suppress(grpc.RpcError):
        list(stub.SignStream((pb.SignStreamRequest() for _ in range(500)), timeout=20))
    assert size() - before < 20


def test_an_item_with_an_unknown_field_is_refused(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    (item,) = items(broker.request("unknown-field-in-item"))
    spoilt = pb.SignItem.FromString(item.SerializeToString() + b"\x78\x05")
    (outcome,) = stub.SignBatch(pb.SignBatchRequest(items=[spoilt])).outcomes
    assert reason(outcome) == "REQUEST_MALFORMED"
