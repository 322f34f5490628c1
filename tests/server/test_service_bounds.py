"""How much may one caller take, and how long may a call or connection last? A broker with tight limits, two systems."""

from __future__ import annotations

import os
import queue
import re
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests, take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER, common
from keybroker.config import read_configuration
from keybroker.pb import records_pb2, records_pb2_grpc, signing_pb2_grpc
from keybroker.pb import signing_pb2 as pb
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, SecurityCertificate
from tests import messages
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, items, reason, refusal, running

pytestmark = pytest.mark.hsm
LIMITS = {
    "message_octets": 2048,
    "batch_items": 8,
    "queued_items": 16,
    "connection_age_seconds": 2,
    "connection_grace_seconds": 2,
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """``load-controller-a`` is, in this caller table, another system of the supplier, entitled to the same key."""
    deployment = create_deployment(tmp_path_factory.mktemp("bounds"), limits=LIMITS)
    head, *callers = deployment.config_path.read_text().split("[[caller]]")
    identity = 'identity = "uri:urn:keybroker:load-controller-a:head-end"'
    (supplier,) = [caller for caller in callers if "urn:keybroker:supplier-a:" in caller]
    twin = re.sub(r'system = ".*"', 'system = "second-head-end"', re.sub(r"identity = .*", identity, supplier))
    callers = [twin if identity in caller else caller for caller in callers]
    deployment.config_path.write_text("[[caller]]".join([head, *callers]))
    locate(deployment, "supplier-a/second-head-end")
    with running(deployment) as broker:
        yield broker


def locate(deployment: Deployment, system: str) -> None:
    """The deployment's officer states that another system of the supplier stands where the broker does."""
    configuration = read_configuration(deployment.config_path)
    at = configuration.clock.now()
    said = Location.model_validate(
        {
            **common(configuration.ledger_origin, at, StatementKind.LOCATION),
            "of": "system",
            "subject": system,
            "party": "supplier-a",
            "country": "GB",
            "site": configuration.node.site,
            "environment": SecurityCertificate(
                standard="ISO/IEC 27001", reference="TEST", expires=int(at.timestamp()) + 86_400
            ),
            "people": list(ADMINISTRATORS),
        }
    )
    officer = read_attests(deployment.directory / "evidence", OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        take_in(journal, actor, said, officer, configuration.people, at)


@pytest.fixture
def stub(broker: RunningBroker) -> Iterator[signing_pb2_grpc.SigningServiceStub]:
    with broker.channel("supplier-a") as channel:
        yield signing_pb2_grpc.SigningServiceStub(channel)


@pytest.fixture
def second(broker: RunningBroker) -> Iterator[signing_pb2_grpc.SigningServiceStub]:
    with broker.channel("load-controller-a") as channel:
        yield signing_pb2_grpc.SigningServiceStub(channel)


# ---- refusals


def test_refuses_a_request_id_that_another_system_of_the_same_party_has_taken(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub, second: signing_pb2_grpc.SigningServiceStub
) -> None:
    asked = broker.request("mine")
    assert not stub.SignPreCommand(asked).signed.given_again
    code, why, details = refusal(lambda: second.SignPreCommand(asked))
    assert (code, why) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_REPEATED")
    assert details["info"].metadata["clause"] == "G5.9(f), G5.22(c)"
    assert stub.SignPreCommand(asked).signed.given_again


def test_refuses_what_goes_beyond_a_callers_half_of_the_queue_and_leaves_room_for_others(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub, second: signing_pb2_grpc.SigningServiceStub
) -> None:
    warm = second.SignPreCommand(broker.request("warm")).signed
    batches = [
        pb.SignBatchRequest(items=items(*(broker.request(f"greedy-{n}-{m}") for m in range(8)))) for n in range(40)
    ]
    asked = [stub.SignBatch.future(batch) for batch in batches]
    served = [second.SignPreCommand(broker.request(f"modest-{n}")).signed for n in range(5)]
    ended = [refusal_or_none(future) for future in asked]
    assert all(signed.signature for signed in (warm, *served))
    assert None in ended
    busy = {(code, why, "RetryInfo" in details) for code, why, details in filter(None, ended)}
    assert busy == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "MODULE_BUSY", True)}


def refusal_or_none(future: grpc.Future[Any]) -> tuple[grpc.StatusCode, str, dict[str, object]] | None:
    return refusal(future.result) if future.exception() is not None else None


