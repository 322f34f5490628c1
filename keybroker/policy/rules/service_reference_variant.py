"""Do the Service Reference, its variant, the Command Variant, the Body and the User Role agree? DUIS; SEC G5.22.

By the shipped table (``content.duis.service_reference_variants``), which corrects published sources where they
contradict each other. A Response has none of these.
"""

from __future__ import annotations

from keybroker.content.duis.model import DocumentForm, DuisDocument, ServiceReferenceVariant
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.policy.model import Policy
from keybroker.policy.rule import Rule
from keybroker.terms import Caller, CallerKind, Finding, RuleName

_SIGNED_PRE_COMMANDS = frozenset({5, 6, 7})

# DUIS ServiceReferenceVariant: the schema's enumeration, each leading to use cases of GBCS or to none. Which Command
# Variants, body elements and User Roles go with each is in the shipped table, which corrects published sources where
# they contradict each other.
SERVICE_REFERENCE_VARIANT_KNOWN = Rule(
    name=RuleName("service-reference-variant-known"),
    clause="DUIS ServiceReferenceVariant",
    remedy="give the Service Reference and the Service Reference Variant of the request",
)


def service_reference_variant_known(document: DuisDocument) -> Finding:
    """The Service Reference Variant is in the table, and the Service Reference is its own. A Response has neither."""
    if document.form is DocumentForm.RESPONSE:
        return SERVICE_REFERENCE_VARIANT_KNOWN.not_applicable
    variant = SERVICE_REFERENCE_VARIANTS.get(document.service_reference_variant)
    expected = (
        f"Service Reference {variant.service_reference}" if variant else "a Service Reference Variant of DUIS 5.4"
    )
    if variant is not None and variant.service_reference == document.service_reference:
        return SERVICE_REFERENCE_VARIANT_KNOWN.passed
    return SERVICE_REFERENCE_VARIANT_KNOWN.refused(
        expected=expected,
        found=f"{document.service_reference}, variant {document.service_reference_variant}",
        offset=document.variant_offset,
    )


# DUIS Request: one request element in the Body, which is that of its Service Reference Variant; or, for a critical one,
# the GBCS message that it was transformed into (handbook 4.1).
BODY_ELEMENT_FOR_VARIANT = Rule(
    name=RuleName("body-element-for-variant"),
    clause="DUIS Request Body",
    remedy="put the request of this Service Reference Variant into the Body",
)


def body_element_for_variant(document: DuisDocument) -> Finding:
    """The element in the Body is the variant's; a Signed Pre-Command stands for a critical one."""
    variant = SERVICE_REFERENCE_VARIANTS.get(document.service_reference_variant)
    if document.form is DocumentForm.RESPONSE or variant is None:
        return BODY_ELEMENT_FOR_VARIANT.not_applicable
    if document.form is DocumentForm.SIGNED_PRE_COMMAND and variant.critical:
        return BODY_ELEMENT_FOR_VARIANT.passed
    if document.body_element == variant.body_element:
        return BODY_ELEMENT_FOR_VARIANT.passed
    further = " or SignedPreCommand" if variant.critical else ""
    return BODY_ELEMENT_FOR_VARIANT.refused(
        expected=f"{variant.body_element}{further} for {variant.variant}",
        found=document.body_element[:100],
        offset=document.body_offset,
    )


# DUIS CommandVariant (handbook 4.2): 1 to 3 for non-critical Service Requests, 4 for critical ones that are to be
# transformed into Pre-Commands of GBCS, 5 to 7 for Signed Pre-Commands, 8 for those that reach no Device. Critical
# SMETS1 Service Requests have no Pre-Command; nothing in the document tells them, and which Command Variants they have
# is for the policy to say.
COMMAND_VARIANT_FOR_VARIANT = Rule(
    name=RuleName("command-variant-for-variant"),
    clause="DUIS CommandVariant",
    remedy="give the Command Variant of this request: 4 to have a critical one transformed, 5 to 7 signed",
)


def command_variant_for_variant(document: DuisDocument, policy: Policy) -> Finding:
    """The Command Variant is one that the variant has, in this form."""
    variant = SERVICE_REFERENCE_VARIANTS.get(document.service_reference_variant)
    if document.form is DocumentForm.RESPONSE or variant is None or document.command_variant is None:
        return COMMAND_VARIANT_FOR_VARIANT.not_applicable
    if document.command_variant in _command_variants(document, variant):
        return COMMAND_VARIANT_FOR_VARIANT.passed
    settings = policy.settings.service_requests
    smets1 = settings.smets1_critical_command_variants if settings is not None else frozenset()
    if variant.critical and document.form is DocumentForm.SERVICE_REQUEST and document.command_variant in smets1:
        return COMMAND_VARIANT_FOR_VARIANT.passed_with("a critical SMETS1 Service Request, by its Command Variant")
    allowed = ", ".join(str(number) for number in sorted(_command_variants(document, variant))) or "none"
    return COMMAND_VARIANT_FOR_VARIANT.refused(
        expected=f"for a {document.form} of {variant.variant} the Command Variant {allowed}",
        found=str(document.command_variant),
        offset=document.variant_offset,
    )


def _command_variants(document: DuisDocument, variant: ServiceReferenceVariant) -> frozenset[int]:
    if document.form is DocumentForm.SIGNED_PRE_COMMAND:
        return variant.command_variants & _SIGNED_PRE_COMMANDS
    return variant.command_variants - _SIGNED_PRE_COMMANDS


# SEC G5.22: "(a) measures to restrict access to Data [...] to those who require such Data and are authorised to obtain
# it". DUIS says which User Roles are eligible for each Service Request (handbook 4.4).
USER_ROLE_ELIGIBLE = Rule(
    name=RuleName("user-role-eligible"),
    clause="DUIS Eligible User Roles; G5.22(a)",
    remedy="send it in a User Role that is eligible for this Service Request",
)


def user_role_eligible(document: DuisDocument, caller: Caller) -> Finding:
    """One of the caller's User Roles is eligible. A DCC service has none, and is no User."""
    variant = SERVICE_REFERENCE_VARIANTS.get(document.service_reference_variant)
    if caller.kind is not CallerKind.USER_SYSTEM or document.form is DocumentForm.RESPONSE or variant is None:
        return USER_ROLE_ELIGIBLE.not_applicable
    if caller.user_roles & variant.eligible_roles:
        return USER_ROLE_ELIGIBLE.passed
    return USER_ROLE_ELIGIBLE.refused(
        expected=f"one of {', '.join(sorted(variant.eligible_roles)) or 'none'} for {variant.variant}",
        found=", ".join(sorted(caller.user_roles)) or "no User Role",
        offset=document.variant_offset,
    )


RULES: tuple[Rule, ...] = (
    SERVICE_REFERENCE_VARIANT_KNOWN,
    BODY_ELEMENT_FOR_VARIANT,
    COMMAND_VARIANT_FOR_VARIANT,
    USER_ROLE_ELIGIBLE,
)


def findings(document: DuisDocument, caller: Caller, policy: Policy) -> tuple[Finding, ...]:
    """In order."""
    return (
        service_reference_variant_known(document),
        body_element_for_variant(document),
        command_variant_for_variant(document, policy),
        user_role_eligible(document, caller),
    )
