"""May this key check or decipher this Response or Alert? SEC G2.44(b), G3.22, G5.22; GBCS.

What a Device sends is for one party: that party's key reads it, for that party's systems.
"""

from __future__ import annotations

from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.protected_response import ProtectedResponse
from keybroker.policy.model import RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules.device import device_findings
from keybroker.terms import Caller, CallerKind, Finding, RuleName

Answered = ProtectedResponse | EncryptedResponse

_RECIPIENT_OFFSET = 21

# GBCS: the MAC of a Response or Alert is under the key agreed with the recipient; encrypted data are under that agreed
# with the supplementary remote party where one is named, else with the recipient (handbook 1.8).
ANSWER_IS_FOR_KEYS_EUI = Rule(
    name=RuleName("answer-is-for-keys-eui"),
    clause="GBCS key agreement; G2.44(b), G3.22",
    remedy="use the Key Agreement key of the party that the Device answered",
)


def answer_is_for_keys_eui(content: Answered, key: RegisteredKey) -> Finding:
    """The party for which the Device protected it is the key's own."""
    if key.eui is not None and content.party == key.eui:
        return ANSWER_IS_FOR_KEYS_EUI.passed
    return ANSWER_IS_FOR_KEYS_EUI.refused(
        expected=f"the key's EUI {key.eui}" if key.eui else "a key with an EUI",
        found=str(content.party),
        offset=_RECIPIENT_OFFSET,
    )


# SEC G5.22: "(a) measures to restrict access to Data that is stored on or communicated by means of the User Systems to
# those who require such Data and are authorised to obtain it". So a User's system reads what was sent to the EUIs that
# were granted to it, and to no other system's.
CALLER_ANSWERS_TO_RECIPIENT = Rule(
    name=RuleName("caller-answers-to-recipient"),
    clause="G5.22(a)",
    remedy="read it from the system that speaks for the party to which it was sent",
)


def caller_answers_to_recipient(content: Answered, caller: Caller) -> Finding:
    """For a User's system: the party is one of the caller's EUIs. A DCC service answers by its key."""
    if caller.kind is not CallerKind.USER_SYSTEM:
        return CALLER_ANSWERS_TO_RECIPIENT.not_applicable
    if content.party in caller.euis:
        return CALLER_ANSWERS_TO_RECIPIENT.passed
    return CALLER_ANSWERS_TO_RECIPIENT.refused(
        expected=" or ".join(sorted(map(str, caller.euis))) or "an EUI granted to this caller",
        found=str(content.party),
        offset=_RECIPIENT_OFFSET,
    )


RULES: tuple[Rule, ...] = (ANSWER_IS_FOR_KEYS_EUI, CALLER_ANSWERS_TO_RECIPIENT)
"""After those of ``device.RULES``."""


def findings(content: Answered, key: RegisteredKey, caller: Caller, situation: Situation) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        *device_findings(content.device_chain, content.peer, content.originator, situation),
        answer_is_for_keys_eui(content, key),
        caller_answers_to_recipient(content, caller),
    )
