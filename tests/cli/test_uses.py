"""The verbs for what is no Command's signature, on files, as people use them: a round through a running broker."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from keybroker.client import SigningRequest
from keybroker.terms import ContentKind, KeyPurpose
from tests import messages, offers
from tests.cli import command
from tests.cli.command import run_here
from tests.conftest import RunningDeployment
from tests.offers import DEVICE, KEYS, Offers, caller_of, eui_of

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)


class Desk:
    """Files of one test, and the commands on them."""

    def __init__(self, deployment: RunningDeployment, directory: Path) -> None:
        self.deployment = deployment
        self.offers = Offers(deployment)
        self.directory = directory

    def file(self, name: str, octets: bytes) -> Path:
        (self.directory / name).write_bytes(octets)
        return self.directory / name

    def good(self, purpose: KeyPurpose, kind: ContentKind) -> SigningRequest:
        request = self.offers.good(purpose, kind)
        assert isinstance(request, SigningRequest)
        return request

    def run(self, purpose: KeyPurpose, *arguments: object, expect: int = 0) -> Any:
        environment = self.deployment.deployment.client_environment(caller_of(purpose))
        return run_json(*arguments, "--key", KEYS[purpose].label, env=environment, expect=expect)

    def say(self, purpose: KeyPurpose, *arguments: object) -> str:
        environment = self.deployment.deployment.client_environment(caller_of(purpose))
        done = run_here(*arguments, "--key", KEYS[purpose].label, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def desk(deployment: RunningDeployment, tmp_path: Path) -> Desk:
    return Desk(deployment, tmp_path)


def test_a_pre_command_is_signed_by_the_supplier_and_gets_its_mac_from_the_access_control_broker(desk: Desk) -> None:
    supplier, broker = KeyPurpose.SUPPLIER_PRE_COMMAND, KeyPurpose.ACCESS_CONTROL_BROKER_MAC
    request = desk.file("request", desk.good(supplier, ContentKind.PRE_COMMAND).octets)
    signed, whole = desk.directory / "signed", desk.directory / "command"
    desk.run(supplier, "sign", request, "--output", signed)
    given: tuple[object, ...] = (
        signed,
        "--device-certificate",
        desk.offers.file("device-1-ka.pem"),
        "--originator-certificate",
        desk.offers.file("supplier-a.pem"),
    )
    if len(x509.load_pem_x509_certificates(desk.offers.file("supplier-a.pem").read_bytes())) == 1:
        given = (*given, "--originator-certificate", desk.offers.file("issuing.pem"))
    assert desk.run(broker, "mac", *given, "--explain")["would_sign"] is True
    answer = desk.run(broker, "mac", *given, "--output", whole)
    command_ = whole.read_bytes()
    assert [command_.hex()] == answer["outputs"]
    inner = signed.read_bytes()
    key = desk.offers.agreed(broker, 1, eui_of(supplier), int.from_bytes(inner[3:11], "big"), DEVICE)
    assert command_[-12:] == offers.gmac(key, eui_of(supplier), inner)
    assert "command" in desk.say(broker, "mac", *given)


def test_a_response_is_checked_and_deciphered(desk: Desk) -> None:
    purpose = KeyPurpose.USER_KEY_AGREEMENT
    device = ("--device-certificate", desk.offers.file("device-1-ka.pem"))
    protected = desk.good(purpose, ContentKind.PROTECTED_RESPONSE).octets
    assert desk.run(purpose, "check", desk.file("right", protected), *device)["outputs"] == []
    assert "right" in desk.say(purpose, "check", desk.file("right", protected), *device)
    wrong = desk.file("wrong", protected[:-1] + bytes([protected[-1] ^ 1]))
    assert desk.run(purpose, "check", wrong, *device, expect=1)["error"]["reason"] == "PROTECTION_INVALID"
    encrypted = desk.file("encrypted", desk.good(purpose, ContentKind.ENCRYPTED_RESPONSE).octets)
    plain = desk.directory / "plain"
    desk.run(purpose, "decrypt", encrypted, *device, "--output", plain)
    assert plain.read_bytes() == b"plaintext"
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600


def test_a_prepayment_token_is_shown_as_number_and_digits(desk: Desk) -> None:
    purpose = KeyPurpose.SUPPLIER_PREPAYMENT
    top_up: Any = desk.offers.good(purpose, ContentKind.PREPAYMENT_TOP_UP)
    counter = top_up.counter
    given = (
        "--originator",
        eui_of(purpose),
        "--device",
        DEVICE,
        "--counter",
        counter,
        "--pounds",
        100,
        "--device-certificate",
        desk.offers.file("device-1-ka.pem"),
    )
    assert desk.run(purpose, "prepayment-token", *given, "--explain")["content"]["kind"] == "prepayment-top-up"
    answer = desk.run(purpose, "prepayment-token", *given, "--request-id", f"top-up-{counter}")
    assert int(answer["pptd"]) == int(answer["ptut"]) + 7394156990786306048
    said = desk.say(purpose, "prepayment-token", *given, "--request-id", f"top-up-{counter}")
    assert answer["pptd"] in said


@pytest.mark.parametrize("purpose", [KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1])
def test_a_smets1_instruction_is_protected_and_an_answer_opened(purpose: KeyPurpose, desk: Desk) -> None:
    question = desk.file("question", offers.SMETS1_QUESTION)
    assert desk.run(purpose, "smets1", "protect", question, "--device", DEVICE, "--explain")["would_sign"] is True
    desk.run(purpose, "smets1", "protect", question, "--device", DEVICE, "-o", desk.directory / "apdu")
    title = desk.deployment.deployment.keys[KEYS[purpose].label].eui
    assert title is not None
    apdu = (desk.directory / "apdu").read_bytes()
    assert offers.smets1_opened(purpose, title, apdu) == offers.SMETS1_QUESTION
    answer = desk.file("answer", desk.good(purpose, ContentKind.SMETS1_RESPONSE).octets)
    opened = desk.run(purpose, "smets1", "open", answer, "--device", DEVICE)
    assert opened["outputs"] == [offers.SMETS1_ANSWER.hex()]


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        (KeyPurpose.ISSUING_OCA, ContentKind.CERTIFICATE),
        (KeyPurpose.ISSUING_OCA, ContentKind.CERTIFICATE_REVOCATION_LIST),
        (KeyPurpose.SUPPLIER_PRE_COMMAND, ContentKind.CERTIFICATE_SIGNING_REQUEST),
        (KeyPurpose.USER_XML, ContentKind.SERVICE_REQUEST),
    ],
)
def test_every_kind_that_is_signed_is_explained_and_signed_from_a_file(
    purpose: KeyPurpose, kind: ContentKind, desk: Desk
) -> None:
    request = desk.good(purpose, kind)
    file = desk.file("octets", request.octets)
    beside: list[object] = []
    if request.certificate_signing_request:
        beside = ["--csr", desk.file("csr", request.certificate_signing_request)]
    explained = desk.run(purpose, "explain", file, "--kind", kind, *beside)
    assert explained["content"]["facts"]["kind"] == kind
    assert "would be signed" in desk.say(purpose, "explain", file, "--kind", kind, *beside)
    answer = desk.run(purpose, "sign", file, "--kind", kind, *beside, "-o", desk.directory / "signed")
    assert (desk.directory / "signed").read_bytes().hex() == answer["octets"]


@pytest.mark.parametrize("form", ["tls13-client", "tls13-server", "tls12-server-key-exchange"])
def test_a_handshake_is_signed_from_a_file(form: str, desk: Desk) -> None:
    point = desk.deployment.deployment.keys["supplier-a"].public_point
    exchange = bytes(range(64)) + b"\x03\x00\x17" + bytes([len(point)]) + point
    file = desk.file("handshake", exchange if "exchange" in form else messages.DEVICE.octets * 4)
    given = (file, "--kind", "tls-handshake", "--handshake", form)
    assert desk.run(KeyPurpose.SMETS1_TLS, "explain", *given)["would_sign"] is True
    assert desk.run(KeyPurpose.SMETS1_TLS, "sign", *given)["octets"].startswith("30")
