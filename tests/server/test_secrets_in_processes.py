"""Where may the PIN stand while a broker serves? In its workers' memory, which no core dump and no log ever tells."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from keybroker.cli.dev.configuration import PIN_VARIABLE
from keybroker.cli.dev.deployment import Deployment
from keybroker.pb import signing_pb2_grpc
from tests.deployments import create_deployment
from tests.process_memory import spellings, where_in_memory
from tests.server.broker import RunningBroker, edit, running, wait_until

SIGNATURES = 200
FORBIDS = "from keybroker.server.own_process import keep_to_itself; keep_to_itself(); "
WAITS = "print('waiting', flush=True); import time; time.sleep(60)"

of_root = pytest.mark.skipif(os.geteuid() != 0, reason="other processes' memory and environment: NOT LOOKED AT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A broker that has its PIN from a credential, after a run; ``heard`` is what the service manager would."""

    broker: RunningBroker
    heard: list[str]

    @property
    def deployment(self) -> Deployment:
        return self.broker.deployment

    def processes(self) -> list[int]:
        return [self.broker.process.pid, *self.broker.workers()]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    deployment = create_deployment(tmp_path_factory.mktemp("secrets") / "deployment")
    credentials = deployment.directory / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "module-pin").write_text(deployment.pin)
    edit(deployment, f'[module.pin]\nenvironment = "{PIN_VARIABLE}"', '[module.pin]\ncredential = "module-pin"')
    with service_manager() as (place, heard):
        environment = {
            PIN_VARIABLE: "",
            "CREDENTIALS_DIRECTORY": str(credentials),
            "NOTIFY_SOCKET": place,
            "WATCHDOG_USEC": "30000000",
        }
        with running(deployment, workers=2, environment=environment) as broker:
            load(broker)
            yield Loaded(broker=broker, heard=heard)


@contextmanager
def service_manager() -> Iterator[tuple[str, list[str]]]:
    """Where it listens (an abstract name), and what it heard so far."""
    heard: list[str] = []

    def listen() -> None:
        while text := end.recv(4096).decode():
            heard.append(text)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0keybroker-test-{os.getpid()}-{id(end)}")
        place = end.getsockname()
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield place.decode().replace("\0", "@"), heard
        finally:
            end.connect(place)
            end.send(b"")
            thread.join()


def load(broker: RunningBroker) -> None:
    """Signatures, refusals of every stage, and strangers."""
    with broker.channel("supplier-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        for number in range(SIGNATURES):
            stub.SignPreCommand(broker.request(f"good-{number}"))
        spoilt: list[dict[str, Any]] = [{"pre_command": b"\xdf"}, {"key": "nobody"}, {"pre_command": bytes(5000)}]
        for number, change in enumerate(spoilt):
            with pytest.raises(grpc.RpcError):
                stub.SignPreCommand(broker.request(f"bad-{number}", **change))
    with broker.channel(None) as channel, pytest.raises(grpc.RpcError):
        signing_pb2_grpc.SigningServiceStub(channel).SignPreCommand(broker.request("stranger"), timeout=5)


def test_no_log_line_tells_the_pin(loaded: Loaded) -> None:
    written = loaded.broker.log().encode()
    assert b"bad-0" in written
    assert [each for each in spellings(loaded.deployment.pin) if each in written] == []


def test_no_file_that_the_broker_writes_tells_the_pin(loaded: Loaded) -> None:
    files = [file for file in (loaded.deployment.directory / "data").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"ledger.sqlite", "accepted-configuration", "broker.lock"}
    octets = {file.name: file.read_bytes() for file in files}
    found = [name for name, held in octets.items() if any(each in held for each in spellings(loaded.deployment.pin))]
    assert found == []


def test_every_file_that_the_broker_writes_is_its_owners_alone(loaded: Loaded) -> None:
    data = loaded.deployment.directory / "data"
    modes = {path.name: path.stat().st_mode & 0o077 for path in (data, *data.rglob("*"))}
    assert {name: mode for name, mode in modes.items() if mode} == {}


def test_no_argument_tells_the_pin(loaded: Loaded) -> None:
    arguments = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in loaded.processes())
    assert b"keybroker.server" in arguments
    assert [each for each in spellings(loaded.deployment.pin) if each in arguments] == []


