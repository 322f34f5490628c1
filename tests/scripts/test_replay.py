"""The replay's own reader and expectations, on messages of ours; then the whole replay on the published ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.terms import EntityIdentifier
from scripts.replay_parts.cases import Message, make_cases
from scripts.replay_parts.expectation import ACCESS_CONTROL_BROKER, SIGNED, SUPPLIER, Expectation, expect
from scripts.replay_parts.held_keys import HeldKey
from scripts.replay_parts.slicing import NotSliced, slice_message
from tests.architecture.sources import ROOT

SUPPLIER_EUI, DEVICE_EUI = bytes.fromhex("027E570000000201"), bytes.fromhex("027E570000D0D0D0")
PRE_COMMAND = sample_pre_command(EntityIdentifier(SUPPLIER_EUI), EntityIdentifier(DEVICE_EUI), 7)
SIGNATURE = b"\x40" + bytes(64)
WRAPPER_BODY = b"\x11\0\0\0\0" + PRE_COMMAND + SIGNATURE + bytes(12)
WRAPPED = b"\xdd" + bytes(6) + b"\x81" + bytes([len(WRAPPER_BODY)]) + WRAPPER_BODY


def _key(eui: bytes, role: int) -> HeldKey:
    private = ec.derive_private_key(7, ec.SECP256R1())
    return HeldKey(eui=eui, role=role, scalar=(7).to_bytes(32, "big"), public_key=private.public_key())


def test_a_wrapped_command_is_sliced_into_what_is_signed_and_the_signature() -> None:
    sliced = slice_message(WRAPPED)
    assert sliced.mac_wrapped
    assert (sliced.inner, sliced.unsigned, sliced.signature) == (PRE_COMMAND + SIGNATURE, PRE_COMMAND, SIGNATURE[1:])
    assert (sliced.originator, sliced.recipient, sliced.counter, sliced.code) == (SUPPLIER_EUI, DEVICE_EUI, 7, 0x0062)


@pytest.mark.parametrize("octets", [b"\x00", PRE_COMMAND[:-1], PRE_COMMAND + b"\x01\x00\x00", WRAPPED[:-1]])
def test_the_reader_refuses_what_is_no_message(octets: bytes) -> None:
    with pytest.raises(NotSliced):
        slice_message(octets)


def _with(offset: int, octets: bytes) -> bytes:
    return PRE_COMMAND[:offset] + octets + PRE_COMMAND[offset + len(octets) :]


@pytest.mark.parametrize(
    ("octets", "key", "expected"),
    [
        (WRAPPED, _key(SUPPLIER_EUI, SUPPLIER), Expectation(reason="CONTENT_MAC_WRAPPED")),
        (PRE_COMMAND + SIGNATURE, _key(SUPPLIER_EUI, SUPPLIER), Expectation(reason="CONTENT_ALREADY_SIGNED")),
        (_with(2, b"\x02"), _key(SUPPLIER_EUI, SUPPLIER), Expectation(reason="CONTENT_IS_RESPONSE")),
        (_with(2, b"\x03"), _key(SUPPLIER_EUI, SUPPLIER), Expectation(reason="CONTENT_IS_ALERT")),
        (PRE_COMMAND, _key(DEVICE_EUI, SUPPLIER), Expectation(reason="NOT_PERMITTED", rule="originator-is-keys-eui")),
        (
            PRE_COMMAND,
            _key(SUPPLIER_EUI, ACCESS_CONTROL_BROKER),
            Expectation(reason="NOT_PERMITTED", rule="message-code-for-purpose"),
        ),
        (
            _with(31, b"\x00\x27"),
            _key(SUPPLIER_EUI, SUPPLIER),
            Expectation(reason="NOT_PERMITTED", rule="message-code-for-purpose"),
        ),
        (PRE_COMMAND, _key(SUPPLIER_EUI, SUPPLIER), SIGNED),
        (PRE_COMMAND + b"\x00", _key(SUPPLIER_EUI, SUPPLIER), SIGNED),
    ],
)
def test_what_is_expected_follows_from_the_handbook(octets: bytes, key: HeldKey, expected: Expectation) -> None:
    assert expect(octets, slice_message(octets), key) == expected


def test_a_signed_command_is_sent_as_it_is_and_without_its_wrapper_and_without_its_signature() -> None:
    message = Message(use_case="8.1.1", name="ours", kind="COMMAND", octets=WRAPPED)
    cases = make_cases([message], [_key(SUPPLIER_EUI, SUPPLIER), _key(DEVICE_EUI, SUPPLIER)])
    assert [(case.form, case.expectation.reason) for case in cases] == [
        ("as it is", "CONTENT_MAC_WRAPPED"),
        ("without its MAC", "CONTENT_ALREADY_SIGNED"),
        ("without MAC and signature", None),
        ("with a null signature", None),
        ("for another's key", "NOT_PERMITTED"),
    ]


@pytest.mark.rtds
@pytest.mark.hsm
def test_every_published_message_is_signed_or_refused_as_the_handbook_says(tmp_path: Path) -> None:
    vectors = os.environ.get("KEYBROKER_RTDS")
    if vectors is None:
        pytest.skip("KEYBROKER_RTDS is not set: the published messages are not at hand")
    command = [
        str(ROOT / "scripts/replay_rtds"),
        "--vectors",
        f"{vectors}/rtds.jsonl",
        "--keys",
        f"{vectors}/keys",
        "--json",
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    summary = json.loads(run.stdout.splitlines()[-1])
    assert summary["unexpected"] == 0
    assert summary["signed"] == summary["verified"] == summary["eligible"] > 0
    assert summary["signed"] + summary["refused_as_expected"] == summary["messages"]
    assert summary["macs"] == summary["macs_equal"] > 0
    assert summary["response_macs"] == summary["response_macs_valid"] > 0
    assert summary["encrypted"] == summary["decrypted"] > 0
    assert summary["agreement_refused_as_expected"] > 0
    if summary["in_module"] is None:
        pytest.skip("NSS softokn is not installed: NOTHING was computed wholly inside a module")
    inside = summary["in_module"]
    assert inside["macs"] == inside["macs_equal"] > 0
    assert inside["response_macs"] == inside["response_macs_valid"] > 0
    assert inside["encrypted"] == inside["decrypted"] > 0
