"""Would a Device take this Command for its originator's? The certificate and signature that a critical one brings.

SEC G2.44(b); GBCS. For the Access Control Broker, who stands before the Device.
"""

from __future__ import annotations

from keybroker.content.inner_command import InnerCommand
from keybroker.content.signed_object import signature_verifies
from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.model import CertificateFacts, Situation
from keybroker.policy.relying import rely_on
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, KeyUsage, RuleName

OFFSET = 12
"""Of the originator in the message."""

# GBCS: the Device verifies a critical Command's signature with the public key that it holds of the originator; the ACB
# stands before the Device and has the originator's certificate instead.
ORIGINATOR_CERTIFICATE_RELIED_ON = Rule(
    name=RuleName("originator-certificate-relied-on"),
    clause="GBCS Organisation Certificate; G2.44(b)",
    remedy="send the originator's current Digital Signing certificate with its issuers",
)


def originator_certificate_relied_on(content: InnerCommand, situation: Situation) -> Finding:
    """The chain can be relied on now, and is one for digitalSignature."""
    facts = _facts(content, situation)
    if isinstance(facts, str):
        return ORIGINATOR_CERTIFICATE_RELIED_ON.refused(expected="a chain that can be relied on", found=facts)
    if facts.usage is not KeyUsage.DIGITAL_SIGNATURE:
        return ORIGINATOR_CERTIFICATE_RELIED_ON.refused(expected=KeyUsage.DIGITAL_SIGNATURE, found=facts.usage)
    return ORIGINATOR_CERTIFICATE_RELIED_ON.passed


def _facts(content: InnerCommand, situation: Situation) -> CertificateFacts | str:
    """What the originator's chain states, or why it cannot be relied on."""
    if not content.originator_chain:
        return "none"
    try:
        return rely_on(content.originator_chain, situation)
    except CertificateUnfit as error:
        return str(error)


# GBCS Grouping Header: the originator's Entity Identifier stands at offset 12, and the certificate's must be the same.
ORIGINATOR_CERTIFICATE_IS_THE_ORIGINATORS = Rule(
    name=RuleName("originator-certificate-is-the-originators"),
    clause="GBCS Grouping Header; G2.44(b)",
    remedy="send the certificate of the party that the message names as originator",
)


def originator_certificate_is_the_originators(content: InnerCommand, facts: CertificateFacts) -> Finding:
    """Its EUI is the originator that stands in the Grouping Header."""
    if facts.eui == content.originator:
        return ORIGINATOR_CERTIFICATE_IS_THE_ORIGINATORS.passed
    return ORIGINATOR_CERTIFICATE_IS_THE_ORIGINATORS.refused(
        expected=f"a certificate of {content.originator}", found=str(facts.eui), offset=OFFSET
    )


# GBCS says which Remote Party Role signs which use case; the role stands in the certificate's OU. A Device holds each
# party's key under its role, and takes a Command under no other.
ORIGINATOR_ROLE_FOR_MESSAGE_CODE = Rule(
    name=RuleName("originator-role-for-message-code"),
    clause="GBCS RemotePartyRole; G2.44(b), G2.57",
    remedy="have the Command signed by a party whose role may sign this use case",
)


def originator_role_for_message_code(content: InnerCommand, facts: CertificateFacts) -> Finding:
    """The role in its OU is one that signs this Message Code."""
    if facts.role in content.message_code.signers:
        return ORIGINATOR_ROLE_FOR_MESSAGE_CODE.passed
    signers = " or ".join(f"{role.ou} ({role.name})" for role in sorted(content.message_code.signers))
    return ORIGINATOR_ROLE_FOR_MESSAGE_CODE.refused(
        expected=f"for {content.message_code} the role {signers or 'of nobody'}",
        found=f"{facts.role.ou} ({facts.role.name})",
        offset=content.message_code_offset,
    )


# GBCS Digital Signature: ECDSA on P-256 with SHA-256 over the message from its second octet to the end of its content
# (handbook 1.5). A Command whose signature does not verify is one that every Device rejects.
ORIGINATOR_SIGNATURE_VERIFIES = Rule(
    name=RuleName("originator-signature-verifies"),
    clause="GBCS Digital Signature; G2.44(b)",
    remedy="send the message exactly as its originator signed it",
)


def originator_signature_verifies(content: InnerCommand, facts: CertificateFacts) -> Finding:
    """The signature verifies with the certificate's public key."""
    if signature_verifies(public_point(facts.der[0]), content.to_be_signed, content.signature):
        return ORIGINATOR_SIGNATURE_VERIFIES.passed
    return ORIGINATOR_SIGNATURE_VERIFIES.refused(
        expected="a signature of the originator's over this message",
        found="one that does not verify",
        offset=len(content.message),
    )


RULES: tuple[Rule, ...] = (
    ORIGINATOR_CERTIFICATE_RELIED_ON,
    ORIGINATOR_CERTIFICATE_IS_THE_ORIGINATORS,
    ORIGINATOR_ROLE_FOR_MESSAGE_CODE,
    ORIGINATOR_SIGNATURE_VERIFIES,
)


def originator_findings(content: InnerCommand, situation: Situation) -> tuple[Finding, ...]:
    """All four, of a signed message; where the chain cannot be relied on, what it states is not looked at."""
    if not content.signature:
        return tuple(rule.not_applicable for rule in RULES)
    relied_on, facts = originator_certificate_relied_on(content, situation), _facts(content, situation)
    if isinstance(facts, str):
        return (relied_on,)
    return (
        relied_on,
        originator_certificate_is_the_originators(content, facts),
        originator_role_for_message_code(content, facts),
        originator_signature_verifies(content, facts),
    )
