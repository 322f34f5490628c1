"""May this caller use this key, in this way, for this originator? SEC G2.20, G2.25, G3.14, G3.29, G5.9, G5.22."""

from __future__ import annotations

from keybroker.content.model import GbcsCommand
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.terms import Caller, CallerKind, Finding, RuleName

# SEC G3.14: "Each User shall ensure that no resources which form part of its User Systems also form part of the DCC
# Live Systems." G2.25: "The DCC shall ensure that no resources which form part of the DCC Live Systems also form part
# of any User Systems." So a User's system never uses a DCC key, nor a DCC service a User's.
CALLER_KIND_FOR_PURPOSE = Rule(
    name=RuleName("caller-kind-for-purpose"),
    clause="G2.25, G3.14",
    remedy="ask from a system of the kind that the key's purpose serves",
)


def caller_kind_for_purpose(caller: Caller, policy: Policy) -> Finding:
    """The caller is of a kind that the purpose serves: a User's system, a DCC service, or the broker itself."""
    if caller.kind in policy.caller_kinds:
        return CALLER_KIND_FOR_PURPOSE.passed
    return CALLER_KIND_FOR_PURPOSE.refused(expected=" or ".join(sorted(policy.caller_kinds)), found=caller.kind)


# SEC G5.22: "a policy on access control, which includes provision in respect of: (a) measures to restrict access to
# Data that is stored on or communicated by means of the User Systems to those who require such Data and are authorised
# to obtain it". G5.9(a) says the same of the DCC Total System.
CALLER_ENTITLED_TO_KEY = Rule(
    name=RuleName("caller-entitled-to-key"),
    clause="G5.9(a), G5.22(a)",
    remedy="ask the operator to entitle this caller, or name another key",
)


def caller_entitled_to_key(caller: Caller, key: RegisteredKey) -> Finding:
    """The caller table lists the key for this caller. The refusal names no key: it may be read by a stranger to it."""
    if is_entitled(caller, key):
        return CALLER_ENTITLED_TO_KEY.passed
    return CALLER_ENTITLED_TO_KEY.refused(expected="a key listed for this caller", found="one that is not")


def is_entitled(caller: Caller, key: RegisteredKey) -> bool:
    """The caller table lists the key for this caller; for a session's key, the one that it stands on."""
    label = key.label if key.session is None else key.session.parent
    return label in caller.keys


# SEC G2.20: "(c) subject to the provisions of Section G2.22, each DCC Individual Live System is Separated from each
# other such System." G2.25 and G3.14, as above. So a party uses its own keys and no other's.
CALLER_PARTY_IS_KEYS_PARTY = Rule(
    name=RuleName("caller-party-is-keys-party"),
    clause="G2.20(c), G2.25, G3.14",
    remedy="use a key that belongs to the caller's own party",
)


def caller_party_is_keys_party(caller: Caller, key: RegisteredKey) -> Finding:
    """The caller's system belongs to the party whose key it is."""
    if caller.party == key.party:
        return CALLER_PARTY_IS_KEYS_PARTY.passed
    return CALLER_PARTY_IS_KEYS_PARTY.refused(
        expected=f"a key of {caller.party}, the caller's party", found="a key of another party"
    )


# SEC G5.22: "(b) procedures for granting, amending and removing authorisations in respect of access to such Data".
# G5.9(d) says the same of the DCC. So an authorisation is granted by name, and what was not granted is refused.
CALLER_ENTITLED_TO_OPERATION = Rule(
    name=RuleName("caller-entitled-to-operation"),
    clause="G5.9(d), G5.22(b)",
    remedy="ask the operator to grant the operation to this caller",
)


def caller_entitled_to_operation(caller: Caller, situation: Situation) -> Finding:
    """The caller table grants this caller the operation asked for."""
    if situation.operation in caller.operations:
        return CALLER_ENTITLED_TO_OPERATION.passed
    return CALLER_ENTITLED_TO_OPERATION.refused(
        expected=" or ".join(sorted(caller.operations)) or "an operation granted to this caller",
        found=situation.operation,
    )


# SEC G5.22: "(c) measures to ensure that the activities of one individual may not become a means by which the User
# Systems are Compromised to a material extent." So a User's system speaks for the EUIs granted to it and for no other
# system's, though both may be of one party.
CALLER_SPEAKS_FOR_ORIGINATOR = Rule(
    name=RuleName("caller-speaks-for-originator"),
    clause="G5.22(c)",
    remedy="send it from the system that speaks for the message's originator",
)

_ORIGINATOR_OFFSET = 12


def caller_speaks_for_originator(caller: Caller, command: GbcsCommand) -> Finding:
    """For a User's system: the message's originator is one of the caller's EUIs. A DCC service answers by its key."""
    if caller.kind is not CallerKind.USER_SYSTEM:
        return CALLER_SPEAKS_FOR_ORIGINATOR.not_applicable
    if command.originator in caller.euis:
        return CALLER_SPEAKS_FOR_ORIGINATOR.passed
    return CALLER_SPEAKS_FOR_ORIGINATOR.refused(
        expected=" or ".join(sorted(map(str, caller.euis))) or "an EUI granted to this caller",
        found=str(command.originator),
        offset=_ORIGINATOR_OFFSET,
    )
