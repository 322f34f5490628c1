"""The clock is stepped, both ways, while requests run: what relies on time is shut at once, and says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybroker.client import Broker
from keybroker.client.answers import SignedMessage
from keybroker.errors import ClockUnreliable, KeybrokerError
from tests import faults
from tests.attacks.races import a_pre_command
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, running

pytestmark = pytest.mark.hsm

SET_CLOCK = 0x0062
"""ECS70: not supply sensitive."""


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "faults"


@pytest.fixture
def broker(tmp_path: Path, control: Path) -> Iterator[RunningBroker]:
    deployment = create_deployment(tmp_path / "deployment")
    with running(deployment, environment=faults.environment(control)) as broker:
        yield broker


def a_client(broker: RunningBroker) -> Broker:
    own = broker.deployment
    return Broker(
        own.target,
        certificate=own.certificate("supplier-a"),
        private_key=own.private_key("supplier-a"),
        anchors=own.anchors,
    )


def asked(client: Broker, broker: RunningBroker, counter: int) -> SignedMessage | KeybrokerError:
    try:
        return client.sign_pre_command(
            key="supplier-a", octets=a_pre_command(broker.deployment, counter, SET_CLOCK), request_id=f"c-{counter}"
        )
    except KeybrokerError as error:
        return error


@pytest.mark.parametrize("step", [3600, -3600], ids=["forwards", "backwards"])
def test_a_step_of_the_clock_shuts_the_gates_at_once_and_they_open_when_it_is_put_back(
    broker: RunningBroker, control: Path, step: int
) -> None:
    with a_client(broker) as client:
        assert isinstance(asked(client, broker, 1), SignedMessage)
        faults.set_fault(control, "clock", str(step))
        refusal = asked(client, broker, 2)
        assert isinstance(refusal, ClockUnreliable), refusal
        shut = {finding.rule for finding in refusal.findings if not finding.passed}
        assert {"uk-location", "anomaly-threshold", "information-classification-module"} <= shut
        faults.clear_fault(control, "clock")
        assert isinstance(asked(client, broker, 3), SignedMessage)


def test_no_request_under_way_is_signed_by_a_clock_that_was_stepped(broker: RunningBroker, control: Path) -> None:
    outcomes: list[SignedMessage | KeybrokerError] = []
    stop = threading.Event()

    def ask() -> None:
        with a_client(broker) as client:
            counter = 100
            while not stop.is_set():
                counter += 1
                outcomes.append(asked(client, broker, counter))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for step in ("3600", "-3600", "3600"):
            faults.set_fault(control, "clock", step)
            reached = len(outcomes) + 50
            while len(outcomes) < reached:
                thread.join(0.01)
            assert all(isinstance(each, ClockUnreliable) for each in outcomes[-20:])
            faults.clear_fault(control, "clock")
            reached = len(outcomes) + 50
            while len(outcomes) < reached:
                thread.join(0.01)
            assert all(isinstance(each, SignedMessage) for each in outcomes[-20:])
    finally:
        stop.set()
        thread.join()
    assert {type(each) for each in outcomes} == {SignedMessage, ClockUnreliable}
