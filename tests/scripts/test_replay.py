"""The replay's own reader and expectations, on messages of ours; then the whole replay on the published ones."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev.evidence import make_attesters
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.gates.supply_sensitive import Sensitivity, strictest_of
from keybroker.terms import EntityIdentifier
from scripts.replay_parts.approving import UNAPPROVED, with_decisions
from scripts.replay_parts.cases import Case, Message, make_cases
from scripts.replay_parts.confirming import SENSITIVE, with_checks
from scripts.replay_parts.expectation import (
    ACCESS_CONTROL_BROKER,
    LOAD_CONTROLLER,
    NETWORK_OPERATOR,
    RECOVERY,
    SIGNED,
    SIGNS,
    SUPPLIER,
    Expectation,
    expect,
)
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


def _code(code: int) -> bytes:
    return _with(31, code.to_bytes(2, "big"))


def _checked(code: int, directory: Path) -> list[Case]:
    message = Message(use_case="7.2", name="ours", kind="COMMAND", octets=_code(code))
    key = _key(SUPPLIER_EUI, SUPPLIER)
    for name, certificate, private_key in make_attesters([key.label], not_before=datetime.now(UTC)):
        (directory / f"{name}.pem").write_bytes(certificate)
        (directory / f"{name}.key").write_bytes(private_key)
    return with_checks(make_cases([message], [key]), directory, ["unary", "batch"])


def test_what_affects_supply_is_sent_with_a_statement_for_each_way_and_refused_without(tmp_path: Path) -> None:
    *cases, first, second = _checked(0x0050, tmp_path)
    assert [sorted(case.checks) for case in cases] == [["batch", "unary"]] * 2
    assert len({check for case in cases for check in case.checks.values()}) == 4
    assert {case.number for case in (*cases, first, second)} == set(range(4))
    for case in (first, second):
        assert (dict(case.checks), case.expectation) == (
            {}, Expectation(reason="CHECK_NOT_SHOWN", rule="supply-sensitive-check")
        )  # fmt: skip


def test_what_does_not_affect_supply_is_sent_as_it_was(tmp_path: Path) -> None:
    cases = _checked(0x0062, tmp_path)
    assert [dict(case.checks) for case in cases] == [{}, {}]


def test_of_a_message_of_a_recovery_key_one_form_is_approved_and_signed_and_no_other() -> None:
    message = Message(use_case="NA", name="ours", kind="COMMAND", octets=_code(0x0108))
    cases = make_cases([message], [_key(SUPPLIER_EUI, RECOVERY)])
    assert [case.expectation for case in cases] == [SIGNED, SIGNED]
    assert [case.expectation for case in with_decisions(cases)] == [SIGNED, UNAPPROVED]
    cases = make_cases(
        [Message(use_case="NA", name="ours", kind="COMMAND", octets=_code(0x0062))], [_key(SUPPLIER_EUI, SUPPLIER)]
    )
    assert with_decisions(cases) == cases


@pytest.mark.parametrize("code", sorted(SIGNS[SUPPLIER] | SIGNS[NETWORK_OPERATOR] | SIGNS[LOAD_CONTROLLER]))
def test_the_replays_table_says_the_same_of_every_code_as_the_brokers(code: int) -> None:
    """Written down twice, from the same source: where one of them changes, the other is looked at."""
    (message_code,) = [each for each in MESSAGE_CODES.values() if str(each) == f"0x{code:04X}"]
    variants = message_code.service_reference_variants
    if not variants:
        return  # no variant is known, and none can be named
    sensitivity = strictest_of(variants, datetime.now(UTC))
    assert (code in SENSITIVE) is (sensitivity is not Sensitivity.NO)
    assert SENSITIVE.get(code, variants[0]) in variants


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
    assert summary["refusals"]["CHECK_NOT_SHOWN"] > 0
    assert summary["refusals"]["APPROVAL_NOT_SHOWN"] > 0
    if summary["in_module"] is None:
        pytest.skip("NSS softokn is not installed: NOTHING was computed wholly inside a module")
    inside = summary["in_module"]
    assert inside["macs"] == inside["macs_equal"] > 0
    assert inside["response_macs"] == inside["response_macs_valid"] > 0
    assert inside["encrypted"] == inside["decrypted"] > 0
