"""A wrong PIN is tried once and latches, at the start and while recovering, until an operator acts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.config import read_configuration
from keybroker.config.latch import find_latch, unlatch
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, is_serving, running, wait_until


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """One that no broker runs on yet."""
    return create_deployment(tmp_path / "deployment")


def test_a_wrong_pin_is_tried_once_and_latches_until_an_operator_acts(deployment: Deployment) -> None:
    pin = deployment.pin
    data = deployment.directory / "data"
    ended = -1
    for _ in range(2):
        wrong = RunningBroker(deployment, workers=2, environment={"KEYBROKER_PIN": "not the PIN"})
        try:
            wrong.wait_for("module latched: no worker starts until keybroker module unlatch")
            assert wrong.metric("keybroker_module_latched") == 1
            assert wrong.workers() == []
            assert "not the PIN" not in wrong.log()
            ended = len(wrong.events("worker ended"))
        finally:
            assert wrong.stop() == 0
    # The first tried the PIN once; the second, latched already, did not try at all.
    assert ended == 0
    assert pin not in str(find_latch(data))
    right = RunningBroker(deployment)
    try:
        right.wait_for("module latched: no worker starts until keybroker module unlatch")
        unlatch(data)
        right.wait_for("broker ready")
    finally:
        right.stop()


def test_a_pin_that_went_wrong_is_tried_once_in_recovery_and_latches_too(deployment: Deployment) -> None:
    module = read_configuration(deployment.config_path).file.module
    command = [sys.executable, "-m", "tests.server.another_pin", module.library, module.token_serial, "other-PIN-1"]
    environment = {
        **os.environ,
        **deployment.broker_environment,
        "SOFTHSM2_CONF": str(deployment.directory / "softhsm2.conf"),
    }
    tokens, away = deployment.directory / "tokens", deployment.directory / "tokens-away"
    with running(deployment) as broker:
        subprocess.run(command, env=environment, check=True, timeout=20)
        tokens.rename(away)
        wait_until(lambda: not is_serving(broker), seconds=10, otherwise=broker.log)
        away.rename(tokens)
        broker.wait_for("module latched: no worker starts until keybroker module unlatch")
        assert broker.workers() == []
        assert len(broker.events("worker ready")) == 1
        assert deployment.pin not in broker.log()
