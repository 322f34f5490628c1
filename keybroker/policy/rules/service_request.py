"""May this DUIS XML be signed? SEC G3.22-G3.25 (Users), G2.45 (the DCC); DUIS."""

from __future__ import annotations

from keybroker.content.duis.model import DocumentForm, DuisDocument
from keybroker.content.service_request import ServiceRequest
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules import service_reference_variant, signed_pre_command
from keybroker.terms import Caller, CallerKind, Finding, KeyPurpose, RuleName

# SEC G3.22 and G2.45: "carries out Cryptographic Processing only within Cryptographic Modules established in accordance
# with its Information Classification Scheme"; DUIS says who signs what: a User its Requests, the DCC's Data Services
# Provider its Responses, and the DCC the Requests that it makes itself.
DUIS_DOCUMENT_FOR_PURPOSE = Rule(
    name=RuleName("duis-document-for-purpose"),
    clause="DUIS Request and Response; G2.45, G3.22",
    remedy="use the key of the party whose document it is",
)


def duis_document_for_purpose(document: DuisDocument, policy: Policy) -> Finding:
    """A User's key signs Requests alone."""
    if policy.purpose is not KeyPurpose.USER_XML or document.form is not DocumentForm.RESPONSE:
        return DUIS_DOCUMENT_FOR_PURPOSE.passed
    return DUIS_DOCUMENT_FOR_PURPOSE.refused(expected="a Request", found="a Response", offset=0)


# DUIS RequestID: "<originator EUI>:<target EUI>:<counter>"; the DCC matches the EUI of the certificate with the
# RequestID's originator. SEC G3.22, G2.45: a party signs what is its own.
REQUEST_ORIGINATOR_IS_KEYS_EUI = Rule(
    name=RuleName("request-originator-is-keys-eui"),
    clause="DUIS RequestID; G2.45, G3.22",
    remedy="use the originator's own key",
)


def request_originator_is_keys_eui(document: DuisDocument, key: RegisteredKey) -> Finding:
    """The RequestID's originator is the EUI in the key's certificate. A Response's is the User's, whom it answers."""
    if document.form is DocumentForm.RESPONSE:
        return REQUEST_ORIGINATOR_IS_KEYS_EUI.not_applicable
    stated = key.certificate.eui if key.certificate is not None else None
    originator = document.request_identifier.originator if document.request_identifier is not None else None
    if originator is not None and originator == key.eui == stated:
        return REQUEST_ORIGINATOR_IS_KEYS_EUI.passed
    return REQUEST_ORIGINATOR_IS_KEYS_EUI.refused(
        expected=f"the EUI of the key and its certificate, {stated}",
        found=str(originator),
        offset=document.identifier_offset,
    )


# SEC G5.22: "(c) measures to ensure that the activities of one individual may not become a means by which the User
# Systems are Compromised to a material extent": a User's system speaks for the EUIs granted to it alone.
CALLER_SPEAKS_FOR_REQUEST_ORIGINATOR = Rule(
    name=RuleName("caller-speaks-for-request-originator"),
    clause="DUIS RequestID; G5.22(c)",
    remedy="send it from the system that speaks for the request's originator",
)


def caller_speaks_for_request_originator(document: DuisDocument, caller: Caller) -> Finding:
    """For a User's system: the RequestID's originator is one of the caller's EUIs."""
    if caller.kind is not CallerKind.USER_SYSTEM or document.request_identifier is None:
        return CALLER_SPEAKS_FOR_REQUEST_ORIGINATOR.not_applicable
    if document.request_identifier.originator in caller.euis:
        return CALLER_SPEAKS_FOR_REQUEST_ORIGINATOR.passed
    return CALLER_SPEAKS_FOR_REQUEST_ORIGINATOR.refused(
        expected=" or ".join(sorted(map(str, caller.euis))) or "an EUI granted to this caller",
        found=str(document.request_identifier.originator),
        offset=document.identifier_offset,
    )


# DUIS ResponseID: the form of the RequestID, the roles swapped, as GBCS swaps originator and recipient in the Response
# to a Command (handbook 1.2, 4.1).
RESPONSE_ID_ANSWERS_REQUEST_ID = Rule(
    name=RuleName("response-id-answers-request-id"),
    clause="DUIS ResponseID",
    remedy="compose the Response again for the request that it answers",
)


def response_id_answers_request_id(document: DuisDocument) -> Finding:
    """Where both stand, the ResponseID's EUIs are the RequestID's, swapped."""
    request, response = document.request_identifier, document.response_identifier
    if request is None or response is None:
        return RESPONSE_ID_ANSWERS_REQUEST_ID.not_applicable
    if (response.originator, response.target) == (request.target, request.originator):
        return RESPONSE_ID_ANSWERS_REQUEST_ID.passed
    return RESPONSE_ID_ANSWERS_REQUEST_ID.refused(
        expected=f"{request.target}:{request.originator} in the ResponseID",
        found=f"{response.originator}:{response.target}",
        offset=document.identifier_offset,
    )


RULES: tuple[Rule, ...] = (
    DUIS_DOCUMENT_FOR_PURPOSE,
    REQUEST_ORIGINATOR_IS_KEYS_EUI,
    CALLER_SPEAKS_FOR_REQUEST_ORIGINATOR,
    RESPONSE_ID_ANSWERS_REQUEST_ID,
    *service_reference_variant.RULES,
    *signed_pre_command.RULES,
)


def findings(
    content: ServiceRequest, key: RegisteredKey, caller: Caller, policy: Policy, situation: Situation
) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    document = content.document
    return (
        duis_document_for_purpose(document, policy),
        request_originator_is_keys_eui(document, key),
        caller_speaks_for_request_originator(document, caller),
        response_id_answers_request_id(document),
        *service_reference_variant.findings(document, caller, policy),
        *signed_pre_command.findings(content, situation),
    )
