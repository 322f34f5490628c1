"""The replay's own key agreement and expectations, on messages of ours: a second reader must itself be right."""

from __future__ import annotations

import pytest

from keybroker.terms import EntityIdentifier
from scripts.replay_parts import host
from scripts.replay_parts.agreement_cases import AgreementCase, Ask, plan_agreement, sample
from scripts.replay_parts.agreement_judging import agreement_summary, judge_agreement, module_summary
from scripts.replay_parts.agreement_keys import AgreementKey, AgreementKeys, Originator
from scripts.replay_parts.agreement_sending import Answered
from scripts.replay_parts.cases import Message
from scripts.replay_parts.expectation import ACCESS_CONTROL_BROKER, SUPPLIER
from scripts.replay_parts.slicing import slice_message
from tests import agreed, messages

ACB_KEY, SUPPLIER_KEY = agreed.private_key(31), agreed.private_key(1)
DEVICE = agreed.private_key(agreed.DEVICE_KEY)
ACB, PARTY = messages.ACCESS_CONTROL_BROKER, messages.SUPPLIER
KEYS = AgreementKeys(
    parties={
        ACB.octets: AgreementKey(eui=ACB.octets, role=ACCESS_CONTROL_BROKER, private_key=ACB_KEY),
        PARTY.octets: AgreementKey(eui=PARTY.octets, role=SUPPLIER, private_key=SUPPLIER_KEY),
    },
    devices={
        messages.DEVICE.octets: DEVICE.public_key(),
        agreed.ANOTHER_DEVICE.octets: agreed.private_key(agreed.ANOTHER_DEVICE_KEY).public_key(),
    },
    originators={
        PARTY.octets: Originator(
            eui=PARTY.octets, role=SUPPLIER, public_key=agreed.private_key(agreed.ORIGINATOR_KEY).public_key()
        )
    },
)


def of(kind: str, octets: bytes) -> Message:
    return Message(use_case="ours", name="ours", kind=kind, octets=octets)


def with_mac(inner: bytes, own: int, mode: str) -> bytes:
    sliced = slice_message(inner)
    key = agreed.gbcs_key(
        own,
        agreed.DEVICE_KEY,
        mode=mode,
        originator=EntityIdentifier(sliced.originator),
        counter=sliced.counter,
        recipient=EntityIdentifier(sliced.recipient),
    )
    return messages.wrap_in_mac(inner, agreed.gmac(key, EntityIdentifier(sliced.originator), inner))


SET_CLOCK = messages.compose_command()
SIGNED = of("COMMAND", with_mac(messages.compose_inner(SET_CLOCK, agreed.sign(SET_CLOCK)), 31, "command"))
UNSIGNED = of(
    "COMMAND", with_mac(messages.compose_inner(messages.compose_command(messages.SEND_MESSAGE)), 31, "command")
)
BY_RECOVERY = of(
    "COMMAND",
    messages.compose_inner(messages.compose_command(messages.ANY_BY_RECOVERY), bytes(64)),
)
RESPONSE = of("RESPONSE", with_mac(messages.compose_inner(messages.compose_answer()), 1, "response"))
SIGNED_RESPONSE = of("RESPONSE", messages.compose_inner(messages.compose_answer(), bytes(64)))


def enciphered(text: bytes) -> bytes:
    key = agreed.gbcs_key(
        agreed.DEVICE_KEY, 1, mode="encryption", originator=messages.DEVICE, counter=1_000, recipient=PARTY
    )
    ciphertext, tag = agreed.gcm(key, messages.DEVICE, text, b"\x31")
    return messages.encrypted_item(ciphertext, tag[:12])


ZCL = messages.encrypted_zcl(enciphered(b"reading"))
ENCRYPTED = of(
    "RESPONSE",
    with_mac(
        messages.compose_inner(
            messages.compose_answer(0x0078, content=b"\x01\x09\x01" + messages.gbz_component(ZCL, 0x03))
        ),
        1,
        "response",
    ),
)


def forms(message: Message) -> list[tuple[str, str | None, str]]:
    return [(case.form, case.reason, case.rule) for case in plan_agreement([message], KEYS).cases]


def test_the_hosts_mac_is_the_devices() -> None:
    for message, private in ((SIGNED, ACB_KEY), (UNSIGNED, ACB_KEY), (RESPONSE, SUPPLIER_KEY)):
        assert host.mac_of(slice_message(message.octets), private, DEVICE.public_key()) == message.octets[-12:]


