"""Is there a policy for this key, in force, and is this the kind of content and the operation it is for?

SEC G2.56 (the DCC), G3.29 (Users).
"""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.terms import ContentKind, Finding, Operation, RuleName

OPERATIONS: Mapping[ContentKind, Operation] = {
    ContentKind.PRE_COMMAND: Operation.SIGN_PRE_COMMAND,
    ContentKind.COMMAND: Operation.SIGN_COMMAND,
    ContentKind.AUDIT_CHECKPOINT: Operation.SIGN_CHECKPOINT,
    ContentKind.CERTIFICATE: Operation.SIGN_CERTIFICATE,
    ContentKind.ROOT_CERTIFICATE: Operation.SIGN_ROOT_CERTIFICATE,
    ContentKind.CERTIFICATE_REVOCATION_LIST: Operation.SIGN_REVOCATION_LIST,
    ContentKind.CERTIFICATE_SIGNING_REQUEST: Operation.SIGN_CERTIFICATE_SIGNING_REQUEST,
    ContentKind.COMMAND_BEFORE_MAC: Operation.APPLY_COMMAND_MAC,
    ContentKind.PROTECTED_RESPONSE: Operation.CHECK_RESPONSE_MAC,
    ContentKind.ENCRYPTED_RESPONSE: Operation.DECRYPT_RESPONSE,
    ContentKind.PREPAYMENT_TOP_UP: Operation.MAKE_PREPAYMENT_TOKEN,
    ContentKind.SERVICE_REQUEST: Operation.SIGN_SERVICE_REQUEST,
    ContentKind.SMETS1_INSTRUCTION: Operation.PROTECT_SMETS1_INSTRUCTION,
    ContentKind.SMETS1_RESPONSE: Operation.OPEN_SMETS1_RESPONSE,
    ContentKind.TLS_HANDSHAKE: Operation.SIGN_TLS_HANDSHAKE,
}
"""The one operation through which each kind of content comes."""

# SEC G3.29: "Each User shall ensure that any Private Key that it uses or intends to use to create a Digital Signature
# that forms part of a Command that is to be sent to a SMETS2+ Device is used only for the purposes of: (a) creating
# Digital Signatures that form part of Commands that are to be sent to SMETS2+ Devices; or (b) Digitally Signing
# Certificate Signing Requests." G2.56 says the same of the DCC. So without a policy in force that states the
# purpose, a key is for nothing.
POLICY_IN_FORCE = Rule(
    name=RuleName("policy-in-force"),
    clause="G3.29, G2.56",
    remedy="ask the operator for a policy of this purpose that is in force now",
)


def policy_in_force(policy: Policy | None, key: RegisteredKey, situation: Situation) -> Finding:
    """A policy of the key's own purpose exists, and ``at`` lies within its effective dates (the last is excluded)."""
    if policy is None:
        return POLICY_IN_FORCE.refused(expected=f"a policy for {key.purpose}", found="none")
    if policy.purpose is not key.purpose:
        return POLICY_IN_FORCE.refused(expected=f"a policy for {key.purpose}", found=f"one for {policy.purpose}")
    if situation.at < policy.effective_from:
        return POLICY_IN_FORCE.refused(
            expected=f"effective from {policy.effective_from.isoformat()}", found=situation.at.isoformat()
        )
    if policy.effective_until is not None and situation.at >= policy.effective_until:
        return POLICY_IN_FORCE.refused(
            expected=f"effective until {policy.effective_until.isoformat()}", found=situation.at.isoformat()
        )
    return POLICY_IN_FORCE.passed


# SEC G3.29 and G2.56: "used only for the purposes of: (a) creating Digital Signatures that form part of Commands that
# are to be sent to SMETS2+ Devices; or (b) Digitally Signing Certificate Signing Requests."
CONTENT_KIND_FOR_PURPOSE = Rule(
    name=RuleName("content-kind-for-purpose"),
    clause="G3.29, G2.56",
    remedy="use a key whose purpose covers this kind of content",
)


def content_kind_for_purpose(kind: ContentKind, policy: Policy) -> Finding:
    """The kind that the octets were declared to be, and were decoded as, is one the purpose signs."""
    if kind in policy.content_kinds:
        return CONTENT_KIND_FOR_PURPOSE.passed
    return CONTENT_KIND_FOR_PURPOSE.refused(
        expected=" or ".join(sorted(policy.content_kinds)) or "none: no request uses such a key",
        found=kind,
        clause=policy.use_clause,
    )


# SEC G3.29 and G2.56, as above: a User signs Pre-Commands, the DCC signs Commands; asking for one through the door of
# the other is a mistake about whose key it is.
OPERATION_FOR_PURPOSE = Rule(
    name=RuleName("operation-for-purpose"),
    clause="G3.29, G2.56",
    remedy="call the operation that belongs to the key's purpose",
)


def operation_for_purpose(kind: ContentKind, policy: Policy, operation: Operation) -> Finding:
    """The RPC asked for is the one for this kind of content, and uses keys of this purpose. Reads use none."""
    if operation in policy.operations and operation is OPERATIONS[kind]:
        return OPERATION_FOR_PURPOSE.passed
    expected = policy.operations & {OPERATIONS[kind]} or policy.operations
    return OPERATION_FOR_PURPOSE.refused(
        expected=" or ".join(sorted(expected)) or "none: no request uses such a key",
        found=operation,
        clause=policy.use_clause,
    )
