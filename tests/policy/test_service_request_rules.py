"""The rules for DUIS XML: each way they refuse, then what they accept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from keybroker.content.duis.service_reference_variants import (
    SERVICE_REFERENCE_VARIANTS,
    read_service_reference_variants,
)
from keybroker.content.service_request import ServiceRequest
from keybroker.errors import ConfigurationInvalid, NotPermitted
from keybroker.policy import decide
from keybroker.policy.model import Decision, Policy
from keybroker.policy.rules import claims, service_request
from keybroker.policy.settings import ServiceRequestSettings
from keybroker.terms import CallerKind, EntityIdentifier, Finding, KeyPurpose, UserRole
from tests import duis, lists, messages
from tests.duis import a_request, a_response, a_transform
from tests.policy import authorities, chains, xml_signing
from tests.policy.xml_signing import (
    DSP_XML,
    SUPPLIER_KEY,
    USER_XML,
    a_chain,
    a_document,
    a_signed_pre_command,
)
from tests.situations import packaged_policies

OTHER = EntityIdentifier.from_text("90-B3-D5-1F-AA-09-00-00")
ORIGINATOR = a_chain(SUPPLIER_KEY, "02")


def pre_command(payload: bytes | None = None, *certificates: bytes, **changes: Any) -> ServiceRequest:
    document = duis.a_signed_pre_command(a_signed_pre_command() if payload is None else payload, **changes)
    return a_document(document, *(certificates or ORIGINATOR))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, a content that is spoilt, and what the finding must tell."""

    rule: str
    content: ServiceRequest
    found: str
    purpose: KeyPurpose = USER_XML
    caller: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)
    situation: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


def signature(found: str, *certificates: bytes, **changes: Any) -> Case:
    return Case(rule="signed-pre-command-signature", content=pre_command(None, *certificates), found=found, **changes)


def agrees(found: str, payload: bytes | None = None, **changes: Any) -> Case:
    return Case(rule="signed-pre-command-agrees", content=pre_command(payload, **changes), found=found)


ROLES = {"user_roles": frozenset({UserRole.OTHER_USER})}
REVOKED = authorities.a_trust(crl=lists.a_list(entries=(lists.entry(0x2000 + SUPPLIER_KEY),)))
STALE = lists.AT + 13 * lists.HOUR