def test_the_host_deciphers_what_the_device_enciphered_and_nothing_else() -> None:
    sliced = slice_message(ENCRYPTED.octets)
    assert host.decipher(sliced, SUPPLIER_KEY, DEVICE.public_key()) == [b"reading"]
    assert host.decipher(sliced, ACB_KEY, DEVICE.public_key()) == []
    assert host.has_security_header(sliced)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            SIGNED,
            [
                ("its inner part", None, ""),
                ("with its MAC already", "CONTENT_MAC_WRAPPED", ""),
                ("signature spoilt", "NOT_PERMITTED", "originator-signature-verifies"),
                ("signature left out", "NOT_PERMITTED", "signature-as-message-code-says"),
                ("with another Device's certificate", "NOT_PERMITTED", "device-certificate-is-the-devices"),
            ],
        ),
        (
            UNSIGNED,
            [
                ("its inner part", None, ""),
                ("with its MAC already", "CONTENT_MAC_WRAPPED", ""),
                ("with another Device's certificate", "NOT_PERMITTED", "device-certificate-is-the-devices"),
            ],
        ),
        (BY_RECOVERY, [("a form without the ACB's MAC", "NOT_PERMITTED", "command-carries-a-mac")]),
        (of("PRECOMMAND", SET_CLOCK), []),
        (
            RESPONSE,
            [
                ("as it is", None, ""),
                ("MAC spoilt", "PROTECTION_INVALID", ""),
                ("nothing encrypted", "CONTENT_MALFORMED", ""),
            ],
        ),
        (
            SIGNED_RESPONSE,
            [
                ("signed, without a MAC", "CONTENT_MALFORMED", ""),
                ("nothing encrypted", "CONTENT_MALFORMED", ""),
            ],
        ),
        (
            ENCRYPTED,
            [
                ("as it is", None, ""),
                ("MAC spoilt", "PROTECTION_INVALID", ""),
                ("its encrypted data", None, ""),
            ],
        ),
    ],
    ids=["signed", "unsigned", "by Recovery", "Pre-Command", "Response", "signed Response", "encrypted"],
)
def test_what_is_asked_and_expected_follows_from_the_handbook(
    message: Message, expected: list[tuple[str, str | None, str]]
) -> None:
    assert forms(message) == expected


def test_a_mac_under_a_key_that_is_not_held_is_counted_and_not_asked_for() -> None:
    strangers = of("COMMAND", UNSIGNED.octets[:-1] + bytes([UNSIGNED.octets[-1] ^ 1]))
    planned = plan_agreement([strangers], KEYS)
    assert (planned.cases, planned.macs, planned.elsewhere) == ((), 0, 1)


def answered(case: AgreementCase) -> Answered:
    return Answered(outputs=case.outputs, reason=case.reason, rules=frozenset({case.rule} - {""}))


def test_counts_what_came_right_and_says_what_did_not() -> None:
    planned = plan_agreement([SIGNED, UNSIGNED, RESPONSE, ENCRYPTED], KEYS)
    answers = {case.number: answered(case) for case in planned.cases}
    summary = agreement_summary(planned, judge_agreement(planned.cases, answers))
    assert (summary["macs"], summary["macs_equal"]) == (2, 2)
    assert (summary["response_macs"], summary["response_macs_valid"]) == (2, 2)
    assert (summary["encrypted"], summary["decrypted"], summary["decrypted_items"]) == (1, 1, 1)
    assert summary["macs_under_other_keys"] == 0
    first = planned.cases[0]
    wrong = answers | {first.number: Answered(outputs=(b"another",))}
    assert agreement_summary(planned, judge_agreement(planned.cases, wrong))["macs_equal"] == 1
    for answer in (None, Answered(reason="NOT_PERMITTED"), Answered(outputs=())):
        told = judge_agreement([first], {} if answer is None else {first.number: answer})
        assert told[0].wrong


def test_a_sample_has_some_of_each_and_none_that_is_refused() -> None:
    planned = plan_agreement([SIGNED] * 9 + [RESPONSE] * 3 + [ENCRYPTED], KEYS)
    chosen = sample(planned, most=4)
    assert all(case.reason is None for case in chosen.cases)
    assert {case.ask for case in chosen.cases} == set(Ask)
    assert (chosen.macs, chosen.response_macs, chosen.encrypted) == (3, 4, 1)
    assert module_summary(None, ()) == {"in_module": None}
