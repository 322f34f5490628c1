"""The command line: what it prints for machines, what it says to people, and its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.cli.output import show_facts, show_table
from keybroker.terms import EntityIdentifier
from tests.cli import command
from tests.cli.command import run, run_here
from tests.conftest import RunningDeployment
from tests.messages import NETWORK_OPERATOR, OPEN_LOAD_SWITCH

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)

DEVICE = EntityIdentifier(bytes.fromhex("027E5700000D0003"))
EUI = str(DEVICE)
TOP_UP = ("-k", "supplier-a", "--originator", EUI, "--device", EUI, "--counter", "1", "--device-certificate", "FILE")


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
        (("sign", "OTHERS", "--key", "supplier-a"), 1, "REFUSE supply-sensitive-check (G3.25) CHECK_MISSING"),
        (("sign", "OTHERS", "--key", "supplier-a"), 1, "next: keybroker explain"),
        (("explain", "FILE", "--key", "supplier-a", "--kind", "command"), 1, "REFUSE"),
        (("sign", "/nowhere", "--key", "supplier-a"), 2, "does not exist"),
        (("sign", "FILE"), 2, "--key"),
        (("no-such-command",), 2, "no-such-command"),
        (("keys", "list", "--target", "127.0.0.1:1"), 3, "keybroker dev up"),
        (("config", "check", "--config", "FILE"), 78, "CONFIGURATION_INVALID"),
        (("serve", "--config", "/nowhere.toml"), 78, "CONFIGURATION_INVALID"),
        (("sign", "FILE", "--key", "nobody"), 1, "next: keybroker keys list"),
        (("sign", "FILE", "--key", "supplier-a", "--output", "/nowhere/signed"), 2, "that can be written"),
        (("keys", "list", "--target", "127.0.0.1"), 2, "expected HOST:PORT"),
        (("keys", "list", "--certificate", "/nowhere.pem"), 2, "/nowhere.pem: No such file"),
        (("keys", "list", "--certificate", "FILE"), 2, "expected a certificate in PEM"),
        (("keys", "list", "--private-key", "STRANGER"), 2, "found another's"),
        (("ledger", "show", "999999"), 2, "expected 0 to"),
        (("ledger", "verify", "--config", "/nowhere.toml"), 78, "next: "),
        (("sign", "FILE", "-k", "supplier-a", "--kind", "tls-handshake"), 2, "--handshake"),
        (("sign", "FILE", "-k", "supplier-a", "--handshake", "tls13-client"), 2, "--kind tls-handshake"),
        (("sign", "FILE", "-k", "supplier-a", "--csr", "FILE"), 2, "takes no certificate_signing_request"),
        (("sign", "FILE", "-k", "supplier-a", "--kind", "certificate"), 1, "CONTENT_MALFORMED"),
        (("explain", "FILE", "-k", "supplier-a", "--kind", "service-request"), 1, "CONTENT_MALFORMED"),
        (("mac", "FILE", "-k", "supplier-a"), 2, "--device-certificate"),
        (("mac", "FILE", "-k", "supplier-a", "--device-certificate", "FILE"), 1, "refused: "),
        (("mac", "FILE", "-k", "supplier-a", "--device-certificate", "FILE", "-o", "/nowhere/mac"), 2, "be written"),
        (("check", "FILE", "-k", "supplier-a", "--device-certificate", "FILE"), 1, "refused: "),
        (("check", "FILE", "-k", "supplier-a", "--device-certificate", "FILE", "--explain"), 1, "refused: "),
        (("decrypt", "FILE", "-k", "supplier-a", "--device-certificate", "FILE"), 1, "refused: "),
        (("smets1", "protect", "FILE", "-k", "supplier-a", "--device", "12"), 2, "16 hexadecimal digits"),
        (("smets1", "protect", "FILE", "-k", "supplier-a", "--device", EUI), 1, "refused: "),
        (("smets1", "open", "FILE", "-k", "supplier-a", "--device", EUI, "--explain"), 1, "refused: "),
        (("prepayment-token", *TOP_UP), 2, "--pence"),
        (("prepayment-token", *TOP_UP, "--pence", "1", "--pounds", "1"), 2, "one of --pence and --pounds"),
        (("prepayment-token", *TOP_UP, "--pence", "1"), 1, "refused: "),
        (("prepayment-token", *TOP_UP, "--pence", "1", "--explain"), 1, "refused: "),
    ],
)
def test_says_what_is_wrong_and_ends_with_the_documented_status(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    message: Path,
    supplier: dict[str, str],
    deployment: RunningDeployment,
) -> None:
    others = message.with_name("others.bin")
    others.write_bytes(sample_pre_command(NETWORK_OPERATOR, DEVICE, 1, OPEN_LOAD_SWITCH))
    files = {
        "FILE": str(message),
        "OTHERS": str(others),
        "STRANGER": str(deployment.deployment.private_key("operator")),
    }
    here = run if arguments[0] == "serve" else run_here
    given = [files.get(argument, argument) for argument in arguments]
    done = here(*given, env=supplier)
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if "serve" not in given:
        run_json(*given, env=supplier, expect=status)


def test_a_place_that_cannot_be_written_costs_no_signature(message: Path, supplier: dict[str, str]) -> None:
    before = run_json("ledger", "tail", env=supplier)["tree_size"]
    answer = run_json("sign", message, "--key", "supplier-a", "-o", "/nowhere/signed", env=supplier, expect=2)
    assert answer["error"]["reason"] == "USAGE"
    assert run_json("ledger", "tail", env=supplier)["tree_size"] == before


def test_the_transport_says_nothing_of_its_own(message: Path, supplier: dict[str, str]) -> None:
    strangers = os.environ | supplier | {"KEYBROKER_ANCHORS": supplier["KEYBROKER_CERTIFICATE"]}
    # Loaded anew, for the transport looks when it is loaded whether it may speak.
    command = [sys.executable, "-m", "keybroker.cli.main", "sign", str(message), "--key", "supplier-a"]
    done = subprocess.run(command, env=strangers, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert [line.split(":")[0].strip() for line in done.stderr.splitlines()] == [
        "failed", "failed to connect to all addresses; last error", "next"
    ]  # fmt: skip
    assert "--anchors" in done.stderr


def test_what_explain_showed_it_does_not_show_again(message: Path, supplier: dict[str, str]) -> None:
    done = run_here("explain", message, "--key", "supplier-a", "--kind", "command", env=supplier)
    assert "REFUSE" in done.stdout
    assert "REFUSE" not in done.stderr
    assert "next:" not in done.stderr


@pytest.mark.parametrize(("terminal", "expected"), [(False, "a\tyes\n"), (True, "key       now\na         yes\n")])
def test_a_table_has_columns_on_a_plain_terminal_and_tabs_in_a_pipe(
    terminal: bool, expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    show_table(("key     ", "now"), [("a", True)])
    assert capsys.readouterr().out == expected


def test_a_box_that_does_not_fit_is_left_out_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(("key",), [("k" * 20,)])
    show_table(("key",), [("k" * 50,)])
    out = capsys.readouterr().out
    assert "│ " + "k" * 20 in out
    assert "\n" + "k" * 50 + "\n" in out


def test_lists_and_mappings_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts({"open_intents": (), "kinds": {"intent": 1, "read": 2}, "given again": False})
    assert capsys.readouterr().out.splitlines() == [
        "open intents  -", "kinds         intent 1, read 2", "given again   no"
    ]  # fmt: skip


def test_says_its_version() -> None:
    assert run_here("--version").stdout.startswith("keybroker ")


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


@pytest.mark.clause("G2.20(b)", shows="acceptance")
def test_keys_of_a_test_deployment_are_marked_so(supplier: dict[str, str]) -> None:
    assert {key["test"] for key in run_json("keys", "list", env=supplier)["keys"]} == {True}
    assert "\tTEST\t" in run_here("keys", "list", env=supplier).stdout
    assert "deployment  TEST" in run_here("keys", "show", "supplier-a", env=supplier).stdout


def test_lists_and_shows_keys(supplier: dict[str, str]) -> None:
    own = ["supplier-a", "supplier-a-agreement", "supplier-a-prepayment", "supplier-a-xml"]
    assert [key["label"] for key in run_json("keys", "list", env=supplier)["keys"]] == own
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