REFUSALS = (
    Case(rule="duis-document-for-purpose", content=a_document(a_response()), found="a Response"),
    Case(
        rule="request-originator-is-keys-eui",
        content=a_document(a_request(identifier=duis.an_identifier(OTHER))),
        found=str(OTHER),
    ),
    Case(
        rule="request-originator-is-keys-eui", content=a_document(a_request()), key={"eui": OTHER}, found="AA-01-00-00"
    ),
    Case(
        rule="request-originator-is-keys-eui",
        content=a_document(a_request()),
        purpose=DSP_XML,
        found=str(messages.SUPPLIER),
    ),
    Case(
        rule="caller-speaks-for-request-originator",
        content=a_document(a_request()),
        caller={"euis": frozenset({OTHER})},
        found=str(messages.SUPPLIER),
    ),
    Case(
        rule="caller-speaks-for-request-originator",
        content=a_document(a_request()),
        caller={"euis": frozenset()},
        found=str(messages.SUPPLIER),
    ),
    Case(
        rule="response-id-answers-request-id",
        content=a_document(a_response(response=duis.an_identifier())),
        purpose=DSP_XML,
        found=str(messages.SUPPLIER),
    ),
    Case(rule="service-reference-variant-known", content=a_document(a_request("7.99")), found="variant 7.99"),
    Case(
        rule="service-reference-variant-known", content=a_document(a_request(reference="7.5")), found="7.5, variant 7.4"
    ),
    Case(
        rule="service-reference-variant-known",
        content=a_document(a_request("6.20.1", reference="6.2", body="<sr:SetDeviceConfigurationImportMPxN/>")),
        found="6.2, variant 6.20.1",
    ),
    Case(
        rule="body-element-for-variant", content=a_document(a_request(body="<sr:EnableSupply/>")), found="EnableSupply"
    ),
    Case(
        rule="body-element-for-variant",
        content=a_document(a_transform(body="<sr:EnableSupply/>")),
        found="EnableSupply",
    ),
    Case(
        rule="body-element-for-variant",
        content=pre_command(variant="7.4", reference="7.4"),
        found="SignedPreCommand",
    ),
    Case(rule="command-variant-for-variant", content=a_document(a_request(command_variant=4)), found="4"),
    Case(rule="command-variant-for-variant", content=a_document(a_request(command_variant=8)), found="8"),
    Case(rule="command-variant-for-variant", content=a_document(a_transform(command_variant=5)), found="5"),
    # No key of the DCC's signs a critical SMETS1 Service Request: none is counted there (G6.6(a)(i)).
    *(
        Case(
            rule="command-variant-for-variant",
            content=a_document(
                a_transform(identifier=duis.an_identifier(messages.ACCESS_CONTROL_BROKER), command_variant=1)
            ),
            purpose=purpose,
            found="1",
        )
        for purpose in (DSP_XML, KeyPurpose.COS_PARTY_XML)
    ),
    Case(rule="command-variant-for-variant", content=a_document(a_transform(command_variant=2)), found="2"),
    Case(rule="command-variant-for-variant", content=pre_command(command_variant=4), found="4"),
    Case(rule="command-variant-for-variant", content=pre_command(command_variant=1), found="1"),
    Case(
        # The schema's comment would have it; the table is right.
        rule="command-variant-for-variant",
        content=a_document(a_request("7.14", reference="7.14", body="<sr:a/>", command_variant=4)),
        found="4",
    ),
    Case(rule="user-role-eligible", content=a_document(a_transform()), caller=ROLES, found="OU"),
    Case(
        rule="user-role-eligible", content=a_document(a_request()), caller={"user_roles": frozenset()}, found="no User"
    ),
    agrees(str(OTHER), a_signed_pre_command(originator=OTHER)),
    agrees(str(OTHER), a_signed_pre_command(recipient=OTHER)),
    agrees(":1001,", a_signed_pre_command(counter=1_001)),
    agrees("0x004F", a_signed_pre_command(0x004F)),
    agrees(":1000,", identifier=duis.an_identifier(counter=7)),
    Case(
        rule="signed-pre-command-signature",
        content=a_document(duis.a_signed_pre_command(a_signed_pre_command())),
        found="found none",
    ),
    Case(
        rule="signed-pre-command-signature",
        content=pre_command(a_signed_pre_command(scalar=99)),
        found="found another",
    ),
    signature("role 02, found 03", *a_chain(SUPPLIER_KEY, "03")),
    signature("role 02, found 87", *a_chain(SUPPLIER_KEY, "87")),
    signature("for digitalSignature", *a_chain(SUPPLIER_KEY, "02", usage=chains.usage("key_agreement"))),
    signature(f"that of {OTHER}", *a_chain(SUPPLIER_KEY, "02", OTHER)),
    signature("expected", ORIGINATOR[0], b"now"),
    signature("expected", *a_chain(SUPPLIER_KEY, "02", signer=chains.a_private_key(98))),
    signature("revoked", situation={"trust": REVOKED}),
    signature("revocation list", situation={"at": STALE}),
    signature("found one valid", situation={"at": lists.AT + timedelta(days=9_999)}),
)


def judged(case: Case) -> Decision:
    return decide(
        case.content,
        key=xml_signing.a_key(case.purpose, **case.key),
        caller=xml_signing.a_caller(case.purpose, **case.caller),
        policy=packaged_policies()[case.purpose],
        situation=xml_signing.a_situation(**case.situation),
    )


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses(case: Case) -> None:
    with pytest.raises(NotPermitted) as refusal:
        judged(case)
    finding = next(each for each in refusal.value.findings if each.rule == case.rule and not each.passed)
    assert case.found in finding.found
    assert finding.offset is not None
    assert case.content.octets[finding.offset : finding.offset + 4] in (b"<sr:", b"<?xm")


def test_every_rule_has_a_refusing_case() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in service_request.RULES}


def a_decision(content: ServiceRequest, purpose: KeyPurpose = USER_XML, **changes: Any) -> Decision:
    return judged(Case(rule="", content=content, found="", purpose=purpose, **changes))


def passed(decision: Decision, rule: str) -> Finding:
    return next(finding for finding in decision.findings if finding.rule == rule)


