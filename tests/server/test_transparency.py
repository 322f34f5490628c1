"""A broker on SoftHSM that signs checkpoints of its ledger, publishes tiles, and gives proofs that strangers check."""

from __future__ import annotations

import http.client
import json
import socket
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from keybroker.cli.dev.deployment import DEFAULT_KEYS, Deployment
from keybroker.client import Broker
from keybroker.config import read_configuration, reading
from keybroker.errors import NotPermitted, RequestMalformed
from keybroker.ledger.audit import verify
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.note import read_note
from keybroker.ledger.note_keys import EcdsaNoteKey, check_signed
from keybroker.ledger.proofs import check_consistency, check_inclusion
from keybroker.pb import records_pb2 as pb
from keybroker.pb import records_pb2_grpc
from tests.cli.command import run_here, run_json
from tests.deployments import create_deployment
from tests.ledger.published import read_published
from tests.server.broker import RunningBroker, running, wait_until

pytestmark = pytest.mark.hsm

OF_CHECKPOINTS = ("root-oca", "issuing-oca", "supplier-a", "audit-checkpoint")
SECONDS = 2


def a_deployment(directory: Any, **table: Any) -> Deployment:
    """Few keys, and a checkpoint every two seconds."""
    keys = [key for key in DEFAULT_KEYS if key.label in OF_CHECKPOINTS]
    checkpoints = {"key": "audit-checkpoint", "every_records": 1000, "every_seconds": SECONDS, **table}
    return create_deployment(directory, keys=keys, checkpoints=checkpoints)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    port = free_port()
    made = a_deployment(
        tmp_path_factory.mktemp("deployment"), tiles="tiles", listen=f"127.0.0.1:{port}", publish_entries=False
    )
    with running(made) as broker:
        wait_until(lambda: covered(broker) > 0, seconds=30, otherwise=broker.log)
        yield broker


@pytest.fixture(scope="module")
def supplier(broker: RunningBroker) -> Iterator[Broker]:
    with client(broker.deployment, "supplier-a") as opened:
        yield opened


@pytest.fixture(scope="module")
def auditor(broker: RunningBroker) -> Iterator[Broker]:
    with client(broker.deployment, "auditor") as opened:
        yield opened


def client(deployment: Deployment, caller: str, **more: Any) -> Broker:
    return Broker(
        deployment.target,
        certificate=deployment.certificate(caller),
        private_key=deployment.private_key(caller),
        anchors=deployment.anchors,
        channels=2,
        **more,
    )


def key_of(deployment: Deployment) -> EcdsaNoteKey:
    origin = read_configuration(deployment.config_path).ledger_origin
    return EcdsaNoteKey(name=origin, point=deployment.keys["audit-checkpoint"].public_point)


def signed_size(supplier: Broker, key: EcdsaNoteKey, tree_size: int = 0) -> tuple[int, bytes]:
    """Size and root of a checkpoint that verifies."""
    note = read_note(supplier.get_checkpoint(tree_size))
    check_signed(note, key)
    _, size, root, _ = note.body.decode().split("\n")
    return int(size), b64decode(root)


