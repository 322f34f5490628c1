"""Whose key reads a Response or Alert, and for whom: each refusal, then what is accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.content.decoding import decode
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.protected_response import ProtectedResponse
from keybroker.policy.rules import RULES, claims, device, response
from keybroker.terms import ContentKind, KeyPurpose, Operation
from tests import messages
from tests.agreed import beside
from tests.content.test_encrypted_response import DLMS, GBZ_ALERT, PLAINTEXTS, dlms_response, in_dlms, item, wrapped
from tests.content.test_protected_response import GOOD
from tests.policy.agreement import (
    ACB_MAC,
    USER,
    AgreementCase,
    a_key_agreement_key,
    a_situation_for,
    check_refused,
    decided,
    device_cases,
)

CHECK, DECRYPT = Operation.CHECK_RESPONSE_MAC, Operation.DECRYPT_RESPONSE


def protected(device: bytes | None = None, octets: bytes = GOOD) -> ProtectedResponse:
    content = decode(ContentKind.PROTECTED_RESPONSE, octets, beside(device))
    assert isinstance(content, ProtectedResponse)
    return content


def encrypted(device: bytes | None = None, octets: bytes = DLMS) -> EncryptedResponse:
    content = decode(ContentKind.ENCRYPTED_RESPONSE, octets, beside(device))
    assert isinstance(content, EncryptedResponse)
    return content


OPERATOR = messages.NETWORK_OPERATOR
FOR_ANOTHER = encrypted(
    octets=wrapped(
        dlms_response(in_dlms(item(PLAINTEXTS[0], party=OPERATOR)), other=OPERATOR.octets + bytes(8) + bytes(8))
    )
)

REFUSALS = [
    AgreementCase(
        rule="answer-is-for-keys-eui",
        what="a MAC for another party",
        content=replace(protected(), recipient=OPERATOR),
        found=str(OPERATOR),
    ),
    AgreementCase(
        rule="answer-is-for-keys-eui", what="a key without an EUI", content=protected(), key={"eui": None}, found="90"
    ),
    AgreementCase(
        rule="answer-is-for-keys-eui", what="data for a supplementary party", content=FOR_ANOTHER, found=str(OPERATOR)
    ),
    AgreementCase(
        rule="caller-answers-to-recipient",
        what="another system's",
        content=protected(),
        caller={"euis": frozenset({OPERATOR})},
        found=str(messages.SUPPLIER),
    ),
    AgreementCase(
        rule="caller-answers-to-recipient",
        what="a system that speaks for nobody",
        content=encrypted(),
        caller={"euis": frozenset()},
        found=str(messages.SUPPLIER),
    ),
    *device_cases(protected),
    *device_cases(encrypted),
]


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found_under_which_clause(case: AgreementCase) -> None:
    check_refused(case, USER, CHECK if isinstance(case.content, ProtectedResponse) else DECRYPT)


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in (*device.RULES, *response.RULES)}
    assert {case.rule for case in REFUSALS} <= set(RULES)


@pytest.mark.parametrize(
    ("content", "operation"),
    [(protected(), CHECK), (encrypted(), DECRYPT), (encrypted(octets=GBZ_ALERT), DECRYPT)],
    ids=["MAC", "data in a wrapper", "data in a signed Alert"],
)
def test_a_user_reads_what_was_sent_to_it(content: ProtectedResponse | EncryptedResponse, operation: Operation) -> None:
    assert decided(content, USER, operation).content is content


def test_the_access_control_broker_reads_what_was_sent_to_it() -> None:
    content = protected(
        octets=messages.wrap_in_mac(
            messages.compose_inner(messages.compose_answer(recipient=messages.ACCESS_CONTROL_BROKER)), bytes(12)
        )
    )
    assert decided(content, ACB_MAC, CHECK).content is content


@pytest.mark.parametrize("purpose", [USER, ACB_MAC])
def test_takes_nothing_from_the_ledger(purpose: KeyPurpose) -> None:
    assert claims(protected(), a_key_agreement_key(purpose), a_situation_for(CHECK)) == ()
