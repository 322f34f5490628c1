"""The command line: what it prints for machines, what it says to people, and its exit status."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.terms import EntityIdentifier
from tests.cli import command
from tests.cli.command import run, run_here
from tests.conftest import RunningDeployment

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)

DEVICE = EntityIdentifier(bytes.fromhex("027E5700000D0003"))


@pytest.fixture
def message(deployment: RunningDeployment, tmp_path: Path) -> Path:
    file = tmp_path / "pre-command"
    file.write_bytes(sample_pre_command(EntityIdentifier(deployment.eui("supplier-a")), DEVICE, 1))
    return file


@pytest.fixture
def supplier(deployment: RunningDeployment) -> dict[str, str]:
    return deployment.deployment.client_environment("supplier-a")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("sign", "FILE", "--key", "recovery"), 1, "NOT_PERMITTED"),
        (("sign", "FILE", "--key", "supplier-a", "--kind", "command"), 1, "clause: G5.9(d), G5.22(b)"),
        (("explain", "FILE", "--key", "supplier-a", "--kind", "command"), 1, "REFUSE"),
        (("sign", "/nowhere", "--key", "supplier-a"), 2, "does not exist"),
        (("sign", "FILE"), 2, "--key"),
        (("no-such-command",), 2, "no-such-command"),
        (("keys", "list", "--target", "127.0.0.1:1"), 3, "keybroker dev up"),
        (("config", "check", "--config", "FILE"), 78, "CONFIGURATION_INVALID"),
        (("serve", "--config", "/nowhere.toml"), 78, "CONFIGURATION_INVALID"),
        (("ledger", "verify", "--config", "/nowhere.toml"), 78, "next: "),
    ],
)
def test_says_what_is_wrong_and_ends_with_the_documented_status(
    arguments: tuple[str, ...], status: int, said: str, message: Path, supplier: dict[str, str]
) -> None:
    here = run if arguments[0] == "serve" else run_here
    done = here(*(str(message) if argument == "FILE" else argument for argument in arguments), env=supplier)
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_json_too_where_json_is_asked_for(message: Path, supplier: dict[str, str]) -> None:
    answer = run_json("sign", message, "--key", "supplier-a", "--kind", "command", env=supplier, expect=1)
    assert answer["error"]["reason"] == "NOT_PERMITTED"
    assert answer["error"]["refusal"] is True
    assert answer["error"]["clause"]
    assert all(not finding["passed"] for finding in answer["error"]["findings"])


@pytest.mark.parametrize("as_text", [False, True], ids=["octets", "hexadecimal"])
def test_signs_a_file(
    as_text: bool, message: Path, supplier: dict[str, str], deployment: RunningDeployment, tmp_path: Path
) -> None:
    octets = message.read_bytes()
    if as_text:
        message.write_text(octets.hex().upper() + "\n")
    answer = run_json("sign", message, "--key", "supplier-a", "--output", tmp_path / "signed", env=supplier)
    signed = (tmp_path / "signed").read_bytes()
    assert signed.hex() == answer["octets"]
    assert signed[:-64] == octets + b"\x40"
    signature = encode_dss_signature(int.from_bytes(signed[-64:-32]), int.from_bytes(signed[-32:]))
    deployment.key("supplier-a").verify(signature, octets[1:], ec.ECDSA(hashes.SHA256()))


def test_signs_the_same_again_under_the_same_request_id(message: Path, supplier: dict[str, str]) -> None:
    asked = ("sign", message, "--key", "supplier-a", "--request-id", "from-the-command-line")
    first, second = run_json(*asked, env=supplier), run_json(*asked, env=supplier)
    assert first["signature"] == second["signature"]
    assert (first["given_again"], second["given_again"]) == (False, True)


def test_explains_every_rule(message: Path, supplier: dict[str, str]) -> None:
    answer = run_json("explain", message, "--key", "supplier-a", env=supplier)
    assert answer["would_sign"] is True
    assert len(answer["findings"]) > 20
    assert answer["content"]["message_code"] == "0x0062"
    text = run_here("explain", message, "--key", "supplier-a", env=supplier).stdout
    assert "would be signed" in text
    assert "\x1b" not in text


def test_keys_of_a_test_deployment_are_marked_so(supplier: dict[str, str]) -> None:
    assert [key["test"] for key in run_json("keys", "list", env=supplier)["keys"]] == [True]
    assert "\tTEST\t" in run_here("keys", "list", env=supplier).stdout
    assert "deployment  TEST" in run_here("keys", "show", "supplier-a", env=supplier).stdout


def test_lists_and_shows_keys(supplier: dict[str, str]) -> None:
    assert [key["label"] for key in run_json("keys", "list", env=supplier)["keys"]] == ["supplier-a"]
    assert run_json("keys", "show", "supplier-a", env=supplier)["key"]["usable"] is True
    assert run_here("keys", "show", "supplier-a", env=supplier).stdout.count("BEGIN CERTIFICATE") == 2


def test_the_ledger_is_whole_and_can_be_read(message: Path, supplier: dict[str, str]) -> None:
    record = run_json("sign", message, "--key", "supplier-a", env=supplier)["receipt"]["leaf_index"]
    assert run_json("ledger", "verify", env=supplier)["whole"] is True
    assert run_json("ledger", "show", record, env=supplier)["record"]["kind"] == "outcome"
    tail = run_json("ledger", "tail", "-n", 3, env=supplier)
    assert [each["leaf_index"] for each in tail["records"]] == [record - 2, record - 1, record]


def test_policies_and_configuration_can_be_read_without_a_broker(deployment: RunningDeployment) -> None:
    policies = run_json("policy", "list")["policies"]
    assert {policy["purpose"] for policy in policies} >= {"supplier-pre-command", "audit-checkpoint"}
    shown = run_json("policy", "show", "supplier-pre-command")
    assert shown["module"]["clause"] == "G3.22"
    checked = run_json("config", "check", "--config", deployment.config_path)
    assert (checked["valid"], checked["deployment"]) == (True, "test")


def test_the_module_is_checked_with_the_pin_of_the_environment(deployment: RunningDeployment) -> None:
    answer = command.run_json("module", "check", "--config", deployment.config_path, env=deployment.env)
    assert answer["passed"] is True
    assert {test["rule"] for test in answer["report"]["tests"]} >= {"ecdsa-signs"}
    assert run_json("module", "unlatch", "--config", deployment.config_path)["was_latched"] is False


def test_colour_is_only_for_those_who_look() -> None:
    assert "\x1b" not in run("--plain", "policy", "list").stdout
    assert "\x1b" not in run_here("policy", "show", "recovery-command").stdout