REFUSED: dict[str, tuple[Callable[[Broker], object], type[Exception], str]] = {
    "no such checkpoint": (lambda b: b.get_checkpoint(1), NotPermitted, "no checkpoint of that size"),
    "no such tree": (lambda b: b.get_inclusion_proof(0, 10**6), RequestMalformed, "expected at most"),
    "no tree at all": (lambda b: b.get_inclusion_proof(0, 0), RequestMalformed, "expected leaves of a tree of 0"),
    "no such leaf": (lambda b: b.get_inclusion_proof(9, 9), RequestMalformed, "expected leaves of a tree of 9"),
    "no leaf": (lambda b: b.get_inclusion_proofs([], 9), RequestMalformed, "expected 1 to 1024, found 0"),
    "too many leaves": (lambda b: b.get_inclusion_proofs([1] * 1025, 9), RequestMalformed, "found 1025"),
    "an index beyond all": (lambda b: b.get_inclusion_proof(2**63, 9), RequestMalformed, "expected leaves"),
    "a size beyond all": (lambda b: b.get_consistency_proof(1, 2**63), RequestMalformed, "expected at most"),
    "a tree that shrinks": (lambda b: b.get_consistency_proof(9, 8), RequestMalformed, "expected at most 8, found 9"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_to_prove_what_is_not_there(supplier: Broker, auditor: Broker, name: str) -> None:
    ask, kind, sentence = REFUSED[name]
    before = newest(auditor)
    with pytest.raises(kind, match=sentence):
        ask(supplier)
    assert newest(auditor) >= before + 2  # it was recorded, as this question is


def test_refuses_the_records_of_all_parties_to_whoever_is_no_auditor(supplier: Broker) -> None:
    with pytest.raises(NotPermitted):
        next(supplier.tail_records(0, most=1))


@pytest.mark.parametrize("most", [0, 1_000_001])
def test_refuses_a_tail_without_bound(auditor: Broker, most: int) -> None:
    with pytest.raises(RequestMalformed, match=f"found {most}"):
        next(auditor.tail_records(0, most=most))


@pytest.mark.parametrize(
    "path",
    ["", "keybroker.toml", "tile/0/000", "tile/entries/000.p/1", "../pin", "tile/0/%2e%2e/pin", "checkpoint?x", "//x"],
)
def test_the_port_gives_nothing_but_what_is_published(broker: RunningBroker, path: str) -> None:
    assert fetched(broker, f"/{path}")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_port_is_for_reading(broker: RunningBroker, method: str) -> None:
    assert fetched(broker, "/checkpoint", method)[0] == 501


def test_signs_a_checkpoint_soon_after_a_record_and_none_for_its_own_two(
    broker: RunningBroker, supplier: Broker
) -> None:
    key = key_of(broker.deployment)
    receipt = sign(broker, supplier)
    with reading(read_configuration(broker.deployment.config_path)) as ledger:
        wait_until(lambda: covered(broker) > receipt.leaf_index, seconds=SECONDS + 15)
        # Nobody asks anything: once all but its own two are covered, nothing comes any more.
        wait_until(lambda: covered(broker) == ledger.size() - 2, seconds=4 * SECONDS + 15)
        settled = ledger.size()
        time.sleep(2 * SECONDS)
        assert ledger.size() == settled
    size, root = signed_size(supplier, key)
    found = supplier.get_inclusion_proof(receipt.leaf_index, size)
    assert found.leaf_hash == receipt.leaf_hash
    check_inclusion(receipt.leaf_hash, receipt.leaf_index, size, found.hashes, root)


def test_checkpoints_extend_each_other_and_every_leaf_is_proven_in_one_call(
    broker: RunningBroker, supplier: Broker
) -> None:
    key = key_of(broker.deployment)
    first, first_root = signed_size(supplier, key)
    sign(broker, supplier)
    wait_until(lambda: covered(broker) > first, seconds=SECONDS + 15)
    second, second_root = signed_size(supplier, key)
    proof = supplier.get_consistency_proof(first, second)
    check_consistency(first, second, proof, first_root, second_root)
    assert signed_size(supplier, key, first) == (first, first_root)
    for found in supplier.get_inclusion_proofs(range(second), second):
        check_inclusion(found.leaf_hash, found.leaf_index, second, found.hashes, second_root)


def test_pymerkle_recomputes_the_root_and_the_proofs_from_what_is_published(
    broker: RunningBroker, supplier: Broker, auditor: Broker
) -> None:
    size, tree = read_published(broker.deployment.directory / "tiles")
    assert f"\n{size}\n" in supplier.get_checkpoint(size).decode()
    found = supplier.get_inclusion_proof(5, size)
    assert [found.leaf_hash, *found.hashes] == tree.prove_inclusion(6, size).path
    assert leaf_hash(auditor.get_record(5).octets) == found.leaf_hash


def test_serves_over_http_what_stands_in_the_directory(broker: RunningBroker) -> None:
    directory = broker.deployment.directory / "tiles"
    size, _ = read_published(directory)
    status, headers, octets = fetched(broker, "/checkpoint")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert headers["Cache-Control"] == "no-cache"
    assert octets.count(b"\n") == 5
    path = f"tile/0/000.p/{size}" if size < 256 else "tile/0/000"
    status, headers, octets = fetched(broker, f"/{path}")
    assert "immutable" in headers["Cache-Control"]
    assert octets == (directory / path).read_bytes()
    assert fetched(broker, f"/{path}", "HEAD")[2] == b""


def test_an_auditor_reads_the_records_in_their_order_and_his_reading_is_one_record(auditor: Broker) -> None:
    before = newest(auditor)
    records = list(auditor.tail_records(0, most=before))
    assert len(records) == before
    assert all(leaf_hash(record.octets) == record.leaf_hash for record in records)
    # Itself is the next record; a tail from there on that does not wait finds it and ends.
    assert b"TailRecords" in next(iter(auditor.tail_records(before, most=1))).octets


def test_a_tail_that_follows_ends_at_its_number_and_does_not_feed_itself(
    broker: RunningBroker, supplier: Broker, auditor: Broker
) -> None:
    start = newest(auditor)
    tail = auditor.tail_records(start, most=3, follow=True)
    assert b"TailRecords" in next(tail).octets
    receipt = sign(broker, supplier)
    assert {leaf_hash(record.octets) for record in tail} >= {receipt.leaf_hash} or receipt.leaf_index > start + 2


def test_a_checked_receipt_and_a_state_that_is_kept(broker: RunningBroker, tmp_path: Any) -> None:
    env = broker.deployment.client_environment("supplier-a")
    vkey = run_json("ledger", "key", env=env, how=run_here)["ledger_key"]
    more = {"verify_receipts": True, "ledger_key": vkey, "ledger_state": tmp_path / "state"}
    for _ in range(2):
        with client(broker.deployment, "supplier-a", **more) as opened:
            sign(broker, opened)
    # Nothing but the checkpoint.
    assert json.loads((tmp_path / "state").read_text()).keys() == {"note"}


def test_a_proof_travels_as_a_file_and_is_checked_without_the_broker(
    broker: RunningBroker, supplier: Broker, auditor: Broker, tmp_path: Any
) -> None:
    env = broker.deployment.client_environment("supplier-a")
    proof, record = tmp_path / "r.tlog-proof", tmp_path / "record.json"
    leaf = run_json("ledger", "prove", 3, "--output", proof, env=env, how=run_here)["leaf_hash"]
    record.write_bytes(auditor.get_record(3).octets)
    key = run_here("ledger", "key", env=env).stdout.strip()
    offline = {"KEYBROKER_LEDGER_KEY": key}
    assert run_json("ledger", "check-proof", proof, "--leaf-hash", leaf, env=offline, how=run_here)["included"] is True
    assert run_json("ledger", "check-proof", proof, "--record", record, env=offline, how=run_here)["record"] == 3
    record.write_bytes(record.read_bytes()[:-1] + b" ")
    assert (
        "not proven"
        in run_json("ledger", "check-proof", proof, "--record", record, env=offline, expect=1, how=run_here)["error"][
            "sentence"
        ]
    )
    assert run_here("ledger", "checkpoint", env=env).stdout.count("\u2014") == 1


def test_the_ledger_verifies_with_its_checkpoints(broker: RunningBroker) -> None:
    configuration = read_configuration(broker.deployment.config_path)
    with reading(configuration) as ledger:
        assert verify(ledger, configuration.clock.now()).signatures > 0


def test_tails_end_when_the_broker_stops(tmp_path: Any) -> None:
    with running(a_deployment(tmp_path / "d")) as broker, broker.channel("auditor") as channel:
        asked = pb.TailRecordsRequest(first_index=0, most=1_000_000, follow=True)
        answers = records_pb2_grpc.RecordServiceStub(channel).TailRecords(asked)
        assert next(answers).first_index == 0
        broker.process.terminate()
        assert all(isinstance(answer, pb.TailRecordsResponse) for answer in answers)
        assert answers.code() is grpc.StatusCode.OK
        assert broker.stop() == 0


def sign(broker: RunningBroker, opened: Broker) -> Any:
    asked = broker.request("unused")
    return opened.sign_pre_command(key="supplier-a", octets=asked.pre_command).receipt


def covered(broker: RunningBroker) -> int:
    """As published: a look at it is no record."""
    file = broker.deployment.directory / "tiles" / "checkpoint"
    return int(file.read_text().split("\n")[1]) if file.exists() else 0


def newest(auditor: Broker) -> int:
    """How many records there are, with this question, which is one."""
    try:
        auditor.get_consistency_proof(0, 2**53 - 1)
    except RequestMalformed as error:
        return int(error.sentence.partition("at most the ")[2].partition(" ")[0]) + 1
    raise AssertionError("there are that many records")


def served(broker: RunningBroker) -> str:
    table = read_configuration(broker.deployment.config_path).file.checkpoints
    assert table is not None
    assert table.listen is not None
    return table.listen


def fetched(broker: RunningBroker, path: str, method: str = "GET") -> tuple[int, Any, bytes]:
    """Status, headers and what came."""
    connection = http.client.HTTPConnection(served(broker), timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port