@of_root
def test_no_environment_tells_the_pin_or_where_the_credentials_are(loaded: Loaded) -> None:
    supervisor, *workers = [Path(f"/proc/{pid}/environ").read_bytes() for pid in loaded.processes()]
    assert b"CREDENTIALS_DIRECTORY=" in supervisor
    for environment in workers:
        assert b"GRPC_SSL_CIPHER_SUITES=" in environment
        assert not [name for name in (b"CREDENTIALS_DIRECTORY", b"NOTIFY_SOCKET", b"WATCHDOG") if name in environment]
    told = b"".join([supervisor, *workers])
    assert [each for each in spellings(loaded.deployment.pin) if each in told] == []


@of_root
def test_the_supervisor_forgets_a_pin_that_can_be_read_again(loaded: Loaded) -> None:
    """And the search finds it where it must be: a worker logs in with it again when the token comes back."""
    pin = loaded.deployment.pin.encode()
    supervisor, *workers = loaded.processes()
    assert all(where_in_memory(worker, pin) for worker in workers)
    wait_until(lambda: not where_in_memory(supervisor, pin), seconds=10)


def test_the_service_manager_hears_of_readiness_and_life(loaded: Loaded) -> None:
    (ready,) = [number for number, text in enumerate(loaded.heard) if text.startswith("READY=1\n")]
    assert loaded.heard[ready] == f"READY=1\nSTATUS=2 workers serve {loaded.deployment.target}"
    wait_until(lambda: loaded.heard.count("WATCHDOG=1") > 10, seconds=10)


def waits(program: str) -> subprocess.Popen[bytes]:
    """A process that could leave a core dump, as far as its parent has a say."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited),
    )


def left_a_core(process: subprocess.Popen[bytes]) -> bool:
    """What the kernel says of how it died of SIGABRT (waitid(2))."""
    process.send_signal(signal.SIGABRT)
    end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    assert end is not None
    assert end.si_status == signal.SIGABRT
    return end.si_code == os.CLD_DUMPED


@of_root  # who alone may raise the limit again
@pytest.mark.parametrize(("program", "dumps"), [(WAITS, True), (FORBIDS + WAITS, False)], ids=["any other", "ours"])
def test_a_process_that_keeps_to_itself_leaves_no_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, dumps: bool
) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("another test of this process gave up core dumps for good: NOT SHOWN")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with waits(program) as process:
        assert process.stdout is not None
        process.stdout.readline()
        left = left_a_core(process)
    if dumps and not left:
        pytest.skip("this system makes no core dumps at all: NOT SHOWN")
    assert left is dumps


SUPERVISOR = ["keybroker.server"]
WORKER = [
    "keybroker.server.worker",
    "--name",
    "a-0",
    "--listen",
    "a:1",
    "--control",
    "0",
    "--broker",
    "b",
    "--since",
    "0",
]


@pytest.mark.parametrize("command", [SUPERVISOR, WORKER], ids=["supervisor", "worker"])
def test_supervisor_and_worker_leave_no_core(tmp_path: Path, command: list[str]) -> None:
    """From before they read their configuration on: each waits here for what nobody writes into a pipe."""
    os.mkfifo(configuration := tmp_path / "configuration")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-m", *command, str(configuration)], stdin=theirs.fileno())
        wait_until(lambda: no_core_is_allowed(process.pid), seconds=60)
        assert not left_a_core(process)
    assert process.returncode == -signal.SIGABRT


def no_core_is_allowed(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (core,) = [line for line in limits if line.startswith("Max core file size")]
    return core.split()[4:6] == ["0", "0"]
