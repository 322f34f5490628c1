"""Changes of supplier, and Service Requests that gave rise to Commands: each refusal, then what is accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying, GbcsCommand
from keybroker.errors import ContentMalformed
from keybroker.policy.claim import Once
from keybroker.policy.model import Situation
from keybroker.policy.rules import claims, cos, gave_rise
from keybroker.terms import (
    AccompanyingKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    Finding,
    KeyPurpose,
    Operation,
)
from tests import duis, lists, messages
from tests.policy import authorities, chains, xml_signing
from tests.policy.xml_signing import (
    DIGITAL_SIGNATURE,
    INCOMING,
    INCOMING_CHAIN,
    INCOMING_KEY,
    KEY_AGREEMENT,
    a_chain,
    a_change_of_supplier,
    a_credentials_command,
    a_replacement,
    an_accompanied,
    replacements_for,
    signed_by_incoming,
    supplier_certificates,
)
from tests.situations import a_key

OTHER = EntityIdentifier.from_text("90-B3-D5-1F-AA-09-00-00")
CERTIFICATES = supplier_certificates()
COMMAND = a_credentials_command(*replacements_for(CERTIFICATES))
REQUEST = signed_by_incoming(a_change_of_supplier())
ANOTHERS = supplier_certificates(OTHER)


def with_request(request: bytes | None, *chain: bytes, command: bytes = COMMAND) -> GbcsCommand:
    return an_accompanied(command, request, *(chain or (INCOMING_CHAIN if request else ())))


def with_replacements(*replacements: bytes) -> GbcsCommand:
    return with_request(REQUEST, command=a_credentials_command(*replacements))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, a Command that is spoilt or badly accompanied, and what the finding must tell."""

    rule: str
    command: GbcsCommand
    found: str
    situation: Situation | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


def signed_case(found: str, request: bytes, *chain: bytes, situation: Situation | None = None) -> Case:
    return Case(
        rule="change-of-supplier-signed-by-supplier",
        command=with_request(request, *chain),
        found=found,
        situation=situation,
    )


def chain_of(ou: str, **changes: Any) -> tuple[bytes, ...]:
    return a_chain(INCOMING_KEY, ou, changes.pop("eui", INCOMING), **changes)


