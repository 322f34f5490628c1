"""``keybroker keys request``: a key asks for its certificate; a Key Agreement key once in its life."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import pki
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.provision import _read_smki
from keybroker.content.signing_request import decode_signing_request
from keybroker.keys.certificate_request import SubjectUnclear, request_info
from keybroker.terms import ContentKind, KeyPurpose, KeyState, KeyUsage, RemotePartyRole
from tests import messages
from tests.cli import command
from tests.cli.command import run_here
from tests.hsm.registered import a_bare_key
from tests.situations import a_point, a_policy

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)

AGREEMENT = ("--purpose", KeyPurpose.USER_KEY_AGREEMENT, "--party", "supplier-a", "--eui", str(messages.SUPPLIER))
SUPPLIER = ("--purpose", KeyPurpose.SUPPLIER_PRE_COMMAND, "--party", "supplier-a", "--eui", str(messages.SUPPLIER))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {
        "KEYBROKER_CONFIG": str(deployment.config_path),
        **deployment.broker_environment,
        **command.ordering(deployment),
    }


def generate(env: dict[str, str], label: str, *options: object) -> bytes:
    return bytes.fromhex(command.run_json("keys", "generate", label, *options, env=env)["public_key"])


def request(env: dict[str, str], label: str, output: Path, *options: object, expect: int = 0) -> Any:
    return command.run_json("keys", "request", label, "-o", output, *options, env=env, expect=expect)


def certify(deployment: Deployment, asked: x509.CertificateSigningRequest, usage: KeyUsage) -> bytes:
    smki, key = _read_smki(deployment.directory / "pki"), asked.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    certificate = pki.organisation_certificate(
        smki,
        key,
        role=RemotePartyRole.SUPPLIER,
        eui=messages.SUPPLIER,
        common_name="requested TEST",
        not_before=smki.issuing.certificate.not_valid_before_utc,
        usage=usage,
    )
    return pki.certificate_pem(certificate, smki.issuing.certificate)


# ---- refusals


@pytest.mark.parametrize(
    ("purpose", "given", "option"),
    [
        (KeyPurpose.USER_KEY_AGREEMENT, {}, "--role"),
        (KeyPurpose.USER_KEY_AGREEMENT, {"role": RemotePartyRole.RECOVERY}, "--role"),
        (KeyPurpose.SUPPLIER_PRE_COMMAND, {"role": RemotePartyRole.NETWORK_OPERATOR}, "--role"),
        (KeyPurpose.SUPPLIER_PRE_COMMAND, {}, "KEY"),
        (KeyPurpose.ISSUING_OCA, {}, "--common-name"),
        (KeyPurpose.SMETS1_TLS, {}, "--common-name"),
    ],
)
def test_a_subject_that_nobody_states_is_asked_for(purpose: KeyPurpose, given: dict[str, Any], option: str) -> None:
    with pytest.raises(SubjectUnclear) as unclear:
        request_info(a_bare_key("k", a_point(), purpose), a_policy(purpose), **given)
    assert unclear.value.option == option


def test_a_symmetric_key_has_no_certificate_to_ask_for() -> None:
    with pytest.raises(SubjectUnclear, match="symmetric"):
        request_info(
            a_bare_key("k", bytes(20), KeyPurpose.DCO_SMETS1), a_policy(KeyPurpose.DCO_SMETS1), common_name="k"
        )


@pytest.mark.clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)", shows="refusal")
def test_a_key_agreement_key_signs_one_request_and_no_second(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    point = generate(env, "agreement", *AGREEMENT)
    output = tmp_path / "request.pem"
    # A place that cannot be written does not cost the one request.
    nowhere = request(env, "agreement", tmp_path / "missing" / "request.pem", "--role", "02", expect=2)
    assert "a file that can be written" in nowhere["error"]["sentence"]
    request(env, "agreement", output, "--role", "02")
    asked = x509.load_pem_x509_csr(output.read_bytes())
    assert asked.is_signature_valid
    verified = subprocess.run(
        ["openssl", "req", "-verify", "-noout", "-in", str(output)], capture_output=True, text=True, check=False
    )
    assert "verify OK" in verified.stdout + verified.stderr
    assert point in asked.tbs_certrequest_bytes
    again = request(env, "agreement", tmp_path / "again.pem", "--role", "02", expect=1)
    assert not (tmp_path / "again.pem").exists()
    assert again["error"]["reason"] == "EVIDENCE_SPENT"
    # With its certificate it is served, as a key that can sign would not be.
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certify(deployment, asked, KeyUsage.KEY_AGREEMENT))
    run_json("keys", "enrol", "agreement", chain, env=env)
    assert run_json("keys", "activate", "agreement", env=env)["act"] == "ActivateKey"
    refused = request(env, "agreement", tmp_path / "again.pem", expect=1)
    assert refused["error"]["reason"] == "NOT_PERMITTED"


def test_a_key_without_a_request_to_sign_signs_none(env: dict[str, str], tmp_path: Path) -> None:
    generate(env, "silent", *AGREEMENT, "--no-request")
    request(env, "silent", tmp_path / "request.pem", "--role", "02", expect=3)
    generate(env, "secret", "--purpose", KeyPurpose.DCO_SMETS1, "--party", "dcc", "--authentication")
    assert request(env, "secret", tmp_path / "request.pem", "--common-name", "x", expect=2)
    assert run_json("keys", "activate", "secret", env=env)["act"] == "ActivateKey"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_key_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    answer = request(env, "nobody", tmp_path / "request.pem", expect=1)
    assert "has no key nobody" in answer["error"]["sentence"]


# ---- acceptance


@pytest.mark.parametrize(
    ("purpose", "given"),
    [
        (KeyPurpose.SUPPLIER_PRE_COMMAND, {}),
        (KeyPurpose.SUPPLIER_PRE_COMMAND, {"common_name": "A supplier"}),
        (KeyPurpose.USER_XML, {}),
        (KeyPurpose.ACCESS_CONTROL_BROKER_MAC, {}),
        (KeyPurpose.USER_KEY_AGREEMENT, {"role": RemotePartyRole.LOAD_CONTROLLER}),
        (KeyPurpose.ROOT_OCA, {"common_name": "R1 TEST"}),
        (KeyPurpose.ISSUING_OCA, {"common_name": "I1 TEST"}),
        (KeyPurpose.SMETS1_TLS, {"common_name": "tls.example"}),
    ],
)
def test_what_is_asked_for_is_read_by_our_decoder(purpose: KeyPurpose, given: dict[str, Any]) -> None:
    key = replace(a_bare_key("k", a_point(), purpose), eui=messages.SUPPLIER, state=KeyState.ENROLLING)
    info = request_info(key, a_policy(purpose), **given)
    read = decode_signing_request(ContentKind.CERTIFICATE_SIGNING_REQUEST, info, ())
    assert (read.octets, read.public_key) == (info, a_point())
    usage = a_policy(purpose).key_usage
    assert "+".join(sorted(read.extensions.key_usage or ())) == (
        "digitalSignature" if usage is KeyUsage.NONE else "+".join(sorted(usage.split("+")))
    )


@pytest.mark.clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)", shows="acceptance")
def test_a_signing_key_asks_as_often_as_it_likes_and_is_enrolled(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    generate(env, "supplier-b", *SUPPLIER)
    output = tmp_path / "request.pem"
    for _ in range(2):
        request(env, "supplier-b", output, "--common-name", "supplier-b TEST")
    asked = x509.load_pem_x509_csr(output.read_bytes())
    assert asked.is_signature_valid
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certify(deployment, asked, KeyUsage.DIGITAL_SIGNATURE))
    run_json("keys", "enrol", "supplier-b", chain, env=env)
    run_json("keys", "activate", "supplier-b", env=env)
    # Active, it asks for its next certificate.
    request(env, "supplier-b", output)
    assert x509.load_pem_x509_csr(output.read_bytes()).is_signature_valid
    (shown,) = run_json("ledger", "tail", "-n", 1, env=env)["records"]
    assert shown["record"]["kind"] == "outcome"
    assert run_json("ledger", "verify", env=env)["whole"] is True
