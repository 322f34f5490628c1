"""As whom does a broker refuse to run, with which files, and what does it tell the service manager?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid
from keybroker.server.exit_status import ExitStatus
from keybroker.server.own_process import check_modes, check_user
from keybroker.server.service_manager import ServiceManager
from keybroker.terms import DeploymentKind
from tests.server.test_configuration import LIVE, read, write


@pytest.mark.parametrize("users", [(0, 0, 0), (0, 990, 990), (990, 0, 990), (990, 990, 0)])
def test_refuses_root_in_a_live_deployment_also_where_it_can_come_back(users: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"does not run as root: expected a user of its own"):
        check_user(DeploymentKind.LIVE, users)


def test_a_live_deployment_runs_as_a_user_of_its_own_and_a_test_deployment_as_anybody() -> None:
    check_user(DeploymentKind.LIVE, (990, 990, 990))
    check_user(DeploymentKind.TEST, (0, 0, 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="refused is root alone: NOT SHOWN by a process")
def test_a_live_broker_that_root_starts_ends_with_78_and_touches_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, *LIVE)
    command = [sys.executable, "-m", "keybroker.server", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == ExitStatus.CONFIGURATION_INVALID
    assert "does not run as root" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"anchor.pem", "keybroker.toml"}


TOO_OPEN = {
    "the configuration": ("keybroker.toml", 0o646, "o+w"),
    "an anchor": ("anchor.pem", 0o602, "o+w"),
    "the TLS key, to everybody": ("server.key", 0o604, "o+rwx,g+w"),
    "the TLS key, to be written by its group": ("server.key", 0o660, "o+rwx,g+w"),
    "the anchors of clients": ("anchors.pem", 0o666, "o+w"),
    "the data directory": ("data", 0o755, "o+rwx"),
}


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A deployment's directory, with modes as they should be."""
    write(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    for name, mode in (("server.key", 0o640), ("server.pem", 0o644), ("anchors.pem", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    return tmp_path


@pytest.mark.parametrize("what", TOO_OPEN)
def test_refuses_what_others_may_touch(closed: Path, what: str) -> None:
    name, mode, letters = TOO_OPEN[what]
    configuration = read(closed)
    (closed / name).chmod(mode)
    with pytest.raises(ConfigurationInvalid) as refused:
        check_modes(configuration)
    assert f"{closed / name} is open to others: expected without {letters}, found mode {mode:o}" in str(refused.value)


def test_accepts_what_is_its_owners_and_its_groups_to_read(closed: Path) -> None:
    check_modes(read(closed))


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "/nobody/listens"}, {"NOTIFY_SOCKET": "@nobody-listens"}]
)
def test_a_service_manager_that_does_not_listen_stops_nobody(environment: Mapping[str, str]) -> None:
    manager = ServiceManager({**environment, "WATCHDOG_USEC": "1"})
    manager.ready("all")
    manager.alive()
    manager.status("well")
    manager.stopping()


def test_life_is_told_where_somebody_watches_alone(tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(place)
        for environment in ({}, {"WATCHDOG_USEC": "30000000"}):
            manager = ServiceManager({"NOTIFY_SOCKET": place, **environment})
            manager.alive()
            manager.stopping()
        heard = [end.recv(100) for _ in range(3)]
    assert heard == [b"STOPPING=1\nSTATUS=workers drain", b"WATCHDOG=1", b"STOPPING=1\nSTATUS=workers drain"]
