"""A broker that demands a witness: what it spends while one remembers, and what a witness alone notices."""

from __future__ import annotations

import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import DEFAULT_KEYS, Deployment
from keybroker.config import read_configuration, reading
from keybroker.keys.register import Register
from keybroker.ledger.note_keys import CosignatureKey, EcdsaNoteKey, write_vkey
from keybroker.pb import keys_pb2, keys_pb2_grpc
from keybroker.terms import KeyLabel
from tests.attacks.test_rollback import why_not
from tests.cli.command import run_here, run_json
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, running, wait_until
from tests.witness import scene

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]

BEHIND = 4
CHECKPOINTS: dict[str, str | int | bool] = {"key": "audit-checkpoint", "every_records": 16, "every_seconds": 1}


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment that demands one witness, and that witness."""

    deployment: Deployment
    witness: Path
    key: CosignatureKey

    def snapshot(self) -> Path:
        """All of the broker's machine: ledger, token, configuration."""
        return Path(shutil.copytree(self.deployment.directory, self.deployment.directory.with_name("snapshot")))

    def put_back(self, snapshot: Path) -> None:
        shutil.rmtree(self.deployment.directory)
        shutil.copytree(snapshot, self.deployment.directory)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    keys = [key for key in DEFAULT_KEYS if key.label in ("supplier-a", "audit-checkpoint")]
    made = create_deployment(tmp_path / "deployment", keys=keys, checkpoints=CHECKPOINTS)
    configuration = read_configuration(made.config_path)
    with reading(configuration) as ledger:
        held = Register(ledger, configuration.anchors).refresh().keys[KeyLabel("audit-checkpoint")]
    vkey = write_vkey(EcdsaNoteKey(name=configuration.ledger_origin, point=held.public_key))
    port = _free_port()
    key = scene.init(
        tmp_path / "witness",
        **{"origin": configuration.ledger_origin, "ledger-key": vkey, "listen": f"127.0.0.1:{port}"},
        **{"silence-seconds": 2 * BEHIND},
    )
    with made.config_path.open("a") as config:
        config.write(witnesses(port, key))
    return Place(deployment=made, witness=tmp_path / "witness", key=key)


def witnesses(port: int, key: CosignatureKey, demanded: int = 1) -> str:
    return f"""
[witnesses]
demanded = {demanded}
at_most_behind_seconds = {BEHIND}
at_most_behind_records = 1000
clock_seconds = 5.0
timeout_seconds = 1

[[witnesses.witness]]
url = "http://127.0.0.1:{port}"
vkey = "{write_vkey(key)}"
"""


def test_spends_only_while_the_witness_remembers(place: Place) -> None:
    """Nothing before it answers; nothing once it was killed, and that is too long ago; and again when it is back. While
    nothing happens it is shown the last checkpoint again."""
    with running(place.deployment) as broker:
        assert why_not(broker, "before") == "WITNESS_SILENT"
        assert broker.metric("keybroker_witnessed") == 0
        with scene.running(place.witness) as witness:
            _wait_until_signed(broker, "first")
            wait_until(lambda: broker.metric("keybroker_witnessed") == 1, seconds=5)
            silences = len(witness.events("LEDGER SILENT"))
            time.sleep(2.5 * BEHIND)
            assert why_not(broker, "after-a-while") == ""
            assert len(witness.events("LEDGER SILENT")) == silences
            assert witness.events("LEDGER FORKED") == []
            witness.process.kill()
        wait_until(lambda: why_not(broker, f"away-{time.monotonic()}") == "WITNESS_SILENT", seconds=20)
        assert broker.events("witness gives no cosignature")
        with scene.running(place.witness):
            _wait_until_signed(broker, "again")
    assert run_json("ledger", "verify", "--config", place.deployment.config_path, how=run_here)["whole"]


