"""What breaks while the broker runs, and what an operator does to it: nothing is lost, nothing leaves unrecorded."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from tests import faults
from tests.deployments import create_deployment
from tests.lives import live
from tests.server.broker import (
    RunningBroker,
    edit,
    is_serving,
    items,
    order_reload,
    reason,
    refusal,
    running,
    wait_until,
)

pytestmark = pytest.mark.hsm


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The switches of the fault library."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, control: Path) -> Iterator[RunningBroker]:
    deployment = create_deployment(tmp_path_factory.mktemp("adversity"), anchor_seconds=1)
    with running(deployment, workers=2, environment=faults.environment(control)) as broker:
        yield broker


@pytest.fixture(scope="module")
def stub(broker: RunningBroker) -> Iterator[signing_pb2_grpc.SigningServiceStub]:
    with broker.channel("supplier-a") as channel:
        yield signing_pb2_grpc.SigningServiceStub(channel)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """One that no broker runs on yet."""
    return create_deployment(tmp_path / "deployment")


def test_reload_with_a_bad_file_keeps_the_old_and_says_why(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    good = broker.deployment.config_path.read_text()
    for old, new, why in [
        ("sessions = 1", 'sessions = "one"', "module.sessions"),
        ("[anchors]", "unknown = 1\n[anchors]", "unknown"),
        ("drain_seconds = 20", "drain_seconds = 21", "restart is needed for limits"),
    ]:
        refused = len(broker.events("reload refused, the old configuration stands"))
        edit(broker.deployment, old, new)
        broker.tell(signal.SIGHUP)
        broker.wait_for("reload refused, the old configuration stands", times=refused + 1)
        assert why in broker.events("reload refused, the old configuration stands")[-1]["why"]
        broker.deployment.config_path.write_text(good)
    assert stub.SignPreCommand(broker.request("after-bad-reload")).signed.signature


def test_both_workers_take_a_good_reload(broker: RunningBroker) -> None:
    edit(broker.deployment, "[limits]", "# The digest in force changes with every octet.\n[limits]")
    taken = len(broker.events("reload taken by worker"))
    broker.reload()
    broker.wait_for("reload taken by worker", times=taken + 2)


def test_refuses_a_second_broker_on_the_same_ledger(broker: RunningBroker) -> None:
    command = [sys.executable, "-m", "keybroker.server", str(broker.deployment.config_path)]
    environment = {**os.environ, **broker.deployment.broker_environment}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 75
    assert "another broker is running" in ended.stderr


def test_a_killed_worker_is_started_again_and_nothing_answered_is_lost(broker: RunningBroker) -> None:
    answered: dict[str, bytes] = {}
    stop = threading.Event()

    def sign() -> None:
        with broker.channel("supplier-a") as channel:
            stub = signing_pb2_grpc.SigningServiceStub(channel)
            for number in range(100_000):
                if stop.is_set():
                    return
                name = f"killed-{threading.get_ident()}-{number}"
                asked = broker.request(name)
                try:
                    answered[name] = stub.SignPreCommand(asked, wait_for_ready=True, timeout=20).signed.signature
                except grpc.RpcError as error:
                    # In flight when its worker died; the same request may be asked again, and is then known to nobody,
                    # given again, or unknown: never refused as if it were another's.
                    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN), error  # noqa: PT017

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready = len(broker.events("worker ready"))
    for kill in range(2):
        time.sleep(0.5)
        os.kill(broker.workers()[0], signal.SIGKILL)
        broker.wait_for("worker ready", times=ready + kill + 1)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answered) > 20
    assert len(set(answered.values())) == len(answered)
    records = stored_records(broker.deployment)
    intents = {record["request_id"]: index for index, record in enumerate(records) if record["kind"] == "intent"}
    ended = {record["intent"]: record for record in records if record["kind"] in ("outcome", "closed")}
    # Whatever was answered is recorded with that very signature, and no intent stands open.
    assert {name: ended[intents[name]].get("signature") for name in answered} == {
        name: signature.hex() for name, signature in answered.items()
    }
    assert set(intents.values()) <= set(ended)


def stored_records(deployment: Deployment) -> list[dict[str, Any]]:
    """Every record, read from the file and not through the broker."""
    with closing(sqlite3.connect(deployment.directory / "data" / "ledger.sqlite")) as connection:
        return [json.loads(row[0]) for row in connection.execute("SELECT octets FROM record ORDER BY leaf_index")]


def test_a_worker_starts_from_what_was_accepted_whatever_became_of_the_file(broker: RunningBroker) -> None:
    file = broker.deployment.config_path
    good = file.read_text()
    ready = len(broker.events("worker ready"))
    try:
        # Spoilt; then good but never reloaded, and without the caller that asks below.
        for starts, text in enumerate(("not TOML at all", good.replace("urn:keybroker:supplier-a:", "urn:gone:")), 1):
            file.write_text(text)
            os.kill(broker.workers()[0], signal.SIGKILL)
            broker.wait_for("worker ready", times=ready + starts)
    finally:
        file.write_text(good)
    digests = set()
    for n in range(12):
        with broker.channel("supplier-a") as channel:
            asked = broker.request(f"as-accepted-{n}-{time.monotonic_ns()}")
            stub = signing_pb2_grpc.SigningServiceStub(channel)
            leaf = stub.SignPreCommand(asked, wait_for_ready=True).signed.receipt.leaf_index
        records = stored_records(broker.deployment)
        digests.add(records[records[leaf]["intent"]]["in_force"]["configuration"])
    assert digests == {hashlib.sha256(good.encode()).hexdigest()}


def test_what_no_worker_could_take_is_not_what_the_next_one_starts_with(broker: RunningBroker, control: Path) -> None:
    file = broker.deployment.config_path
    good = file.read_text()
    refused = len(broker.events("reload refused by worker"))
    ready = len(broker.events("worker ready"))
    edit(broker.deployment, "[limits]", "# Cannot be recorded.\n[limits]")
    order_reload(broker.deployment)
    faults.set_fault(control, "write", "ledger.sqlite")
    try:
        broker.tell(signal.SIGHUP)
        broker.wait_for("reload refused by worker", times=refused + 2)
    finally:
        faults.clear_fault(control, "write")
    os.kill(broker.workers()[0], signal.SIGKILL)
    broker.wait_for("worker ready", times=ready + 1)
    file.write_text(good)
    start = [record for record in stored_records(broker.deployment) if record["kind"] == "start"][-1]
    assert start["in_force"]["configuration"] == hashlib.sha256(good.encode()).hexdigest()


@pytest.mark.parametrize(
    ("fault", "concerned"), [("fsync", "ledger.sqlite"), ("write", "ledger.sqlite"), ("readonly", "ledger.sqlite")]
)
def test_a_ledger_that_cannot_write_lets_no_signature_out_and_recovers(
    broker: RunningBroker,
    stub: signing_pb2_grpc.SigningServiceStub,
    control: Path,
    fault: faults.Fault,
    concerned: str,
) -> None:
    faults.set_fault(control, fault, concerned)
    try:
        for number in range(3):
            code, why, _ = refusal(partial(stub.SignPreCommand, broker.request(f"{fault}-{number}")))
            assert (code, why) in {
                (grpc.StatusCode.UNAVAILABLE, "LEDGER_UNAVAILABLE"),
                (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN"),
            }
        batch = pb.SignBatchRequest(items=items(*(broker.request(f"{fault}-batch-{n}") for n in range(5))))
        assert "SIGNED" not in {reason(outcome) for outcome in stub.SignBatch(batch).outcomes}
    finally:
        faults.clear_fault(control, fault)
    assert _signs_again(broker, stub, fault)


def test_a_token_taken_away_makes_it_unavailable_and_it_recovers_when_it_returns(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    tokens = broker.deployment.directory / "tokens"
    away = broker.deployment.directory / "tokens-away"
    tokens.rename(away)
    try:
        wait_until(lambda: not is_serving(broker), seconds=10, otherwise=broker.log)
        code, why, details = refusal(lambda: stub.SignPreCommand(broker.request("away")))
        assert (code, why) == (grpc.StatusCode.UNAVAILABLE, "MODULE_UNAVAILABLE")
        assert "RetryInfo" in details
    finally:
        away.rename(tokens)
    assert _signs_again(broker, stub, "token")
    wait_until(lambda: is_serving(broker), seconds=10, otherwise=broker.log)


def test_nothing_is_signed_while_the_ledgers_head_cannot_be_kept_in_the_token(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    def sentence() -> str:
        try:
            stub.SignPreCommand(broker.request(f"head-{time.monotonic_ns()}"))
        except grpc.RpcError as error:
            return f"{error.code()} {error.details()}"
        return ""

    assert not sentence()
    another_head(broker.deployment, "put")
    try:
        wait_until(lambda: "keep the ledger's head" in sentence(), seconds=15, otherwise=broker.log)
        assert "UNAVAILABLE" in sentence()
    finally:
        another_head(broker.deployment, "take")
    assert _signs_again(broker, stub, "head")


def another_head(deployment: Deployment, act: str) -> None:
    given, environment = [str(deployment.config_path), act], os.environ | deployment.broker_environment
    live("tests.server.another_head", given, environment=environment, seconds=20).check_returncode()


def _signs_again(broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub, name: str) -> bool:
    def signs() -> bool:
        try:
            return bool(stub.SignPreCommand(broker.request(f"again-{name}-{time.monotonic_ns()}")).signed.signature)
        except grpc.RpcError:
            return False

    wait_until(signs, seconds=15, otherwise=broker.log)
    return True


# ---- a deployment for each: start, stop, PIN


def test_sigterm_drains_what_was_taken_and_refuses_what_is_new(deployment: Deployment) -> None:
    with running(deployment) as broker, broker.channel("supplier-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        waiting = [
            stub.SignBatch.future(pb.SignBatchRequest(items=items(*(broker.request(f"d-{n}-{m}") for m in range(200)))))
            for n in range(4)
        ]
        time.sleep(0.1)
        assert broker.stop() == 0
        outcomes = [_outcomes(future) for future in waiting]
    assert any(outcome == {"SIGNED"} for outcome in outcomes), outcomes
    assert all(outcome in ({"SIGNED"}, {"BROKER_STOPPING"}, {"closed"}) for outcome in outcomes), outcomes
    assert broker.events("worker stopped")


def _outcomes(future: object) -> set[str]:
    try:
        return {reason(outcome) for outcome in future.result(timeout=10).outcomes}  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        return {"BROKER_STOPPING" if "stopping" in str(error.details()) else "closed"}


def test_workers_drain_when_their_supervisor_is_killed(deployment: Deployment) -> None:
    with running(deployment) as broker:
        (worker,) = broker.workers()
        broker.tell(signal.SIGKILL)
        broker.process.wait(10)
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), seconds=10, otherwise=broker.log)
        assert broker.events("worker stopped")


def test_an_earlier_database_file_put_back_is_noticed_at_the_start(deployment: Deployment) -> None:
    database = deployment.directory / "data" / "ledger.sqlite"
    earlier = {path.name: path.read_bytes() for path in database.parent.glob("ledger.sqlite*") if path.is_file()}
    with running(deployment) as broker, broker.channel("supplier-a") as channel:
        signing_pb2_grpc.SigningServiceStub(channel).SignPreCommand(broker.request("rolled-back"))
    for path in database.parent.glob("ledger.sqlite*"):
        path.unlink()
    for name, octets in earlier.items():
        (database.parent / name).write_bytes(octets)
    again = RunningBroker(deployment)
    try:
        assert again.process.wait(20) == 65
    finally:
        again.stop()
    assert "rolled back" in again.log()


def test_a_token_without_the_head_of_a_ledger_that_was_served_is_noticed_at_the_start(deployment: Deployment) -> None:
    tokens = deployment.directory / "tokens"
    earlier = deployment.directory / "tokens-earlier"
    shutil.copytree(tokens, earlier)
    with running(deployment):
        pass
    shutil.rmtree(tokens)
    earlier.rename(tokens)
    again = RunningBroker(deployment)
    try:
        assert again.process.wait(20) == 65
    finally:
        again.stop()
    assert "served before" in again.log()


def test_no_start_is_recorded_before_a_head_is_kept_so_a_worker_may_die_at_any_moment(
    deployment: Deployment, control: Path
) -> None:
    faults.set_fault(control, "readonly", "/tokens/")
    broker = RunningBroker(deployment, environment=faults.environment(control))
    try:
        broker.wait_for("worker ended", times=2)
        assert "start" not in {record["kind"] for record in stored_records(deployment)}
        faults.clear_fault(control, "readonly")
        broker.wait_for("broker ready")
    finally:
        faults.clear_fault(control, "readonly")
        broker.stop()
    assert "start" in {record["kind"] for record in stored_records(deployment)}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d: edit(d, "sessions = 1", "sessions = 1\nextra = 2"), "module.extra"),
        (lambda d: edit(d, 'kind = "test"', 'kind = "live"\nparty = "supplier-a"'), "anchors.test_certificates"),
        (
            lambda d: d.certificate("supplier-a").rename(d.directory / "tls" / "server.pem"),
            "not the key of server.certificate",
        ),
    ],
    ids=["unknown key", "a test deployment opened as live", "another's certificate"],
)
def test_does_not_start_and_exits_78(deployment: Deployment, spoil: Callable[[Deployment], object], says: str) -> None:
    spoil(deployment)
    broker = RunningBroker(deployment)
    try:
        assert broker.process.wait(20) == 78
    finally:
        broker.stop()
    assert says in broker.log()