def by(chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (signed_by_incoming(a_change_of_supplier(), chain=chain), *chain)


def situation(**changes: Any) -> Situation:
    return xml_signing.a_situation(Operation.SIGN_COMMAND, **changes)


REVOKED = authorities.a_trust(crl=lists.a_list(entries=(lists.entry(0x2000 + INCOMING_KEY),)))
DS, KA = CERTIFICATES["DigitalSigningCertificate"], CERTIFICATES["KeyAgreementCertificate"]

COS_REFUSALS = (
    Case(rule="change-of-supplier-asked-for", command=with_request(None), found="none"),
    Case(
        rule="change-of-supplier-asked-for",
        command=with_request(signed_by_incoming(duis.a_request(identifier=duis.an_identifier(INCOMING)))),
        found="7.4",
    ),
    Case(
        rule="change-of-supplier-asked-for",
        command=with_request(signed_by_incoming(a_change_of_supplier(variant="6.22", reference="6.22"))),
        found="6.22",
    ),
    Case(rule="change-of-supplier-signed-by-supplier", command=with_request(None), found="none"),
    signed_case("no signature", a_change_of_supplier()),
    signed_case("found another", signed_by_incoming(a_change_of_supplier(), scalar=99)),
    signed_case("role 87, found 02", *by(chain_of("02"))),
    signed_case("role 87, found 89", *by(chain_of("89"))),
    signed_case(f"that of {OTHER}", *by(chain_of("87", eui=OTHER))),
    signed_case("digitalSignature", *by(chain_of("87", usage=chains.usage("key_agreement")))),
    signed_case("KeyInfo of the certificate", REQUEST, *chain_of("87", serial=7)),
    signed_case("certificate", REQUEST, INCOMING_CHAIN[0]),
    signed_case("certificate", REQUEST, b"now"),
    signed_case("revoked", REQUEST, situation=situation(trust=REVOKED)),
    signed_case("revocation list", REQUEST, situation=situation(at=lists.AT + 13 * lists.HOUR)),
    Case(
        rule="change-of-supplier-device",
        command=with_request(signed_by_incoming(a_change_of_supplier(identifier=duis.an_identifier(INCOMING, OTHER)))),
        found=str(messages.DEVICE),
    ),
    Case(rule="change-of-supplier-device", command=with_request(None), found=str(messages.DEVICE)),
    Case(
        rule="change-of-supplier-certificates",
        command=with_replacements(*replacements_for(ANOTHERS)),
        found="SUPPLIER digitalSignature, SUPPLIER keyAgreement, SUPPLIER keyAgreement prePaymentTopUp",
    ),
    Case(
        rule="change-of-supplier-certificates",
        command=with_replacements(*replacements_for({"DigitalSigningCertificate": DS})),
        found="other for SUPPLIER keyAgreement, SUPPLIER keyAgreement prePaymentTopUp",
    ),
    Case(
        rule="change-of-supplier-certificates",
        command=with_replacements(*replacements_for(CERTIFICATES), a_replacement(DS, DIGITAL_SIGNATURE, role=3)),
        found="other for NETWORK_OPERATOR digitalSignature",
    ),
    Case(rule="change-of-supplier-certificates", command=with_replacements(), found="other for"),
    Case(
        rule="change-of-supplier-certificates",
        command=with_request(None, command=a_credentials_command()),
        found="no replacement",
    ),
    Case(
        # The signed Service Request itself asks for another Supplier's certificates.
        rule="change-of-supplier-for-its-originator",
        command=with_request(
            signed_by_incoming(a_change_of_supplier(certificates=ANOTHERS)),
            command=a_credentials_command(*replacements_for(ANOTHERS)),
        ),
        found=f"SUPPLIER digitalSignature of {OTHER}",
    ),
    Case(
        rule="change-of-supplier-for-its-originator",
        command=with_replacements(a_replacement(KA, DIGITAL_SIGNATURE)),
        found="SUPPLIER keyAgreement",
    ),
    Case(
        rule="change-of-supplier-for-its-originator",
        command=with_replacements(a_replacement(messages.der(0x30), DIGITAL_SIGNATURE)),
        found="certificate",
    ),
    Case(rule="change-of-supplier-for-its-originator", command=with_replacements(), found="no replacement"),
)

PRE_COMMAND = messages.compose_command(0x0050)
ASKED = duis.a_transform()
USER_CHAIN = a_chain(INCOMING_KEY, "87", messages.SUPPLIER)
ASKED_AND_SIGNED = duis.sign(ASKED, INCOMING_KEY, USER_CHAIN[0])


def risen(octets: bytes = PRE_COMMAND, request: bytes = ASKED, *chain: bytes) -> GbcsCommand:
    return an_accompanied(octets, request, *chain, kind=ContentKind.PRE_COMMAND)


def rise(found: str, command: GbcsCommand) -> Case:
    return Case(rule="service-request-gave-rise-to-command", command=command, found=found)


def rise_signed(found: str, *chain: bytes, request: bytes = ASKED_AND_SIGNED) -> Case:
    return Case(rule="service-request-signature", command=risen(PRE_COMMAND, request, *chain), found=found)


GAVE_RISE_REFUSALS = (
    rise(str(OTHER), risen(messages.compose_command(0x0050, originator=OTHER))),
    rise(str(OTHER), risen(messages.compose_command(0x0050, recipient=OTHER))),
    rise(":1001,", risen(messages.compose_command(0x0050, counter=1_001))),
    rise("0x004F", risen(messages.compose_command(0x004F))),
    rise("0x0050", risen(request=duis.a_transform(variant="7.1", reference="7.1"))),
    rise("0x0050", risen(request=duis.a_transform(variant="7.99"))),
    rise_signed("found none"),
    rise_signed(
        "role 87, found 02", *a_chain(INCOMING_KEY, "02"), request=duis.sign(ASKED, INCOMING_KEY, a_chain(41, "02")[0])
    ),
    rise_signed("found another", *USER_CHAIN, request=duis.sign(ASKED, 99, USER_CHAIN[0])),
)

REFUSALS = COS_REFUSALS + GAVE_RISE_REFUSALS


def findings(command: GbcsCommand, at: Situation | None = None) -> tuple[Finding, ...]:
    where = at or situation()
    return (*gave_rise.findings(command, where), *cos.findings(command, where))


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses(case: Case) -> None:
    finding = next(each for each in findings(case.command, case.situation) if each.rule == case.rule)
    assert not finding.passed
    assert case.found in finding.found


def test_every_rule_has_a_refusing_case() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in (*cos.RULES, *gave_rise.RULES)}


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", shows="acceptance")
def test_accepts_what_the_incoming_supplier_signed_and_tells_whose_trust_anchors_are_replaced() -> None:
    found = findings(with_request(REQUEST))
    assert len(found) == len(cos.RULES)
    assert all(finding.passed for finding in found)
    told = next(finding.found for finding in found if finding.rule == "change-of-supplier-for-its-originator")
    assert told.startswith(f"on {messages.DEVICE} the trust anchors are replaced by those of {INCOMING}: SUPPLIER")
    assert "SUPPLIER keyAgreement prePaymentTopUp by serial 2035" in told


