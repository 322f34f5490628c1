"""Which rules are there, and which apply to a content and a key? Every rule that applies is run; none is skipped.

``purpose``, ``caller`` and ``key`` hold the rules for every content, ``command`` and ``checkpoint`` those for one kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from keybroker.content.model import AuditCheckpoint, Content, GbcsCommand
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules import caller as callers
from keybroker.policy.rules import checkpoint as checkpoints
from keybroker.policy.rules import command as commands
from keybroker.policy.rules import key as keys
from keybroker.policy.rules import purpose as purposes
from keybroker.terms import Caller, Finding, RuleName

RULES: Mapping[RuleName, Rule] = {
    rule.name: rule
    for rule in (
        purposes.POLICY_IN_FORCE,
        callers.CALLER_ENTITLED_TO_KEY,
        callers.CALLER_PARTY_IS_KEYS_PARTY,
        callers.CALLER_ENTITLED_TO_OPERATION,
        keys.KEY_STATE_ACTIVE,
        keys.NOT_A_PUBLISHED_TEST_KEY,
        purposes.CONTENT_KIND_FOR_PURPOSE,
        purposes.OPERATION_FOR_PURPOSE,
        callers.CALLER_KIND_FOR_PURPOSE,
        keys.KEY_CERTIFICATE_PRESENT,
        keys.KEY_CERTIFICATE_ROLE_FOR_PURPOSE,
        keys.KEY_EUI_IS_CERTIFICATES_EUI,
        keys.KEY_CERTIFICATE_VALID_NOW,
        keys.KEY_CERTIFICATE_NOT_REVOKED,
        keys.KEY_USAGE_DIGITAL_SIGNATURE,
        keys.ANCHOR_FOR_DEPLOYMENT,
        commands.MESSAGE_CODE_CRITICAL,
        commands.MESSAGE_CODE_FOR_PURPOSE,
        commands.MESSAGE_CODE_SIGNER_ROLE,
        commands.ORIGINATOR_IS_KEYS_EUI,
        commands.OTHER_INFORMATION_FOR_PURPOSE,
        callers.CALLER_SPEAKS_FOR_ORIGINATOR,
        checkpoints.CHECKPOINT_ORIGIN_IS_THIS_LEDGER,
    )
}
"""Every rule by its name, in the order in which they run."""


def findings(
    content: Content, key: RegisteredKey, caller: Caller, policy: Policy | None, situation: Situation
) -> tuple[Finding, ...]:
    """Run every rule that applies, in order. Without a policy only the rules that need none can speak."""
    # 1. Of any caller and key.
    anyway = (
        purposes.policy_in_force(policy, key, situation),
        callers.caller_entitled_to_key(caller, key),
        callers.caller_party_is_keys_party(caller, key),
        callers.caller_entitled_to_operation(caller, situation),
        keys.key_state_active(key),
        keys.not_a_published_test_key(key, situation),
    )
    if policy is None:
        return anyway
    # 2. Of the purpose; 3. of the certificate, where there is one; 4. of the kind of content.
    return (
        *anyway,
        purposes.content_kind_for_purpose(content, policy),
        purposes.operation_for_purpose(policy, situation),
        callers.caller_kind_for_purpose(caller, policy),
        keys.key_certificate_present(key, policy),
        *_certificate_findings(key, policy, situation),
        *_content_findings(content, key, caller, policy, situation),
    )


def _certificate_findings(key: RegisteredKey, policy: Policy, situation: Situation) -> tuple[Finding, ...]:
    certificate = key.certificate
    if certificate is None:
        return ()
    return (
        keys.key_certificate_role_for_purpose(certificate, policy),
        keys.key_eui_is_certificates_eui(key, certificate),
        keys.key_certificate_valid_now(certificate, situation),
        keys.key_certificate_not_revoked(certificate),
        keys.key_usage_digital_signature(certificate),
        keys.anchor_for_deployment(certificate, situation),
    )


def _content_findings(
    content: Content, key: RegisteredKey, caller: Caller, policy: Policy, situation: Situation
) -> tuple[Finding, ...]:
    match content:
        case GbcsCommand():
            return (
                commands.message_code_critical(content, policy),
                commands.message_code_for_purpose(content, policy),
                commands.message_code_signer_role(content, key),
                commands.originator_is_keys_eui(content, key),
                commands.other_information_for_purpose(content, policy),
                callers.caller_speaks_for_originator(caller, content),
            )
        case AuditCheckpoint():
            return (checkpoints.checkpoint_origin_is_this_ledger(content, situation),)
        case _ as never:
            assert_never(never)
