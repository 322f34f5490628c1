"""Is the GBCS message in a Signed Pre-Command that of its request, signed by its originator? DUIS; GBCS; SEC G3.25."""

from __future__ import annotations

from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.service_request import ServiceRequest
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import Situation
from keybroker.policy.rule import Rule
from keybroker.policy.signers import rely_on_originator
from keybroker.terms import Finding, RuleName

# DUIS SignedPreCommand: the Command that the Service Request was transformed into, signed. SEC G3.25(a): "it applies a
# Supply Sensitive Check prior to Digitally Signing a Pre-Command [...] in respect of any Supply Sensitive Service
# Request"; the Command in it is that of the variant it names, or the check was of another.
SIGNED_PRE_COMMAND_AGREES = Rule(
    name=RuleName("signed-pre-command-agrees"),
    clause="DUIS SignedPreCommand; G3.25",
    remedy="send the Signed Pre-Command under the RequestID and the variant of the request that it came from",
)


def signed_pre_command_agrees(content: ServiceRequest) -> Finding:
    """Originator, target and counter are the RequestID's, and the Message Code is one of the variant's."""
    request = content.document.request_identifier
    if content.signed_pre_command is None or request is None:
        return SIGNED_PRE_COMMAND_AGREES.not_applicable
    command = content.signed_pre_command.command
    variant = SERVICE_REFERENCE_VARIANTS.get(content.document.service_reference_variant)
    codes = variant.message_codes if variant is not None else frozenset()
    named = f"{command.originator}:{command.recipient}:{command.originator_counter}"
    if named == str(request) and command.message_code.value in codes:
        return SIGNED_PRE_COMMAND_AGREES.passed
    told = ", ".join(f"0x{code:04X}" for code in sorted(codes)) or "of no variant"
    return SIGNED_PRE_COMMAND_AGREES.refused(
        expected=f"{request}, Message Code {told}",
        found=f"{named}, {command.message_code}",
        offset=content.document.payload_offset,
    )


# GBCS: a Device verifies the signature of a critical Command with the originator's key; one that does not verify, or
# was made with another's, is no Signed Pre-Command (handbook 1.6).
SIGNED_PRE_COMMAND_SIGNATURE = Rule(
    name=RuleName("signed-pre-command-signature"),
    clause="GBCS Signed Pre-Command; DUIS SignedPreCommand",
    remedy="send the Pre-Command's signature and the originator's certificate with its issuers",
)


def signed_pre_command_signature(content: ServiceRequest, situation: Situation) -> Finding:
    """The originator's certificate comes beside it, may be relied on, and the signature verifies under it."""
    if content.signed_pre_command is None:
        return SIGNED_PRE_COMMAND_SIGNATURE.not_applicable
    try:
        signer = rely_on_originator(content.signed_pre_command, content.originator_certificates, situation)
    except CertificateUnfit as error:
        return SIGNED_PRE_COMMAND_SIGNATURE.refused(
            expected="a Pre-Command signed by its originator",
            found=error.sentence,
            offset=content.document.payload_offset,
        )
    return SIGNED_PRE_COMMAND_SIGNATURE.passed_with(f"signed by {signer.eui}, certificate serial {signer.serial:x}")


RULES: tuple[Rule, ...] = (SIGNED_PRE_COMMAND_AGREES, SIGNED_PRE_COMMAND_SIGNATURE)


def findings(content: ServiceRequest, situation: Situation) -> tuple[Finding, ...]:
    """In order."""
    return signed_pre_command_agrees(content), signed_pre_command_signature(content, situation)