def live(**changes: Any) -> Situation:
    """A live deployment whose anchors are the same ones, for live."""
    trust = changes.pop("trust", authorities.a_trust())
    anchors = tuple(replace(each, test=False) for each in trust.organisation)
    return situation(deployment=DeploymentKind.LIVE, trust=replace(trust, organisation=anchors), **changes)


REPLACED_REVOKED = authorities.a_trust(crl=lists.a_list(entries=(lists.entry(0x2000 + 52),)))


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", shows="refusal")
@pytest.mark.parametrize(
    ("where", "why"),
    [({"trust": REPLACED_REVOKED}, "revoked"), ({"at": lists.AT + 13 * lists.HOUR}, "revocation list")],
    ids=["one of them is revoked", "no current list"],
)
def test_a_live_deployment_replaces_no_trust_anchor_by_what_cannot_be_relied_on_and_a_test_one_says_so(
    where: dict[str, Any], why: str
) -> None:
    found = cos.change_of_supplier_for_its_originator(with_request(REQUEST), live(**where))
    assert (found.passed, found.expected) == (False, "certificates that can be relied on")
    assert why in found.found
    tested = cos.change_of_supplier_for_its_originator(with_request(REQUEST), situation(**where))
    assert tested.passed
    assert "; not relied on in this test deployment: " in tested.found
    assert why in tested.found


def test_what_can_be_relied_on_is_so_in_a_live_deployment_and_in_a_test_one() -> None:
    for where in (live(), situation()):
        found = cos.change_of_supplier_for_its_originator(with_request(REQUEST), where)
        assert found.passed
        assert "not relied on" not in found.found


def test_accepts_a_change_of_the_signing_certificate_alone() -> None:
    only = {"DigitalSigningCertificate": DS}
    request = signed_by_incoming(a_change_of_supplier(certificates=only))
    command = with_request(request, command=a_credentials_command(*replacements_for(only)))
    assert all(finding.passed for finding in findings(command))


def test_a_change_of_supplier_takes_the_request_id_once() -> None:
    command = with_request(REQUEST)
    (claim,) = claims(command, a_key(KeyPurpose.COS_PARTY_COMMAND), situation())
    assert isinstance(claim, Once)
    assert (claim.scope, claim.name[:8]) == ("service-request-id", INCOMING.octets)
    lower = signed_by_incoming(a_change_of_supplier(identifier=duis.an_identifier(INCOMING).lower()))
    (same,) = claims(with_request(lower), a_key(KeyPurpose.COS_PARTY_COMMAND), situation())
    assert isinstance(same, Once)
    assert same.name == claim.name


@pytest.mark.parametrize("code", [messages.TRANS_COS_BY_TRANS_COS, 0x0008, 0x011B])
def test_other_commands_of_the_cos_party_need_no_service_request(code: int) -> None:
    octets = (
        a_credentials_command(code=code)
        if code == messages.TRANS_COS_BY_TRANS_COS
        else messages.compose_command(code, messages.TRANSITIONAL_COS)
    )
    command = with_request(None, command=octets)
    assert findings(command) == ()
    assert claims(command, a_key(KeyPurpose.COS_PARTY_COMMAND), situation()) == ()


