"""``keybroker trust``: what it refuses to take in, what it takes in, and what it shows and warns of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.dev import pki
from keybroker.cli.dev.deployment import Deployment
from tests.cli import command
from tests.cli.command import run_here

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path)}


def issuing(deployment: Deployment) -> pki.Authority:
    files = deployment.directory / "pki"
    private_key = serialization.load_pem_private_key((files / "issuing.key").read_bytes(), None)
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate((files / "issuing.pem").read_bytes())
    return pki.Authority(certificate=certificate, private_key=private_key)


def a_crl(deployment: Deployment, number: int, **changes: Any) -> x509.CertificateRevocationList:
    given: dict[str, Any] = {"this_update": datetime.now(UTC).replace(microsecond=0) - HOUR, "lifetime": 12 * HOUR}
    return pki.revocation_list(issuing(deployment), number=number, **(given | changes))


def held(env: dict[str, str]) -> dict[str, Any]:
    return {each["issuer"]: each for each in run_json("trust", "list", env=env)["lists"]}


@pytest.mark.parametrize(
    ("octets", "status", "told"),
    [
        (b"no list", 78, "revocation list"),
        (b"-----BEGIN X509 CRL-----\nxxxx\n-----END X509 CRL-----\n", 78, "X509 CRL in PEM"),
        (b"", 78, "revocation list"),
    ],
    ids=["text", "PEM of nothing", "an empty file"],
)
def test_does_not_take_in_what_is_no_list(
    env: dict[str, str], tmp_path: Path, octets: bytes, status: int, told: str
) -> None:
    (tmp_path / "file").write_bytes(octets)
    answer = run_json("trust", "take-in", tmp_path / "file", env=env, expect=status)
    assert told in answer["error"]["sentence"]


def test_does_not_take_in_one_whose_number_falls_or_that_is_over(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "crl.der"
    file.write_bytes(a_crl(deployment, 0).public_bytes(Encoding.DER))
    assert "never falls" in run_json("trust", "take-in", file, env=env, expect=1)["error"]["sentence"]
    file.write_bytes(a_crl(deployment, 50, lifetime=HOUR / 2).public_bytes(Encoding.DER))
    assert "the list is for" in run_json("trust", "take-in", file, env=env, expect=1)["error"]["sentence"]


def test_wants_a_file(env: dict[str, str]) -> None:
    assert run_here("trust", "take-in", "no-such-file", env=env | {"COLUMNS": "200"}).returncode == 2


@pytest.mark.parametrize(("encoding", "number"), [(Encoding.DER, 2), (Encoding.PEM, 3)])
def test_takes_in_the_next_list_and_shows_it(
    deployment: Deployment, env: dict[str, str], tmp_path: Path, encoding: Encoding, number: int
) -> None:
    made = a_crl(deployment, number, revoked=(1, 2, 3))
    (tmp_path / "crl").write_bytes(made.public_bytes(encoding))
    receipt = run_json("trust", "take-in", tmp_path / "crl", env=env)["receipt"]
    shown = held(env)["OU=07, CN=I1 TEST"]
    assert (shown["number"], shown["revoked"], shown["warning"]) == (number, 3, "")
    assert shown["this_update"] == made.last_update_utc.isoformat()
    assert shown["next_update"] == made.next_update_utc.isoformat()  # type: ignore[union-attr]
    (record,) = run_json("ledger", "tail", "-n", 1, env=env)["records"]
    assert record["leaf_index"] == receipt["leaf_index"]
    assert record["record"]["body"]["act"] == "TakeInRevocationList"
    assert run_json("ledger", "verify", env=env)["whole"] is True


def test_takes_in_the_list_of_a_ca_that_comes_with_it(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    # Here the CA is known; its certificate beside it does no harm.
    made, beside = a_crl(deployment, 4), issuing(deployment).certificate
    (tmp_path / "crl.pem").write_bytes(made.public_bytes(Encoding.PEM) + beside.public_bytes(Encoding.PEM))
    run_json("trust", "take-in", tmp_path / "crl.pem", env=env)
    assert held(env)["OU=07, CN=I1 TEST"]["number"] == 4


def test_warns_of_a_list_that_ends_soon(deployment: Deployment, env: dict[str, str], tmp_path: Path) -> None:
    made = a_crl(deployment, 5, lifetime=HOUR + HOUR / 6)
    (tmp_path / "crl").write_bytes(made.public_bytes(Encoding.DER))
    done = run_here("trust", "take-in", tmp_path / "crl", env=env)
    assert done.returncode == 0
    assert "record" in done.stdout
    assert "take in the next one before" in held(env)["OU=07, CN=I1 TEST"]["warning"]
    shown = run_here("trust", "list", env=env).stdout
    assert "take in the next one before" in shown
    assert "I1 TEST" in shown


def test_shows_the_anchors_and_that_they_are_for_test(env: dict[str, str]) -> None:
    anchors = run_json("trust", "list", env=env)["anchors"]
    assert {(each["for"], each["kind"]) for each in anchors} >= {("organisations", "TEST")}
    assert "CN=R1 TEST,OU=00" in {each["subject"] for each in anchors}
    assert set(held(env)) == {"OU=00, CN=R1 TEST", "OU=07, CN=I1 TEST"}
