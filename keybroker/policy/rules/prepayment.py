"""May this prepayment token be made? It moves money. SEC G3.22, G5.22; GBCS section 14 (handbook 1.10)."""

from __future__ import annotations

from keybroker.content.prepayment import AmountClass, PrepaymentTopUp
from keybroker.policy.claim import Claim, Once
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules.device import device_findings
from keybroker.terms import Caller, Finding, RuleName

_LOW_32_BITS = 0xFFFF_FFFF
_COUNTER_OFFSET, _VALUE_OFFSET = 16, 25
COUNTER_SCOPE = "prepayment-counter"

# GBCS 14: the Device verifies a token with the Prepayment Key Agreement key that it holds of its Supplier.
TOP_UP_ORIGINATOR_IS_KEYS_EUI = Rule(
    name=RuleName("top-up-originator-is-keys-eui"),
    clause="GBCS 14 UTRN; G3.22",
    remedy="use the prepayment key of the Supplier that originates the top-up",
)


def top_up_originator_is_keys_eui(content: PrepaymentTopUp, key: RegisteredKey) -> Finding:
    """The originator is the key's own EUI."""
    if key.eui is not None and content.originator == key.eui:
        return TOP_UP_ORIGINATOR_IS_KEYS_EUI.passed
    return TOP_UP_ORIGINATOR_IS_KEYS_EUI.refused(
        expected=f"the key's EUI {key.eui}" if key.eui else "a key with an EUI", found=str(content.originator), offset=0
    )


# SEC G5.22: "(c) measures to ensure that the activities of one individual may not become a means by which the User
# Systems are Compromised to a material extent."
CALLER_SPEAKS_FOR_TOP_UP = Rule(
    name=RuleName("caller-speaks-for-top-up"),
    clause="G5.22(c)",
    remedy="ask from the system that speaks for the Supplier",
)


def caller_speaks_for_top_up(content: PrepaymentTopUp, caller: Caller) -> Finding:
    """The originator is one of the caller's EUIs."""
    if content.originator in caller.euis:
        return CALLER_SPEAKS_FOR_TOP_UP.passed
    return CALLER_SPEAKS_FOR_TOP_UP.refused(
        expected=" or ".join(sorted(map(str, caller.euis))) or "an EUI granted to this caller",
        found=str(content.originator),
        offset=0,
    )


# GBCS 14 (handbook 1.10): top-ups have a counter space of their own, whose low 32 bits are zero.
TOP_UP_COUNTER = Rule(
    name=RuleName("top-up-counter"),
    clause="GBCS 14 UTRN",
    remedy="take the next counter of this Device's top-ups: a number of at most 32 bits, times 2^32",
)


def top_up_counter(content: PrepaymentTopUp) -> Finding:
    """The low 32 bits are zero, and the high ones are not."""
    if content.originator_counter and not content.originator_counter & _LOW_32_BITS:
        return TOP_UP_COUNTER.passed
    return TOP_UP_COUNTER.refused(
        expected="a counter above zero whose low 32 bits are zero",
        found=f"0x{content.originator_counter:016X}",
        offset=_COUNTER_OFFSET,
    )


# SEC G3.22 says where the key is used; how much one token may be worth is the Supplier's own limit, set in its policy.
TOP_UP_AMOUNT = Rule(
    name=RuleName("top-up-amount"),
    clause="GBCS 14 UTRN; G3.22",
    remedy="ask for more than nothing, and at most what the policy allows in one token",
)


def top_up_amount(content: PrepaymentTopUp, policy: Policy) -> Finding:
    """More than zero, and at most the policy's largest of its class; a policy without one allows nothing."""
    largest = _largest(content.amount_class, policy)
    if 0 < content.value <= largest:
        return TOP_UP_AMOUNT.passed
    return TOP_UP_AMOUNT.refused(
        expected=f"1 to {largest} {content.amount_class.told}",
        found=f"{content.value} {content.amount_class.told}",
        offset=_VALUE_OFFSET,
    )


def _largest(amount_class: AmountClass, policy: Policy) -> int:
    settings = policy.settings.prepayment
    if settings is None:
        return 0
    return settings.largest_pence if amount_class is AmountClass.PENCE else settings.largest_pounds


RULES: tuple[Rule, ...] = (TOP_UP_ORIGINATOR_IS_KEYS_EUI, CALLER_SPEAKS_FOR_TOP_UP, TOP_UP_COUNTER, TOP_UP_AMOUNT)
"""After those of ``device.RULES``."""


def findings(
    content: PrepaymentTopUp, key: RegisteredKey, caller: Caller, policy: Policy, situation: Situation
) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        *device_findings(content.device_chain, content.peer, content.recipient, situation),
        top_up_originator_is_keys_eui(content, key),
        caller_speaks_for_top_up(content, caller),
        top_up_counter(content),
        top_up_amount(content, policy),
    )


def claims(content: PrepaymentTopUp) -> tuple[Claim, ...]:
    """The counter, once for each originator and Device: two tokens under one counter would be one token to it."""
    return (
        Once(
            rule="top-up-counter-used-once",
            clause="GBCS 14 UTRN",
            scope=COUNTER_SCOPE,
            name=content.octets[:24],
            told=f"top-up counter {content.originator_counter >> 32} for {content.recipient}",
        ),
    )
