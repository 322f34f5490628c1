"""Which prepayment tokens are not made, and what the one that is takes from the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.content.decoding import decode
from keybroker.content.prepayment import PrepaymentTopUp
from keybroker.policy.claim import Once
from keybroker.policy.rules import RULES, device, prepayment
from keybroker.policy.settings import PrepaymentSettings, Settings
from keybroker.terms import ContentKind, Operation
from tests import messages
from tests.agreed import beside
from tests.content.test_prepayment import top_up
from tests.policy.agreement import PREPAYMENT, AgreementCase, check_refused, decided, device_cases

MAKE = Operation.MAKE_PREPAYMENT_TOKEN
PENCE, POUNDS = 0, 1


def a_top_up(device: bytes | None = None, octets: bytes = b"") -> PrepaymentTopUp:
    content = decode(ContentKind.PREPAYMENT_TOP_UP, octets or top_up(), beside(device))
    assert isinstance(content, PrepaymentTopUp)
    return content


def of(**changes: int) -> PrepaymentTopUp:
    return a_top_up(octets=top_up(**changes))


LIMITS = {"settings": Settings(prepayment=PrepaymentSettings(largest_pence=50, largest_pounds=20))}

REFUSALS = [
    AgreementCase(
        rule="top-up-originator-is-keys-eui",
        what="another's name",
        content=replace(a_top_up(), originator=messages.NETWORK_OPERATOR),
        found=str(messages.NETWORK_OPERATOR),
    ),
    AgreementCase(
        rule="top-up-originator-is-keys-eui",
        what="a key without an EUI",
        content=a_top_up(),
        key={"eui": None},
        found=str(messages.SUPPLIER),
    ),
    AgreementCase(
        rule="caller-speaks-for-top-up",
        what="another system",
        content=a_top_up(),
        caller={"euis": frozenset({messages.NETWORK_OPERATOR})},
        found=str(messages.SUPPLIER),
    ),
    AgreementCase(rule="top-up-counter", what="zero", content=of(counter=0), found="0x0000000000000000"),
    AgreementCase(rule="top-up-counter", what="low bits", content=of(counter=(1 << 32) + 1), found="0001"),
    AgreementCase(rule="top-up-counter", what="a Command's", content=of(counter=1_700_000_000_000), found="0x0000018B"),
    AgreementCase(rule="top-up-amount", what="nothing", content=of(value=0), found="0 pounds"),
    AgreementCase(
        rule="top-up-amount",
        what="a pound too many",
        content=of(value=21),
        policy=LIMITS,
        found="21 pounds",
    ),
    AgreementCase(
        rule="top-up-amount",
        what="a penny too many",
        content=of(amount_class=PENCE, value=51),
        policy=LIMITS,
        found="51 pence",
    ),
    AgreementCase(
        rule="top-up-amount",
        what="a policy without limits allows none",
        content=of(value=1),
        policy={"settings": Settings()},
        found="1 pounds",
    ),
    *device_cases(a_top_up),
]


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found_under_which_clause(case: AgreementCase) -> None:
    check_refused(case, PREPAYMENT, MAKE)


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in (*device.RULES, *prepayment.RULES)}
    assert {case.rule for case in REFUSALS} <= set(RULES)


@pytest.mark.parametrize(
    "content",
    [of(value=500), of(amount_class=PENCE, value=8_191), of(counter=0xFFFF_FFFF << 32)],
    ids=["the largest in pounds", "the largest in pence", "the last counter"],
)
def test_makes_what_the_policy_allows(content: PrepaymentTopUp) -> None:
    assert decided(content, PREPAYMENT, MAKE).content is content


def test_takes_the_counter_once_for_each_originator_and_device() -> None:
    (first,) = decided(of(), PREPAYMENT, MAKE).claims
    (other_amount,) = decided(of(amount_class=PENCE, value=1), PREPAYMENT, MAKE).claims
    (other_counter,) = decided(of(counter=2 << 32), PREPAYMENT, MAKE).claims
    assert isinstance(first, Once)
    assert (first.scope, first.name) == ("prepayment-counter", top_up()[:24])
    assert first == other_amount
    assert first != other_counter