ACCEPTED = {
    "a Service Request": a_document(a_request()),
    "for local delivery": a_document(a_request(command_variant=2)),
    "a critical one to be transformed": a_document(a_transform()),
    "one that reaches no Device": a_document(
        a_request("8.2", reference="8.2", body="<sr:ReadInventory/>", command_variant=8)
    ),
    "7.12, which the schema's comment calls non-critical": a_document(
        a_request("7.12", reference="7.12", body="<sr:SetRandomisedOffsetLimit/>", command_variant=4)
    ),
    "7.14, which the schema's comment calls critical": a_document(
        a_request("7.14", reference="7.14", body="<sr:ReadAuxiliaryControllerConfigurationData/>")
    ),
    "6.20.1 with the schema's Service Reference": a_document(
        a_request("6.20.1", reference="6.20", body="<sr:SetDeviceConfigurationImportMPxN/>")
    ),
    "a Signed Pre-Command": pre_command(),
    "one for local delivery": pre_command(command_variant=6),
    "one for both": pre_command(command_variant=7),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts_for_a_user(name: str) -> None:
    assert all(finding.passed for finding in a_decision(ACCEPTED[name]).findings)


def test_tells_who_signed_the_pre_command() -> None:
    finding = passed(a_decision(pre_command()), "signed-pre-command-signature")
    assert finding.found == f"signed by {messages.SUPPLIER}, certificate serial {0x2000 + SUPPLIER_KEY:x}"


@pytest.mark.parametrize("purpose", [DSP_XML, KeyPurpose.COS_PARTY_XML])
def test_accepts_what_the_dcc_signs(purpose: KeyPurpose) -> None:
    own = duis.an_identifier(messages.ACCESS_CONTROL_BROKER)
    answer = a_response(response=f"{messages.DEVICE}:{messages.SUPPLIER}:1000")
    for document in (a_request(identifier=own), a_response(), answer, a_response(request=None)):
        assert a_decision(a_document(document), purpose).findings


@pytest.mark.clause("G3.22", "G3.23(a)(iii)", shows="acceptance")
def test_a_critical_smets1_service_request_is_known_by_its_command_variant_alone() -> None:
    smets1 = a_document(a_transform(command_variant=1))
    finding = passed(a_decision(smets1), "command-variant-for-variant")
    assert finding.found == "a critical SMETS1 Service Request, by its Command Variant"
    policy: Policy = packaged_policies()[USER_XML]
    none = replace(
        policy,
        settings=replace(
            policy.settings, service_requests=ServiceRequestSettings(smets1_critical_command_variants=frozenset())
        ),
    )
    with pytest.raises(NotPermitted):
        decide(
            smets1,
            key=xml_signing.a_key(),
            caller=xml_signing.a_caller(),
            policy=none,
            situation=xml_signing.a_situation(),
        )


def test_a_load_controller_may_limit_the_apc_level() -> None:
    content = a_document(a_request("7.16", reference="7.16", body="<sr:LimitAPCLevel/>", command_variant=4))
    assert a_decision(content, caller={"user_roles": frozenset({UserRole.LOAD_CONTROLLER})}).findings


def test_a_dcc_service_has_no_user_role() -> None:
    own = duis.an_identifier(messages.ACCESS_CONTROL_BROKER)
    assert xml_signing.a_caller(DSP_XML).kind is CallerKind.DCC_SERVICE
    finding = passed(a_decision(a_document(a_transform(identifier=own)), DSP_XML), "user-role-eligible")
    assert finding.found == "not applicable to this purpose"


def test_a_service_request_claims_nothing() -> None:
    assert claims(a_document(a_request()), xml_signing.a_key(), xml_signing.a_situation()) == ()


HEADER = "variant,service_reference,name,critical,eligible_roles,command_variants,body_element,message_codes,note"
ROW = "7.2,7.2,Disable Supply,yes,IS GS,4 5 6 7,DisableSupply,0x0050 0x0081,"
BAD_TABLES = {
    "other columns": ["a,b", ROW],
    "a variant twice": [HEADER, ROW, ROW],
    "a variant of another reference": [HEADER, ROW.replace("7.2,7.2", "7.2,7.3")],
    "no number": [HEADER, ROW.replace("7.2,7.2", "a,a")],
    "an unknown role": [HEADER, ROW.replace("IS GS", "XX")],
    "an unknown Message Code": [HEADER, ROW.replace("0x0050", "0x7FFF")],
    "a Command Variant in words": [HEADER, ROW.replace("4 5 6 7", "four")],
    "no body element": [HEADER, ROW.replace("DisableSupply", "")],
    "neither critical nor not": [HEADER, ROW.replace("yes", "maybe")],
    "a column too few": [HEADER, ROW.removesuffix(",")],
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_refuses_a_table_that_is_not_the_shipped_form(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"service_reference_variants\.csv"):
        read_service_reference_variants(BAD_TABLES[name])


def test_the_shipped_table_has_every_variant_and_its_corrections() -> None:
    assert len(SERVICE_REFERENCE_VARIANTS) == 129
    assert sum(each.critical for each in SERVICE_REFERENCE_VARIANTS.values()) == 37
    corrected = {each.variant for each in SERVICE_REFERENCE_VARIANTS.values() if each.note}
    assert corrected == {"6.20.1", "6.20.2", "7.12", "7.13", "7.14", "7.15"}
    for each in SERVICE_REFERENCE_VARIANTS.values():
        assert bool(each.command_variants & {4, 5, 6, 7}) is each.critical, each.variant
