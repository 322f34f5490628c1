"""An old database put back, at rest and while the broker runs; a head taken away; and the way back by two people."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests, take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER, common
from keybroker.config import build_ledger, read_configuration
from keybroker.keys.acts import Actor
from keybroker.keys.standing import read_standing
from keybroker.pb import signing_pb2_grpc
from keybroker.statement.payloads import ThresholdNotification
from keybroker.terms import CallerKind, PartyName
from tests.cli.command import Done, a_deployment, run, run_json
from tests.deployments import create_deployment
from tests.lives import live
from tests.server.broker import RunningBroker, refusal, running, wait_until

pytestmark = pytest.mark.hsm

OPERATOR = Actor(identity="local:tests", kind=CallerKind.OPERATOR, party=PartyName("operator"))


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment whose ledger is copied and put back."""

    deployment: Deployment

    @property
    def ledger(self) -> Path:
        return self.deployment.directory / "data" / "ledger.sqlite"

    def serve(self, *names: str) -> None:
        """A broker's whole life, in which these are signed."""
        with running(self.deployment) as broker:
            for name in names:
                sign(broker, name)

    def back_up(self) -> Path:
        """A copy beside it, of a ledger at rest."""
        copy = self.ledger.with_name("older")
        with closing(sqlite3.connect(self.ledger)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return copy

    def put_back(self, copy: Path) -> None:
        for file in self.ledger.parent.glob("ledger.sqlite-*"):
            file.unlink()
        shutil.copyfile(copy, self.ledger)

    def order(self, number: int, target: str, name: str) -> Path:
        """Of an administrator, as he makes it himself."""
        who = self.deployment.directory / "evidence" / ADMINISTRATORS[number]
        file = self.deployment.directory / f"{name}.jws"
        keys = ("--person", f"{who}.pem", "--person-key", f"{who}.key")
        done = run("evidence", "order", "--act", "RestoreLedger", "--target", target, *keys, "--output", file, *self.on)
        assert done.returncode == 0, done.stderr
        return file

    @property
    def on(self) -> tuple[str, Path]:
        return "--config", self.deployment.config_path

    def restore(self, *orders: Path) -> Done:
        options = [option for order in orders for option in ("--order", order)]
        return run("ledger", "restore", *options, *self.on, env=self.deployment.broker_environment)

    def show(self) -> dict[str, object]:
        shown = run_json("ledger", "restore", "--show", *self.on, env=self.deployment.broker_environment)
        assert isinstance(shown, dict)
        return shown

    def verify(self) -> None:
        done = run("ledger", "verify", "--with-token", *self.on, env=self.deployment.broker_environment)
        assert done.returncode == 0, done.stderr

    def does_not_start(self, why: str) -> None:
        broker = RunningBroker(self.deployment)
        try:
            assert broker.process.wait(20) == 65
        finally:
            broker.stop()
        assert why in broker.log()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(a_deployment(tmp_path / "deployment"))


def sign(broker: RunningBroker, name: str) -> bytes:
    with broker.channel("supplier-a") as channel:
        signed = signing_pb2_grpc.SigningServiceStub(channel).SignPreCommand(broker.request(name), timeout=20)
    return bytes(signed.signed.signature)


def why_not(broker: RunningBroker, name: str) -> str:
    """The reason for which this is not signed; empty where it is."""
    try:
        with broker.channel("supplier-a") as channel:
            stub = signing_pb2_grpc.SigningServiceStub(channel)
            return refusal(lambda: stub.SignPreCommand(broker.request(name), timeout=20))[1]
    except AssertionError:
        return ""


def run_python(module: str, deployment: Deployment, *arguments: Path) -> int:
    """A module of the tests in a process of its own, on a deployment; its exit status."""
    given, environment = [str(deployment.config_path), *map(str, arguments)], os.environ | deployment.broker_environment
    return live(module, given, environment=environment, seconds=60).returncode


def state_anew(deployment: Deployment) -> None:
    """Everything that was stated, stated again now: what an officer does after a restore."""
    configuration = read_configuration(deployment.config_path)
    ledger, _, journal = build_ledger(configuration, worker="operator")
    officer, at = read_attests(deployment.directory / "evidence", OFFICER), configuration.clock.now()
    with ledger.read() as connection:
        held = read_standing(connection).statements
    for statement in held:
        said = statement.payload
        more = {"sequence": said.sequence + 1} if isinstance(said, ThresholdNotification) else {}
        given = common(configuration.ledger_origin, at, statement.kind)
        anew = type(said).model_validate({**said.model_dump(exclude_unset=True), **given, **more})
        take_in(journal, OPERATOR, anew, officer, configuration.people, at)
    journal.close()
    ledger.close()


def test_an_old_database_put_back_at_rest_serves_again_only_by_order_of_two_people(place: Place) -> None:
    place.serve("a")
    older = place.back_up()
    place.serve("b", "c")
    place.put_back(older)
    # 1. Nothing starts, and the command says what is lost.
    place.does_not_start("rolled back")
    shown = place.show()
    assert shown["state"] == "behind"
    assert int(str(shown["remembered_size"])) - int(str(shown["tree_size"])) == shown["lost at most"]
    # 2. Nobody restores it alone, twice, or for another head.
    target = str(shown["target"])
    first, second = (place.order(number, target, f"order-{number}") for number in (0, 1))
    for given, why in (
        ([first], "expected two orders"),
        ([first, first], "administrator-a twice"),
        ([first, place.order(1, "ab" * 32, "order-for-another")], "ORDER_FOR_ANOTHER_ACT"),
    ):
        done = place.restore(*given)
        assert done.returncode == 1
        assert why in done.stderr
    # 3. Two people do; once is enough, and again is refused.
    done = place.restore(first, second)
    assert done.returncode == 0, done.stderr
    assert place.show()["state"] == "the ledger extends what is remembered: nothing to restore"
    assert "nothing to restore" in place.restore(first, second).stderr
    place.verify()
    # 4. It starts; what was stated before counts no more; stated anew, it signs.
    with running(place.deployment) as broker:
        assert why_not(broker, "d").endswith("_NOT_SHOWN")
    state_anew(place.deployment)
    place.serve("e")
    place.verify()


def test_whoever_is_killed_between_record_and_module_finishes_with_the_same_orders(place: Place) -> None:
    place.serve("a")
    older = place.back_up()
    place.serve("b")
    place.put_back(older)
    target = str(place.show()["target"])
    given = [place.order(number, target, f"order-{number}") for number in (0, 1)]
    assert run_python("tests.attacks.dying_in_a_restore", place.deployment, *given) == -9
    place.does_not_start("finish it, keybroker ledger restore")
    assert "finish it with the same two orders" in str(place.show()["state"])
    stranger = place.order(1, target, "order-late")
    assert "by other orders" in place.restore(given[0], stranger).stderr
    assert place.restore(*given).returncode == 0
    place.verify()
    with running(place.deployment) as broker:
        assert why_not(broker, "c").endswith("_NOT_SHOWN")


@pytest.mark.parametrize("way", ["moved over the open one", "restored into the open one"])
def test_an_old_database_put_back_while_it_runs_signs_nothing(place: Place, way: str) -> None:
    place.serve("a")
    older = place.back_up()
    broker = RunningBroker(place.deployment)
    try:
        broker.wait_for("broker ready")
        sign(broker, "b")
        if way == "moved over the open one":
            older.with_name("another").write_bytes(older.read_bytes())
            older.with_name("another").rename(place.ledger)
        else:
            with closing(sqlite3.connect(older)) as source, closing(sqlite3.connect(place.ledger)) as target:
                source.backup(target)
        for name in ("c", "d", "e"):
            assert why_not(broker, name) in ("LEDGER_BROKEN", "LEDGER_NOT_REMEMBERED")
    finally:
        broker.stop()
    place.put_back(older)
    place.does_not_start("rolled back")


def test_a_head_taken_away_while_it_runs_shuts_what_spends_after_a_pause(tmp_path: Path) -> None:
    """Within a pause nothing is compared; after it the next request finds the gate shut, and it stays shut."""
    deployment = create_deployment(tmp_path / "deployment", anchor_seconds=1)
    with running(deployment) as broker:
        sign(broker, "a")
        assert run_python("tests.attacks.taking_the_head", deployment) == 0
        time.sleep(1.2)
        assert why_not(broker, "b") in ("LEDGER_NOT_REMEMBERED", "MODULE_UNAVAILABLE")
        wait_until(lambda: why_not(broker, f"c-{time.monotonic_ns()}") == "MODULE_UNAVAILABLE", seconds=15)
    Place(deployment).does_not_start("served before")
