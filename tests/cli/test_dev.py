"""``keybroker dev``: up and down, twice in a row, nothing left; and a key's life from the command line."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import pki
from keybroker.cli.dev.deployment import create_deployment, open_deployment
from keybroker.cli.dev.plan import DEVICES
from keybroker.cli.dev.provision import _read_smki
from keybroker.config import read_configuration
from keybroker.config.latch import latch
from keybroker.terms import KeyPurpose, Operation, RemotePartyRole
from tests.cli.command import run, run_here, run_json
from tests.conftest import RunningDeployment
from tests.situations import a_policy

pytestmark = pytest.mark.hsm


def is_listening(target: str) -> bool:
    host, _, port = target.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def processes_of(directory: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in command and process.name != str(os.getpid()):
            found.append(command)
    return found


def test_refuses_a_directory_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    answer = run_json("dev", "up", tmp_path, expect=78)
    assert "expected an empty directory" in answer["error"]["sentence"]
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_down_and_env_of_nothing_say_how_to_make_one(tmp_path: Path) -> None:
    for command in ("down", "env"):
        assert "keybroker dev up" in run_json("dev", command, tmp_path, expect=78, how=run_here)["error"]["sentence"]


def test_a_port_that_is_taken_is_found_out_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run_json("dev", "up", tmp_path / "dev", "--port", port, expect=2, how=run_here)
        assert "expected a free port" in answer["error"]["sentence"]
        assert not (tmp_path / "dev").exists()


def test_what_is_in_a_brokers_way_is_said_at_once(tmp_path: Path) -> None:
    deployment = create_deployment(tmp_path / "dev", keys=())
    latch(deployment.directory / "data", "a wrong PIN")
    latched = run_json("dev", "up", deployment.directory, expect=3, how=run_here)["error"]
    assert "keybroker module unlatch" in latched["sentence"]
    # No key of this one stays in the United Kingdom: nobody orders that the module is tried again.
    told = run_json("module", "unlatch", "--config", deployment.config_path, how=run_here)
    assert told == {"was_latched": True, "because": "a wrong PIN", "record": None}
    with socket.create_server(("127.0.0.1", deployment.port)):
        taken = run_json("dev", "up", deployment.directory, expect=3, how=run_here)["error"]
    assert (latched["reason"], taken["reason"]) == ("BROKER_NOT_READY", "BROKER_NOT_READY")
    assert f"{deployment.target} taken" in taken["sentence"]
    elsewhere = run_json("dev", "up", deployment.directory, "--port", 1, expect=2, how=run_here)["error"]
    assert f"made for port {deployment.port}" in elsewhere["sentence"]


def test_up_sign_down_twice_in_a_row_and_nothing_is_left(tmp_path: Path) -> None:
    place = tmp_path / "a deployment"
    try:
        for attempt in range(2):
            up = run_json("dev", "up", place)
            assert up["created"] is (attempt == 0)
            assert run_json("dev", "up", os.path.relpath(place))["pid"] == up["pid"]
            assert int(up["target"].rpartition(":")[2]) < 32768
            assert is_listening(up["target"])
            env = run_json("dev", "env", place, how=run_here)
            assert (
                run_json("sign", up["sample"], "--key", "supplier-a", env=env, how=run_here)["counter_reused"]
                == attempt
            )
            assert run_json("dev", "down", place)["stopped"] is True
            assert not is_listening(up["target"])
            assert processes_of(place) == []
    finally:
        run("dev", "down", place)
    assert run_json("dev", "down", place)["stopped"] is False


def test_there_is_a_usable_key_for_every_purpose(deployment: RunningDeployment) -> None:
    assert {key.purpose for key in deployment.deployment.keys.values()} == {purpose.value for purpose in KeyPurpose}
    held = {key.label: key for caller in ("dcc", "supplier-a") for key in deployment.broker(caller).list_keys()}
    assert {label for label, key in held.items() if key.state == "active" and not key.unusable_because} == set(held)
    configuration = read_configuration(deployment.config_path)
    assert set(held) - {key for caller in configuration.callers.values() for key in caller.keys} == {
        "audit-checkpoint", "contingency-symmetric"
    }  # fmt: skip
    granted = {kind for caller in configuration.callers.values() for kind in caller.operations}
    assert granted == set(Operation) - {Operation.SIGN_ROOT_CERTIFICATE, Operation.SIGN_CHECKPOINT}


def test_the_ocas_got_their_certificates_down_the_line(deployment: RunningDeployment) -> None:
    place = deployment.directory / "pki"
    root = x509.load_pem_x509_certificate((place / "root.pem").read_bytes())
    settings = a_policy(KeyPurpose.ROOT_OCA).settings.certificates
    assert settings is not None
    name = x509.ObjectIdentifier(str(settings.apex_contingency_key_oid))
    extension = root.extensions.get_extension_for_oid(name)
    assert not extension.critical
    listed = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "arl.pem", "-CRLfile", "crl.pem"]
    trusted = ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "supplier-a.pem", "supplier-a-agreement.pem"]
    done = subprocess.run([*listed, *trusted], cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["supplier-a.pem: OK", "supplier-a-agreement.pem: OK"], done.stderr
    env = {"KEYBROKER_CONFIG": str(deployment.config_path)}
    records = run_json("ledger", "tail", "-n", 10_000, env=env, how=run_here)["records"]
    intents = json.dumps([shown["record"] for shown in records if shown["record"]["kind"] == "intent"])
    kinds = ("root-certificate", "certificate", "certificate-signing-request")
    assert all(f'"kind": "{kind}"' in intents for kind in kinds)


def test_the_devices_can_be_played_by_a_test(deployment: RunningDeployment) -> None:
    place = deployment.directory / "pki"
    for name, eui in DEVICES.items():
        for suffix, usage in (("ka", "key_agreement"), ("ds", "digital_signature")):
            certificate = x509.load_pem_x509_certificate((place / f"{name}-{suffix}.pem").read_bytes())
            key = serialization.load_pem_private_key((place / f"{name}-{suffix}.key").read_bytes(), None)
            assert certificate.public_key() == key.public_key()
            stated = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
            assert getattr(stated, usage)
            module = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            (other,) = module.value
            assert (module.critical, isinstance(other, x509.OtherName)) == (True, True)
            assert isinstance(other, x509.OtherName)
            assert other.value.endswith(b"\x04\x08" + eui.octets)
            assert list(certificate.subject) == []


def test_secrets_are_their_owners_alone_and_a_key_lives_from_order_to_use(tmp_path: Path) -> None:
    place = tmp_path / "deployment"
    try:
        text = run("dev", "up", place)
        assert 'eval "$(keybroker dev env' in text.stdout
        env = run_json("dev", "env", place, "--as", "auditor", "--with-pin")
        secrets = [place / "pin", *place.rglob("*.key")]
        assert len(secrets) >= 9
        assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}
        assert env["KEYBROKER_PIN"] not in (place / "keybroker.toml").read_text() + (place / "broker.log").read_text()

        made = run_json(
            "keys", "generate", "supplier-b", "--purpose", "supplier-pre-command", "--party", "supplier-a", env=env
        )
        assert (
            run_json("keys", "activate", "supplier-b", env=env, expect=1, how=run_here)["error"]["reason"]
            == "NOT_PERMITTED"
        )
        chain = tmp_path / "chain.pem"
        chain.write_bytes(_certify(place, bytes.fromhex(made["public_key"])))
        run_json("keys", "enrol", "supplier-b", chain, env=env, how=run_here)
        run_json("keys", "activate", "supplier-b", env=env, how=run_here)
        keys = {key["label"]: key for key in run_json("keys", "list", env=env, how=run_here)["keys"]}
        assert (keys["supplier-b"]["state"], keys["supplier-b"]["usable"]) == ("active", True)
        run_json("keys", "retire", "supplier-b", "--because", "the test is over", env=env, how=run_here)
        assert run_json("ledger", "verify", "--with-token", env=env)["compared_with_token"] is True
    finally:
        run("dev", "down", place)


def _certify(place: Path, point: bytes) -> bytes:
    smki = _read_smki(place / "pki")
    eui = open_deployment(place).keys["supplier-a"].eui
    assert eui is not None
    certificate: x509.Certificate = pki.organisation_certificate(
        smki,
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point),
        role=RemotePartyRole.SUPPLIER,
        eui=eui,
        common_name="supplier-b TEST",
        not_before=smki.issuing.certificate.not_valid_before_utc,
    )
    return pki.certificate_pem(certificate, smki.issuing.certificate)
