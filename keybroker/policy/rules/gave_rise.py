"""Is the Service Request that gave rise to a Command the one that the Command carries out? SEC G3.25; DUIS.

Where it comes beside the Pre-Command. The CoS Party's Command has its own rules for it (``cos``).
"""

from __future__ import annotations

from keybroker.content.duis.model import DuisDocument, DuisIdentifier
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.model import GbcsCommand
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules.cos import is_change_of_supplier
from keybroker.policy.signers import rely_on_user_xml
from keybroker.terms import Finding, RuleName

# SEC G3.25(a): "it applies a Supply Sensitive Check prior to Digitally Signing a Pre-Command [...] in respect of any
# Supply Sensitive Service Request": the Pre-Command must be that Service Request's own. Its RequestID names originator,
# target and counter, and its Service Reference Variant leads to known Message Codes (handbook 4.2, 4.4).
SERVICE_REQUEST_GAVE_RISE_TO_COMMAND = Rule(
    name=RuleName("service-request-gave-rise-to-command"),
    clause="DUIS RequestID; G3.25",
    remedy="sign the Pre-Command that was made of this Service Request",
)


def service_request_gave_rise_to_command(command: GbcsCommand, request: DuisDocument) -> Finding:
    """Originator, target and counter (of the party acted for, where there is one) and the variant agree."""
    variant = SERVICE_REFERENCE_VARIANTS.get(request.service_reference_variant)
    codes = variant.message_codes if variant is not None else frozenset()
    named = _identifier(command)
    if named == request.request_identifier and command.message_code.value in codes:
        return SERVICE_REQUEST_GAVE_RISE_TO_COMMAND.passed
    told = ", ".join(f"0x{code:04X}" for code in sorted(codes)) or "of no Device"
    return SERVICE_REQUEST_GAVE_RISE_TO_COMMAND.refused(
        expected=f"{request.request_identifier}, Message Code {told}", found=f"{named}, {command.message_code}"
    )


def _identifier(command: GbcsCommand) -> DuisIdentifier:
    party, counter = command.supplementary_party, command.supplementary_counter
    return DuisIdentifier(
        originator=command.originator if party is None else party,
        target=command.recipient,
        counter=command.originator_counter if counter is None else counter,
    )


# SEC G3.25(c): the Pre-Command "has been processed only in the United Kingdom between the application of the Supply
# Sensitive Check and the Digital Signature": what was checked must be what is looked at here. A User's own Service
# Request may come before it is signed; a signature that it carries is never ignored.
SERVICE_REQUEST_SIGNATURE = Rule(
    name=RuleName("service-request-signature"),
    clause="DUIS XML Signature; G3.25",
    remedy="send the Service Request as its User signed it, with that certificate and its issuers",
)


def service_request_signature(command: GbcsCommand, request: DuisDocument, situation: Situation) -> Finding:
    """A signature on it verifies, by a certificate of role 87 of the RequestID's originator that may be relied on."""
    if request.signature is None:
        return SERVICE_REQUEST_SIGNATURE.passed_with("not signed")
    try:
        signer = rely_on_user_xml(request, command.signer_certificates, situation)
    except CertificateUnfit as error:
        return SERVICE_REQUEST_SIGNATURE.refused(expected="a Service Request signed by its User", found=error.sentence)
    return SERVICE_REQUEST_SIGNATURE.passed_with(f"signed by {signer.eui}, certificate serial {signer.serial:x}")


RULES: tuple[Rule, ...] = (SERVICE_REQUEST_GAVE_RISE_TO_COMMAND, SERVICE_REQUEST_SIGNATURE)


def findings(command: GbcsCommand, situation: Situation) -> tuple[Finding, ...]:
    """None where nothing came beside the Command."""
    request = command.service_request
    if request is None or is_change_of_supplier(command):
        return ()
    return service_request_gave_rise_to_command(command, request), service_request_signature(
        command, request, situation
    )