def test_a_machine_that_was_put_back_as_a_whole_does_not_start_or_spends_nothing_and_is_found_forked(
    place: Place,
) -> None:
    """Ledger and token are of one earlier moment, so the token notices nothing; the witness remembers more."""
    with scene.running(place.witness):
        with running(place.deployment) as broker:
            _wait_until_signed(broker, "first")
        snapshot = place.snapshot()
        with running(place.deployment) as broker:
            _wait_until_cosigned_more(place, broker)
        place.put_back(snapshot)
        broker = RunningBroker(place.deployment)
        try:
            assert broker.process.wait(30) == 65, broker.log()
        finally:
            broker.stop()
        assert "the ledger was rolled back: witness witness.example/w1 cosigned" in broker.log()
    with running(place.deployment) as broker:
        assert broker.events("witness not asked")
        # Another history grows past what the witness remembers: what is read and refused is recorded, too.
        while broker.metric("keybroker_ledger_records") <= _remembered(place) + 16:
            _read(broker)
        with scene.running(place.witness) as witness:
            wait_until(lambda: bool(witness.events("LEDGER FORKED")), seconds=30, otherwise=broker.log)
            assert why_not(broker, "forked") == "WITNESS_SILENT"
        assert broker.events("witness gives no cosignature")
    assert (place.witness / "fork-1.json").is_file()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("demanded = 1", "demanded = 2", "there are 1"),
        ("demanded = 1", "demanded = -1", "demanded"),
        ("demanded = 1\n", "", "demanded"),
        ("at_most_behind_seconds = 4", "at_most_behind_seconds = 1", "shut"),
        ("at_most_behind_records = 1000", "at_most_behind_records = 16", "shut"),
        ("timeout_seconds = 1\n", "timeout_seconds = 3\n", "shut"),
        ('url = "http:', 'url = "ftp:', "url"),
        ('url = "http:', 'url = "http://user@', "url"),
        ("+", "-", "vkey"),
        ("[checkpoints]", "[no_checkpoints]", "checkpoints"),
        ("[[witnesses.witness]]\n", '[[witnesses.witness]]\nanchors = "nowhere.pem"\n', "nowhere.pem"),
        ("[[witnesses.witness]]\n", '[[witnesses.witness]]\nanchors = "pin"\n', "no PEM certificate"),
    ],
)
def test_refuses_witnesses_that_could_not_be_relied_on(
    old: str, new: str, told: str, configured: tuple[Deployment, str], tmp_path: Path
) -> None:
    deployment, text = configured
    assert old in text
    config = deployment.config_path.with_name(f"{tmp_path.name}.toml")
    config.write_text(text.replace(old, new))
    error = run_json("config", "check", "--config", config, expect=78, how=run_here)["error"]
    assert error["reason"] == "CONFIGURATION_INVALID"
    assert told in error["sentence"]


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, str]:
    """A deployment for its files, and a configuration in which all stands that witnesses need."""
    made = create_deployment(tmp_path_factory.mktemp("configured"), keys=[], checkpoints=CHECKPOINTS)
    key = CosignatureKey(name="witness.example/w1", public_key=bytes(31) + b"\x01")
    return made, made.config_path.read_text() + witnesses(8444, key)


def _wait_until_signed(broker: RunningBroker, name: str) -> None:
    wait_until(lambda: why_not(broker, f"{name}-{time.monotonic()}") == "", seconds=15, otherwise=broker.log)


def _wait_until_cosigned_more(place: Place, broker: RunningBroker) -> None:
    """Until the witness has cosigned records that are not in what it had cosigned before."""
    before = _remembered(place)
    _wait_until_signed(broker, "more")
    wait_until(lambda: _remembered(place) > before, seconds=15)


def _remembered(place: Place) -> int:
    return int((place.witness / "checkpoint").read_bytes().split(b"\n")[1])


def _read(broker: RunningBroker) -> None:
    with broker.channel("supplier-a") as channel:
        stub = keys_pb2_grpc.KeyServiceStub(channel)
        for _ in range(8):
            stub.ListKeys(keys_pb2.ListKeysRequest(), timeout=10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
