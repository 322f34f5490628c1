"""Is this Command or Pre-Command one that a key of this purpose signs? SEC G2.56(a), G3.29(a); GBCS Grouping Header."""

from __future__ import annotations

from keybroker.content.model import Criticality, GbcsCommand, MessageCode
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, RuleName

UNKNOWN_REMOTE_PARTY_GROUP = "for-unknown-remote-party"
"""The group of Message Codes that the Access Control Broker signs on behalf of a party the Device does not know."""

_ORIGINATOR_OFFSET = 12

# SEC G3.29 and G2.56: "(a) creating Digital Signatures that form part of Commands that are to be sent to SMETS2+
# Devices". In GBCS only critical Commands carry the originator's Digital Signature; the others carry a Message
# Authentication Code alone. A Message Code that comes both ways is signed only where the purpose lists it.
MESSAGE_CODE_CRITICAL = Rule(
    name=RuleName("message-code-critical"),
    clause="G2.56(a), G3.29(a)",
    remedy="do not sign it: this Command is protected by a Message Authentication Code alone",
)


def message_code_critical(command: GbcsCommand, policy: Policy) -> Finding:
    """The Message Code is of a Command, and of one that is signed; unknown criticality is not signable."""
    code = command.message_code
    if code.is_command and _is_signed(code, policy):
        return MESSAGE_CODE_CRITICAL.passed
    kind = "a Command" if code.is_command else "no Command"
    return MESSAGE_CODE_CRITICAL.refused(
        expected="the Message Code of a critical Command",
        found=f"{code}, {kind} ({code.criticality})",
        offset=command.message_code_offset,
    )


def _is_signed(code: MessageCode, policy: Policy) -> bool:
    if code.criticality is Criticality.CRITICAL:
        return True
    return code.criticality is Criticality.VARIANT and code.value in policy.message_codes


# SEC G3.29 and G2.56: "is used only for the purposes of: (a) creating Digital Signatures that form part of Commands";
# which Commands are a party's own is stated by its policy, code by code.
MESSAGE_CODE_FOR_PURPOSE = Rule(
    name=RuleName("message-code-for-purpose"),
    clause="G2.56(a), G3.29(a)",
    remedy="use a key whose purpose lists this Message Code",
)


def message_code_for_purpose(command: GbcsCommand, policy: Policy) -> Finding:
    """The Message Code stands in one of the groups that the policy lists."""
    if command.message_code.value in policy.message_codes:
        return MESSAGE_CODE_FOR_PURPOSE.passed
    return MESSAGE_CODE_FOR_PURPOSE.refused(
        expected=f"one of the {len(policy.message_codes)} Message Codes of {policy.purpose}",
        found=f"{command.message_code} {command.message_code.use_case}",
        offset=command.message_code_offset,
    )


# SEC G2.57: "(a) the DCC is the Subscriber for an Organisation Certificate that has a Remote Party Role that is
# specified in the GB Companion Specification; and (b) the Private Key associated with the Public Key contained within
# that Organisation Certificate is used for purposes that are not specified or described in the GB Companion
# Specification" (then it is to be replaced). GBCS says which Remote Party Role signs which use case.
MESSAGE_CODE_SIGNER_ROLE = Rule(
    name=RuleName("message-code-signer-role"),
    clause="G2.57",
    remedy="use the key of a Remote Party Role that signs this use case",
)


def message_code_signer_role(command: GbcsCommand, key: RegisteredKey) -> Finding:
    """The role in the key's certificate may sign this use case. Without a certificate there is no role to look at."""
    if key.certificate is None:
        return MESSAGE_CODE_SIGNER_ROLE.not_applicable
    if key.certificate.role in command.message_code.signers:
        return MESSAGE_CODE_SIGNER_ROLE.passed
    signers = " or ".join(f"{role.ou} ({role.name})" for role in sorted(command.message_code.signers))
    return MESSAGE_CODE_SIGNER_ROLE.refused(
        expected=f"for {command.message_code} the role {signers or 'of nobody'}",
        found=f"{key.certificate.role.ou} ({key.certificate.role.name})",
        offset=command.message_code_offset,
    )


# GBCS Grouping Header: the originator's Entity Identifier stands at offset 12, and the Device verifies the signature
# with the public key it holds for that party. SEC G3.29(a), G2.56(a): a signature under any other key is not one that
# forms "part of a Command that is to be sent to a SMETS2+ Device".
ORIGINATOR_IS_KEYS_EUI = Rule(
    name=RuleName("originator-is-keys-eui"),
    clause="GBCS Grouping Header; G2.56(a), G3.29(a)",
    remedy="use the originator's own key",
)


def originator_is_keys_eui(command: GbcsCommand, key: RegisteredKey) -> Finding:
    """The message's originator is the party whose key it is; a key that speaks for no EUI signs no Command."""
    if command.originator == key.eui:
        return ORIGINATOR_IS_KEYS_EUI.passed
    return ORIGINATOR_IS_KEYS_EUI.refused(
        expected=f"the key's EUI {key.eui}" if key.eui else "a key with an EUI",
        found=str(command.originator),
        offset=_ORIGINATOR_OFFSET,
    )


# GBCS Grouping Header: other-information is the Message Code alone (2 octets), or, where the Access Control Broker
# acts for a party the Device does not know, the Message Code with that party's Entity Identifier and counter (18).
OTHER_INFORMATION_FOR_PURPOSE = Rule(
    name=RuleName("other-information-for-purpose"),
    clause="GBCS Grouping Header",
    remedy="have the message composed again for the party that signs it",
)


def other_information_for_purpose(command: GbcsCommand, policy: Policy) -> Finding:
    """2 octets, or 18 for a Message Code of the purpose's group for Unknown Remote Parties, exactly."""
    acts_for_another = command.supplementary_party is not None
    if acts_for_another is _for_unknown_remote_party(command.message_code.value, policy):
        return OTHER_INFORMATION_FOR_PURPOSE.passed
    return OTHER_INFORMATION_FOR_PURPOSE.refused(
        expected=f"{2 if acts_for_another else 18} octets of other-information for {command.message_code}",
        found=f"{18 if acts_for_another else 2}",
        offset=command.message_code_offset,
    )


def _for_unknown_remote_party(code: int, policy: Policy) -> bool:
    return any(name == UNKNOWN_REMOTE_PARTY_GROUP and code in codes for name, codes in policy.message_code_groups)
