"""How does a development broker start and stop? As ``keybroker serve`` in the background, found by its pid file."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from shlex import quote

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from keybroker.cli.dev.deployment import Deployment, is_free
from keybroker.config.latch import find_latch
from keybroker.errors import ConfigurationInvalid, Fault

_PID, _LOG = "broker.pid", "broker.log"
_SHORT_WAIT = 0.05


class BrokerNotReady(Fault):
    """It was started and ended, or did not become ready in time."""

    reason = "BROKER_NOT_READY"


def start(deployment: Deployment, *, workers: int = 1, ready_within: float = 30.0) -> int:
    """Start the broker unless it runs, and wait until it serves; gives the supervisor's process id.

    Raises: BrokerNotReady, with what is in its way or the end of its log; nothing is left running then.
    """
    running = find_running(deployment)
    if running is not None:
        return running
    _check_nothing_in_the_way(deployment)
    pid = _spawn(deployment, workers)
    (deployment.directory / _PID).write_text(str(pid))
    try:
        _wait_until_ready(deployment, pid, time.monotonic() + ready_within)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_for_end(pid, 10.0)
        (deployment.directory / _PID).unlink(missing_ok=True)
        raise
    return pid


def _check_nothing_in_the_way(deployment: Deployment) -> None:
    """What a broker would only say in its log, or wait for."""
    if not is_free(deployment.port):
        raise BrokerNotReady(f"expected a free port, found {deployment.target} taken; stop what listens there")
    why = find_latch(deployment.directory / "data")
    if why is not None:
        person = deployment.operator_environment
        options = {
            "--config": str(deployment.config_path),
            "--person": person["KEYBROKER_PERSON"],
            "--person-key": person["KEYBROKER_PERSON_KEY"],
        }
        told = " ".join(f"{name} {quote(value)}" for name, value in options.items())
        raise BrokerNotReady(
            f"the module is latched, so no worker would start: {why};"
            f" when the PIN is right: keybroker module unlatch {told}"
        )


def _spawn(deployment: Deployment, workers: int) -> int:
    """Not by ``subprocess``: the broker outlives every object of this process that could speak for it."""
    command = [sys.executable, "-m", "keybroker.cli.main", "serve"]
    options = ["--config", str(deployment.config_path), "--workers", str(workers)]
    log = str(deployment.directory / _LOG)
    # Our own silence about the transport is not the broker's, which counts failed handshakes by what it says.
    inherited = {name: value for name, value in os.environ.items() if (name, value) != ("GRPC_VERBOSITY", "NONE")}
    return os.posix_spawn(
        sys.executable,
        [*command, *options],
        {**inherited, **deployment.broker_environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def stop(deployment: Deployment, *, within: float = 40.0) -> bool:
    """Ask the broker to stop and wait until it has; False where none was running.

    Raises: Fault when it does not end in time.
    """
    pid = find_running(deployment)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    if not _wait_for_end(pid, within):
        raise BrokerNotReady(f"the broker (process {pid}) did not stop within {within:.0f} s; see {_LOG}")
    (deployment.directory / _PID).unlink(missing_ok=True)
    return True


def find_running(deployment: Deployment) -> int | None:
    """The process id of this deployment's broker, None where it does not run."""
    try:
        pid = int((deployment.directory / _PID).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if _is_ours(pid, deployment.config_path) else None


def is_ready(deployment: Deployment, *, within: float = 1.0) -> bool:
    """Does a broker answer, with token and ledger ready? Asked as the operator, over mutual TLS."""
    credentials = grpc.ssl_channel_credentials(
        deployment.anchors.read_bytes(),
        deployment.private_key("operator").read_bytes(),
        deployment.certificate("operator").read_bytes(),
    )
    with grpc.secure_channel(deployment.target, credentials) as channel:
        request = health_pb2.HealthCheckRequest(service="")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=within)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def log_tail(deployment: Deployment, lines: int = 5) -> str:
    try:
        text = (deployment.directory / _LOG).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _wait_until_ready(deployment: Deployment, pid: int, deadline: float) -> None:
    while not is_ready(deployment):
        status = _ended(pid)
        if status == os.EX_CONFIG:
            raise ConfigurationInvalid(f"the broker did not start:\n{log_tail(deployment)}")
        if status is not None:
            raise BrokerNotReady(f"the broker ended with status {status}:\n{log_tail(deployment)}")
        if time.monotonic() > deadline:
            raise BrokerNotReady(f"the broker was not ready in time:\n{log_tail(deployment)}")
        time.sleep(_SHORT_WAIT)


def _wait_for_end(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _ended(pid) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_SHORT_WAIT)
    return True


def _ended(pid: int) -> int | None:
    """How a process ended, None while it runs; -1 for somebody else's child, whose status is not ours to know."""
    try:
        reaped, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None if _is_alive(pid) else -1
    return os.waitstatus_to_exitcode(status) if reaped else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False


def _is_ours(pid: int, config_path: Path) -> bool:
    """Process ids are used again: the one that runs under this number must name our configuration."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(config_path).encode() in arguments