def test_what_a_caller_cancels_gives_its_share_back(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    for n in range(30):
        batch = pb.SignBatchRequest(items=items(*(broker.request(f"gone-{n}-{m}") for m in range(8))))
        stub.SignBatch.future(batch).cancel()
    last = time.monotonic() + 5
    while True:
        batch = pb.SignBatchRequest(items=items(*(broker.request(f"back-{time.monotonic_ns()}-{m}") for m in range(8))))
        try:
            assert {reason(outcome) for outcome in stub.SignBatch(batch).outcomes} == {"SIGNED"}
        except grpc.RpcError:
            assert time.monotonic() < last
        else:
            return


@pytest.mark.parametrize("count", [0, 9])
def test_a_stream_ends_with_a_message_of_the_wrong_form_after_answering_what_came_before(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub, count: int
) -> None:
    good = pb.SignStreamRequest(items=items(*(broker.request(f"before-{count}-{n}") for n in range(4))))
    wrong = pb.SignStreamRequest(items=items(*(broker.request(f"wrong-{count}-{n}") for n in range(count))))
    answered: list[str] = []

    def ask() -> None:
        for reply in stub.SignStream(iter([good, wrong, good])):
            answered.extend(reason(outcome) for outcome in reply.outcomes)

    code, why, details = refusal(ask)
    assert (code, why) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")
    assert f"found {count}" in details["sentence"]
    assert answered == ["SIGNED"] * 4


def test_refuses_unknown_fields_of_an_item_alone_and_of_a_batch_whole(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    (item,) = items(broker.request("many-unknown"))
    # 128 KiB is the most that this broker reads: 60,000 fields of two octets.
    spoilt = pb.SignItem.FromString(item.SerializeToString() + b"\x78\x05" * 60_000)
    (outcome,) = stub.SignBatch(pb.SignBatchRequest(items=[spoilt])).outcomes
    assert reason(outcome) == "REQUEST_MALFORMED"
    batch = pb.SignBatchRequest.FromString(pb.SignBatchRequest(items=[item]).SerializeToString() + b"\x78\x05")
    assert refusal(lambda: stub.SignBatch(batch))[1] == "REQUEST_MALFORMED"


def test_nothing_is_signed_for_a_call_whose_deadline_passed_before_a_worker_read_it(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    (worker,) = broker.workers()
    leaf = stub.SignPreCommand(broker.request("before-deadline")).signed.receipt.leaf_index
    os.kill(worker, signal.SIGSTOP)
    try:
        with pytest.raises(grpc.RpcError) as ended:
            stub.SignPreCommand(broker.request("late"), timeout=0.3)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    newest = stub.SignPreCommand(broker.request("after-deadline"), wait_for_ready=True).signed.receipt.leaf_index
    with broker.channel("auditor") as channel:
        auditor = records_pb2_grpc.RecordServiceStub(channel)
        records = [
            auditor.GetRecord(records_pb2.GetRecordRequest(leaf_index=n)).record for n in range(leaf, newest + 1)
        ]
    assert not any(b'"late"' in record for record in records)
    assert any(b'"after-deadline"' in record for record in records)


# ---- what ends by itself


def test_a_stream_ends_in_order_at_the_age_of_a_connection_and_the_next_is_served(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    asked: queue.SimpleQueue[pb.SignStreamRequest | None] = queue.SimpleQueue()
    asked.put(pb.SignStreamRequest(items=items(broker.request("old"))))
    started = time.monotonic()
    call = stub.SignStream(iter(asked.get, None), timeout=20)
    outcomes = [reason(outcome) for reply in call for outcome in reply.outcomes]
    asked.put(None)
    assert outcomes == ["SIGNED"]
    assert call.code() is grpc.StatusCode.OK
    assert 1 < time.monotonic() - started < 10
    assert stub.SignPreCommand(broker.request("young"), wait_for_ready=True).signed.signature


def test_calls_go_on_over_many_connections(broker: RunningBroker) -> None:
    """Longer than the age of a connection, and nobody notices."""
    failed: list[object] = []

    def sign(name: str) -> None:
        with broker.channel("supplier-a") as channel:
            stub = signing_pb2_grpc.SigningServiceStub(channel)
            for n in range(15):
                if not stub.SignPreCommand(broker.request(f"{name}-{n}"), wait_for_ready=True).signed.signature:
                    failed.append(n)
                time.sleep(0.18)

    threads = [threading.Thread(target=sign, args=(f"aged-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# ---- what is signed, and what a reload changes


def test_signs_a_command_for_the_access_control_broker(broker: RunningBroker) -> None:
    key = broker.deployment.keys["access-control-broker"]
    assert key.eui is not None
    octets = messages.compose_command(messages.SUPPLIER_BY_SUPPLIER, key.eui, counter=time.time_ns() >> 10)
    asked = pb.SignCommandRequest(request_id="acb", key="access-control-broker", command=octets)
    with broker.channel("dcc") as channel:
        signed = signing_pb2_grpc.SigningServiceStub(channel).SignCommand(asked).signed
    assert signed.signed_message == octets + b"\x40" + signed.signature
    r, s = (int.from_bytes(part, "big") for part in (signed.signature[:32], signed.signature[32:]))
    key.public_key.verify(utils.encode_dss_signature(r, s), octets[1:], ec.ECDSA(hashes.SHA256()))


def test_a_key_taken_off_a_callers_list_is_refused_after_the_reload_and_served_after_the_next(
    broker: RunningBroker, second: signing_pb2_grpc.SigningServiceStub, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    good = broker.deployment.config_path.read_text()
    at = good.index("second-head-end")
    broker.deployment.config_path.write_text(good[:at] + good[at:].replace('keys = ["supplier-a", ', "keys = [", 1))
    reload(broker)
    code, why, details = refusal(lambda: second.SignPreCommand(broker.request("listed"), wait_for_ready=True))
    assert (code, why) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert details["info"].metadata["rule"] == "caller-entitled-to-key"
    assert stub.SignPreCommand(broker.request("other-system"), wait_for_ready=True).signed.signature
    broker.deployment.config_path.write_text(good)
    reload(broker)
    assert second.SignPreCommand(broker.request("listed-again"), wait_for_ready=True).signed.signature


def reload(broker: RunningBroker) -> None:
    taken = len(broker.events("reload taken"))
    broker.reload()
    broker.wait_for("reload taken", times=taken + 1)
