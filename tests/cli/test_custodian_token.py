"""``keybroker custodian`` at a terminal, with a token: everything that a Key Custodian does alone, and the PIN."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import pexpect
import pytest

from keybroker.ceremony.custody import read_custodian
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.share import encode_share
from keybroker.ceremony.share_proof import check_proof
from keybroker.ceremony.signed_data import verify
from tests.cli.command import run_json
from tests.cli.enrolled import Enrolled, shares
from tests.hsm.tokens import PIN, make_softhsm


def test_the_keys_of_a_directory_sign(ada: Enrolled) -> None:
    signed = ada.key().sign(b"{}")
    assert verify(signed, certificates={"ada": ada.custodian.certificate}).octets == b"{}"


@pytest.mark.hsm
def test_a_custodian_does_everything_alone_at_a_terminal_with_a_token(tmp_path: Path) -> None:
    token = make_softhsm(tmp_path / "token", "ada-token")
    directory = tmp_path / "own"

    def spawn(*arguments: object) -> pexpect.spawn[str]:
        words = ["-m", "keybroker.cli.main", "custodian", *map(str, arguments), "--directory", str(directory)]
        return pexpect.spawn(
            sys.executable, words, env=os.environ | {"TERM": "dumb"}, dimensions=(24, 80), encoding="utf-8", timeout=60
        )

    def shown(child: pexpect.spawn[str]) -> str:
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, child.before
        return str(child.before)

    enrol = spawn(
        *("enrol", "ada", "--library", token.library, "--token-label", token.label, "--token-serial", token.serial),
        *("--environment", f"SOFTHSM2_CONF={token.environment['SOFTHSM2_CONF']}"),
    )
    enrol.expect("Enter alone: help")
    enrol.sendline("")
    enrol.expect("which you set when you got it")
    enrol.expect("Enter alone: help")
    enrol.sendline("not-the-pin")
    enrol.expect("tries left here: 2")
    enrol.expect("few tries are left")
    enrol.sendline(PIN)
    screen = shown(enrol)
    assert "signing certificate" in screen
    assert PIN not in screen

    share = shares()[0]
    envelope = tmp_path / "share.cms"
    envelope.write_bytes(
        seal(encode_share(share), read_custodian(directory).receiving_certificate, secrets.token_bytes)
    )
    receive = spawn("receive", envelope)
    receive.expect("Enter alone: help")
    receive.sendline(PIN)
    assert "intact" in shown(receive)

    renew = spawn("renew")
    renew.expect('Type exactly "renew"')
    renew.sendline("help")
    renew.expect("If it is interrupted, start it again")
    renew.sendline("Renew")
    renew.expect("not the word")
    renew.sendline("renew")
    renew.expect("Enter alone: help")
    renew.sendline(PIN)
    assert "done" in shown(renew)

    hand_back = spawn("hand-back", "-o", tmp_path / "proof.p7s")
    hand_back.expect("Enter alone: help")
    hand_back.sendline(PIN)
    shown(hand_back)
    certificate = read_custodian(directory).certificate
    check_proof((tmp_path / "proof.p7s").read_bytes(), share_set=share.share_set, certificate=certificate)


@pytest.mark.hsm
def test_the_pin_comes_from_the_environment_and_a_wrong_one_is_tried_once(tmp_path: Path) -> None:
    token = make_softhsm(tmp_path / "token", "ada-token")
    arguments = (
        *("custodian", "enrol", "ada", "--directory", tmp_path / "own", "--library", token.library),
        *("--token-label", token.label, "--token-serial", token.serial),
        *("--environment", f"SOFTHSM2_CONF={token.environment['SOFTHSM2_CONF']}", "--pin-environment", "ADAS_PIN"),
    )
    error = run_json(*arguments, env={"ADAS_PIN": "wrong-pin"}, expect=78)["error"]
    assert error["reason"] == "PERSON_PIN_WRONG"
    assert run_json(*arguments, env={"ADAS_PIN": PIN})["keys"] == f"token ada-token ({token.serial})"
