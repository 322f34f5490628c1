"""Development deployments for tests: one that a whole session shares, and a factory for those that break things.

Under pytest-xdist every worker process has its own: ``tmp_path_factory`` gives each a directory of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

# Before gRPC is loaded: forked for a terminal (pexpect), a process that uses it would start its threads again in the
# child, which then dies before the command takes its place.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# Imported first of all: it tells asn1crypto.cms names of attributes, which whoever read CMS before never learns.
from asn1crypto import tsp  # noqa: F401
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings

from keybroker.cli.dev import broker as dev_broker
from keybroker.cli.dev.deployment import DEFAULT_KEYS, Deployment, DevKey
from keybroker.client import AsyncBroker, Broker
from keybroker.terms import KeyPurpose
from tests.deployments import create_deployment
from tests.ledger.record_fields import unlisted

# How long one example takes says how busy the machine is.
settings.register_profile("keybroker", deadline=None)
settings.load_profile("keybroker")

NOT_COUNTED = frozenset(
    ("architecture", "attacks", "ceremony", "client", "faults", "hsm", "interop", "scripts", "server", "witness")
)
"""Whatever branches of content, policy, gates and ledger these pass, others pass too; counting doubles the time."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    counting = sys.gettrace()
    if item.path.parent.name in NOT_COUNTED:
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(counting)


def pytest_collection_finish() -> None:
    """Ten thousand tests stay until the end: looking through them for garbage took a fifth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Where a test ran a command or a service in this process, the next one's log does not go to its closed stream."""
    yield
    structlog.reset_defaults()


@dataclass(slots=True, kw_only=True)
class RunningDeployment:
    """A development deployment for a test. ``deployment`` is what ``create_deployment`` gave."""

    deployment: Deployment
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _brokers: dict[str, Broker] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.deployment.directory

    @property
    def target(self) -> str:
        return self.deployment.target

    @property
    def config_path(self) -> Path:
        return self.deployment.config_path

    @property
    def env(self) -> dict[str, str]:
        """For a process that runs the broker, or a command on its configuration: the PIN."""
        return self.deployment.broker_environment

    def key(self, label: str) -> ec.EllipticCurvePublicKey:
        return self.deployment.keys[label].public_key

    def eui(self, label: str) -> bytes:
        """The eight octets that the key speaks for."""
        eui = self.deployment.keys[label].eui
        assert eui is not None, f"{label} has no EUI"
        return eui.octets

    def client_arguments(self, caller: str) -> dict[str, Any]:
        return {
            "certificate": self.deployment.certificate(caller),
            "private_key": self.deployment.private_key(caller),
            "anchors": self.deployment.anchors,
        }

    def broker(self, caller: str) -> Broker:
        """A client of that caller, one for the whole life of this object."""
        if caller not in self._brokers:
            self._brokers[caller] = self._opened.enter_context(self.new_broker(caller))
        return self._brokers[caller]

    def new_broker(self, caller: str, **more: Any) -> Broker:
        """A client of your own; close it."""
        return Broker(self.target, **self.client_arguments(caller), **more)

    def async_broker(self, caller: str, **more: Any) -> AsyncBroker:
        """For ``async with``."""
        return AsyncBroker(self.target, **self.client_arguments(caller), **more)

    def start(self, *, workers: int = 1) -> int:
        """Start the broker; gives the supervisor's process id."""
        return dev_broker.start(self.deployment, workers=workers)

    def stop(self) -> None:
        """Stop the broker; the clients that were opened stay."""
        dev_broker.stop(self.deployment)

    def close(self) -> None:
        """Close every client and stop the broker."""
        self._opened.close()
        self._brokers.clear()
        self.stop()


SMETS1_KEYS = {KeyPurpose.DCO_SMETS1: bytes(range(16)), KeyPurpose.S1SP_SMETS1: bytes(range(1, 17))}
SMETS1_AUTHENTICATION = bytes(range(16, 32))
"""Of ``deployment``: tests play SMETS1 Devices. The DCO's key alone has an authentication key beside it."""


def _known_where_symmetric(key: DevKey) -> DevKey:
    if key.purpose not in SMETS1_KEYS:
        return key
    authentication = SMETS1_AUTHENTICATION if key.draws_authentication else None
    return replace(key, private_scalar=SMETS1_KEYS[key.purpose], authentication=authentication)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeployment]:
    """A development deployment whose broker runs with one worker. Don't break it."""
    made = create_deployment(
        tmp_path_factory.mktemp("deployment"), keys=[_known_where_symmetric(key) for key in DEFAULT_KEYS]
    )
    running = RunningDeployment(deployment=made)
    try:
        running.start()
        yield running
    finally:
        running.close()
    # Whatever tests had it write: every field is one that docs/ledger.md lists.
    assert unlisted(made.directory / "data" / "ledger.sqlite") == {}


@pytest.fixture
def new_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningDeployment]]:
    """Makes deployments for one test, not started (``start()`` does); arguments are ``create_deployment``'s."""
    made: list[RunningDeployment] = []

    def make(**arguments: Any) -> RunningDeployment:
        running = RunningDeployment(deployment=create_deployment(tmp_path_factory.mktemp("deployment"), **arguments))
        made.append(running)
        return running

    try:
        yield make
    finally:
        for running in made:
            running.close()
