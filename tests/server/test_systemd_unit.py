"""Does packaging/systemd fit what the code does: exit statuses, signals, paths, what it may and may not touch?"""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from keybroker.cli.dev.configuration import DEFAULT_LIMITS
from keybroker.server.exit_status import ExitStatus
from keybroker.server.own_process import UMASK
from tests.architecture.sources import ROOT

PACKAGING = ROOT / "packaging" / "systemd"
UNIT = PACKAGING / "keybroker.service"

HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectProc": "invisible",
    "MemoryDenyWriteExecute": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",
    "MemorySwapMax": "0",
}
LARGEST_EXPOSURE = 1.5
"""Of ``systemd-analyze security``: 0 is nothing exposed, 10 everything."""


def directives() -> Mapping[str, Sequence[str]]:
    """Every value of each, in order; systemd lets some stand several times, which configparser does not."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name].append(value)
    return found


def only(name: str) -> str:
    (value,) = directives()[name]
    return value


def test_starts_no_more_where_a_person_must_act_first() -> None:
    prevented = {int(status) for status in only("RestartPreventExitStatus").split()}
    assert prevented == {status for status in ExitStatus if status not in (ExitStatus.CLEAN, ExitStatus.NOT_NOW)}
    assert only("Restart") == "on-failure"


def test_gives_workers_longer_to_drain_than_the_supervisor_does() -> None:
    assert int(only("TimeoutStopSec")) > DEFAULT_LIMITS["drain_seconds"] + 10
    assert only("KillMode") == "mixed"


def test_waits_until_the_supervisor_says_that_it_is_ready() -> None:
    assert (only("Type"), only("NotifyAccess"), only("TimeoutStartSec")) == ("notify", "main", "infinity")
    assert only("ExecReload").endswith("kill -HUP $MAINPID")


def test_runs_what_the_wheel_installs_as_a_user_that_is_made() -> None:
    command = only("ExecStart").split()
    assert (Path(command[0]).name, command[1:3]) == ("keybroker", ["serve", "--config"])
    assert only("User") == only("Group") == "keybroker"
    made = [line.split()[:2] for line in (PACKAGING / "keybroker.sysusers").read_text().splitlines() if line[0] != "#"]
    assert made == [["u", "keybroker"]]


def test_keeps_configuration_roots_and_the_pin_from_the_broker_itself() -> None:
    lines = [line.split() for line in (PACKAGING / "keybroker.tmpfiles").read_text().splitlines() if line[0] != "#"]
    assert {(mode, user) for _, _, mode, user, *_ in lines} == {("0750", "root"), ("0700", "root")}
    name, _, source = only("LoadCredential").partition(":")
    assert name == "module-pin"
    assert [mode for _, place, mode, *_ in lines if source.startswith(f"{place}/")] == ["0750", "0700"]


def test_writes_to_its_state_directory_alone_and_for_itself_alone() -> None:
    assert (only("StateDirectory"), only("StateDirectoryMode")) == ("keybroker", "0700")
    assert int(only("UMask"), 8) == UMASK
    assert "ReadWritePaths" not in directives()


@pytest.mark.parametrize("name", HARDENED)
def test_is_hardened(name: str) -> None:
    assert only(name) == HARDENED[name]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here: exposure NOT MEASURED")
def test_systemd_itself_finds_little_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={LARGEST_EXPOSURE * 10:.0f}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if "offline" in done.stderr and "unrecognized" in done.stderr:
        pytest.skip("this systemd-analyze measures no file: NOT MEASURED")
    assert done.returncode == 0, done.stdout + done.stderr