def test_accepts_a_pre_command_of_the_service_request_beside_it() -> None:
    unsigned, signed = findings(risen()), findings(risen(PRE_COMMAND, ASKED_AND_SIGNED, *USER_CHAIN))
    assert all(finding.passed for finding in (*unsigned, *signed))
    assert unsigned[1].found == "not signed"
    assert signed[1].found == f"signed by {messages.SUPPLIER}, certificate serial {0x2000 + INCOMING_KEY:x}"


def test_accepts_a_command_for_an_unknown_remote_party_by_that_partys_request() -> None:
    request = duis.a_request("4.1.1", reference="4.1", identifier=duis.an_identifier(counter=77))
    octets = messages.compose_command(
        0x0027, messages.ACCESS_CONTROL_BROKER, counter=5, supplementary=(messages.SUPPLIER, 77)
    )
    assert findings(risen(octets, request))[0].passed


def test_records_name_the_service_request() -> None:
    facts = facts_of(with_request(REQUEST))
    assert facts["service_request"] == duis.an_identifier(INCOMING)
    assert (
        facts["replaced"] == "SUPPLIER digitalSignature, SUPPLIER keyAgreement, SUPPLIER keyAgreement prePaymentTopUp"
    )


BESIDE = {
    "certificates alone": ((AccompanyingKind.SIGNER_CERTIFICATE, b"0"),),
    "two Service Requests": ((AccompanyingKind.SERVICE_REQUEST, ASKED), (AccompanyingKind.SERVICE_REQUEST, ASKED)),
    "something else": ((AccompanyingKind.SERVICE_REQUEST, ASKED), (AccompanyingKind.DEVICE_CERTIFICATE, b"0")),
    "a Response": ((AccompanyingKind.SERVICE_REQUEST, duis.a_response()),),
    "a Signed Pre-Command": (
        (AccompanyingKind.SERVICE_REQUEST, duis.a_signed_pre_command(messages.sign_message(PRE_COMMAND, bytes(64)))),
    ),
    "no document": ((AccompanyingKind.SERVICE_REQUEST, b"now"),),
    "a document changed after it was signed": (
        (AccompanyingKind.SERVICE_REQUEST, ASKED_AND_SIGNED.replace(b":1000<", b":1001<")),
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_refuses_to_read_a_command_with_anything_else_beside_it(name: str) -> None:
    beside = [Accompanying(kind=kind, octets=octets) for kind, octets in BESIDE[name]]
    with pytest.raises(ContentMalformed):
        decode(ContentKind.PRE_COMMAND, PRE_COMMAND, beside)


BAD_CREDENTIALS = {
    "a replacement that is no SEQUENCE": messages.der_integer(1),
    "a replacement without a cell": messages.der(0x30, DS),
    "a certificate that is no SEQUENCE": messages.der(0x30, messages.der_integer(1), messages.der(0x30)),
    "an empty cell": messages.der(0x30, DS, messages.der(0x30)),
    "an unknown role": a_replacement(DS, DIGITAL_SIGNATURE, role=77),
    "two key usages": a_replacement(DS, b"\x03\x88"),
    "an unknown cell usage": a_replacement(KA, KEY_AGREEMENT, cell_usage=2),
    "a cell usage that is the default": messages.der(
        0x30,
        KA,
        messages.der(0x30, messages.der_integer(2), messages.der(0x03, KEY_AGREEMENT), messages.der_integer(0)),
    ),
    "one cell twice": a_replacement(DS, DIGITAL_SIGNATURE) * 2,
}


@pytest.mark.parametrize("name", BAD_CREDENTIALS)
def test_refuses_a_replacement_that_is_not_well_formed(name: str) -> None:
    octets = a_credentials_command(BAD_CREDENTIALS[name])
    with pytest.raises(ContentMalformed) as refusal:
        decode(ContentKind.COMMAND, octets)
    assert 0 < refusal.value.offset < len(octets)
