"""Which rules are there, and which apply to a content and a key? Every rule that applies is run; none is skipped.

``purpose``, ``caller`` and ``key`` hold the rules for every content, the other modules those for one kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from keybroker.content.certificate import TbsCertificate
from keybroker.content.contents import Content
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import AuditCheckpoint, GbcsCommand
from keybroker.content.prepayment import PrepaymentTopUp
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.tls_handshake import TlsHandshake
from keybroker.policy.claim import Claim
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules import caller as callers
from keybroker.policy.rules import certificate as certificates
from keybroker.policy.rules import checkpoint as checkpoints
from keybroker.policy.rules import command as commands
from keybroker.policy.rules import command_mac as command_macs
from keybroker.policy.rules import cos as change_of_supplier
from keybroker.policy.rules import gave_rise, smets1, tls
from keybroker.policy.rules import key as keys
from keybroker.policy.rules import prepayment as prepayments
from keybroker.policy.rules import purpose as purposes
from keybroker.policy.rules import response as responses
from keybroker.policy.rules import revocation_list as revocation_lists
from keybroker.policy.rules import service_request as service_requests
from keybroker.policy.rules import signing_request as signing_requests
from keybroker.terms import Caller, ContentKind, Finding, RuleName

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
        keys.KEY_CRYPTOPERIOD,
        keys.KEY_USAGE_LIMIT,
        keys.KEY_CERTIFICATE_PRESENT,
        keys.KEY_CERTIFICATE_ROLE_FOR_PURPOSE,
        keys.KEY_EUI_IS_CERTIFICATES_EUI,
        keys.KEY_CERTIFICATE_VALID_NOW,
        keys.KEY_CERTIFICATE_NOT_REVOKED,
        keys.KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST,
        keys.KEY_USAGE_FOR_PURPOSE,
        keys.ANCHOR_FOR_DEPLOYMENT,
        commands.MESSAGE_CODE_CRITICAL,
        commands.MESSAGE_CODE_FOR_PURPOSE,
        commands.MESSAGE_CODE_SIGNER_ROLE,
        commands.ORIGINATOR_IS_KEYS_EUI,
        commands.OTHER_INFORMATION_FOR_PURPOSE,
        callers.CALLER_SPEAKS_FOR_ORIGINATOR,
        checkpoints.CHECKPOINT_ORIGIN_IS_THIS_LEDGER,
        *certificates.RULES,
        *revocation_lists.RULES,
        *signing_requests.RULES,
        *command_macs.RULES,
        *responses.RULES,
        *prepayments.RULES,
        *service_requests.RULES,
        *gave_rise.RULES,
        *change_of_supplier.RULES,
        *smets1.RULES,
        *tls.RULES,
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
        keys.key_state_active(content, key, policy),
        keys.not_a_published_test_key(key, situation),
    )
    if policy is None:
        return anyway
    # 2. Of the purpose; 3. of the certificate, where there is one; 4. of the kind of content.
    return (
        *anyway,
        purposes.content_kind_for_purpose(content.kind, policy),
        purposes.operation_for_purpose(content.kind, policy, situation.operation),
        callers.caller_kind_for_purpose(caller, policy),
        keys.key_cryptoperiod(key, policy, situation),
        keys.key_usage_limit(key, policy),
        keys.key_certificate_present(content, key, policy),
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
        keys.key_certificate_not_on_a_revocation_list(certificate, situation),
        keys.key_usage_for_purpose(certificate, policy),
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
                *gave_rise.findings(content, situation),
                *change_of_supplier.findings(content, situation),
            )
        case AuditCheckpoint():
            return (checkpoints.checkpoint_origin_is_this_ledger(content, situation),)
        case TbsCertificate():
            return certificates.findings(content, key, policy, situation)
        case TbsCertList():
            return revocation_lists.findings(content, key, policy, situation)
        case CertificationRequestInfo():
            return signing_requests.findings(content, key, policy)
        case InnerCommand():
            return command_macs.findings(content, key, situation)
        case ProtectedResponse() | EncryptedResponse():
            return responses.findings(content, key, caller, situation)
        case PrepaymentTopUp():
            return prepayments.findings(content, key, caller, policy, situation)
        case ServiceRequest():
            return service_requests.findings(content, key, caller, policy, situation)
        case Smets1Instruction() | Smets1Response():
            return smets1.findings(content, key, policy, situation)
        case TlsHandshake():
            return tls.findings(content, key)
        case _ as never:
            assert_never(never)


def claims(content: Content, key: RegisteredKey, situation: Situation) -> tuple[Claim, ...]:
    """What the use takes from the ledger by its content, and no other use may take again."""
    match content:
        case GbcsCommand():
            return change_of_supplier.claims(content)
        case AuditCheckpoint() | ServiceRequest() | ProtectedResponse() | EncryptedResponse() | TlsHandshake():
            # What was read may be read again; a handshake TLS itself makes its own, by its randoms.
            return ()
        case TbsCertificate():
            return certificates.claims(content, key)
        case TbsCertList():
            return revocation_lists.claims(content, key, situation)
        case CertificationRequestInfo():
            return signing_requests.claims(content, key)
        case InnerCommand():
            return command_macs.claims(content, key, situation)
        case PrepaymentTopUp():
            return prepayments.claims(content)
        case Smets1Instruction() | Smets1Response():
            return smets1.claims(content, key)
        case _ as never:
            assert_never(never)


def always_claims(kind: ContentKind) -> bool:
    """Does every use on such content make ``claims``, whatever it says? What the others claim is known by content."""
    match kind:
        case (
            ContentKind.CERTIFICATE
            | ContentKind.ROOT_CERTIFICATE
            | ContentKind.CERTIFICATE_REVOCATION_LIST
            | ContentKind.PREPAYMENT_TOP_UP
            | ContentKind.SMETS1_INSTRUCTION
            | ContentKind.SMETS1_RESPONSE
        ):
            return True
        case (
            ContentKind.PRE_COMMAND
            | ContentKind.COMMAND
            | ContentKind.COMMAND_BEFORE_MAC
            | ContentKind.CERTIFICATE_SIGNING_REQUEST
            | ContentKind.AUDIT_CHECKPOINT
            | ContentKind.SERVICE_REQUEST
            | ContentKind.PROTECTED_RESPONSE
            | ContentKind.ENCRYPTED_RESPONSE
            | ContentKind.TLS_HANDSHAKE
        ):
            return False
        case _ as never:
            assert_never(never)


def always_takes(kind: ContentKind, policy: Policy) -> bool:
    """Does every use on such content, under this policy, take something from the ledger?"""
    return keys.limits_uses(policy) or always_claims(kind)
