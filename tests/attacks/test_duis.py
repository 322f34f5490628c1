"""Attacks on what signs DUIS XML, and on what is signed because of it: each was tried, and must stay refused."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from keybroker.content.decoding import decode
from keybroker.content.duis.document import read_document
from keybroker.content.service_request import ServiceRequest
from keybroker.errors import ContentMalformed
from keybroker.hsm.whole_document import check_document
from keybroker.policy.model import Situation
from keybroker.policy.rules import cos
from keybroker.policy.trust import Anchor, Trust
from keybroker.terms import ContentKind, DeploymentKind, Finding, Operation
from tests import duis, lists
from tests.policy import authorities, chains, xml_signing

GOOD = duis.a_request()
XML = "http://www.w3.org/XML/1998/namespace"
PAYLOAD = xml_signing.a_signed_pre_command()
SIGNATURE = bytes(range(64))


def decoded(octets: bytes) -> ServiceRequest:
    content = decode(ContentKind.SERVICE_REQUEST, octets, ())
    assert isinstance(content, ServiceRequest)
    return content


def declaring(declaration: str, element: bytes = b"<sr:Header>") -> bytes:
    return GOOD.replace(element, element[:-1] + f" {declaration}>".encode())


# What no canonical form keeps was signed, found different by the second parser, and withheld: after the key was used.
ONCE_MORE = {
    "the prefix that is used": declaring(f'xmlns:sr="{duis.SR}"'),
    "another that the root has": declaring(f'xmlns:ds="{duis.DS}"', b"<sr:RequestID>"),
    "in an empty element": duis.a_request(body=f'<sr:ReadSupplyStatus  xmlns:sr = "{duis.SR}"/>'),
    "in single quotes, after a line end": declaring(f"\n\txmlns:sr='{duis.SR}'"),
    "xml on the root": duis.a_request(namespaces=f'{duis.NAMESPACES} xmlns:xml="{XML}"'),
    "xml below the root": declaring(f'xmlns:xml="{XML}"'),
}


@pytest.mark.parametrize("octets", ONCE_MORE.values(), ids=ONCE_MORE)
def test_a_namespace_that_is_declared_once_more_never_reaches_the_key(octets: bytes) -> None:
    with pytest.raises(ContentMalformed, match="declar"):
        decoded(octets)


def test_an_attribute_value_that_looks_like_a_declaration_is_one_value() -> None:
    octets = duis.a_request(body="<sr:ReadSupplyStatus index=\" xmlns:xml='a' \"></sr:ReadSupplyStatus>")
    check_document(decoded(octets), SIGNATURE, duis.a_certificate(41, "87"))


@pytest.mark.parametrize("space", ["\u00a0", "\u0085", "\u2028", "\u3000", "\u2003"])
def test_base64_is_broken_by_the_white_space_of_xml_alone(space: str) -> None:
    text = b64encode(PAYLOAD).decode()
    good, spoilt = (
        duis.a_signed_pre_command(PAYLOAD).replace(text.encode(), each.encode())
        for each in (f"{text[:76]}\n{text[76:]}", f"{text[:76]}{space}{text[76:]}")
    )
    assert decoded(good).signed_pre_command is not None
    with pytest.raises(ContentMalformed, match="base64 in GBCSPayload"):
        decoded(spoilt)


@pytest.mark.parametrize("name", ["SMKI, Test", "SMKI ", " SMKI", "a\\, b", 'a "b"', "a+b;c#d", "a & <b>"])
def test_a_certificate_whose_issuer_has_commas_or_spaces_is_named_and_found_named(name: str) -> None:
    issuer = chains.name((chains.OU, "07", chains.UTF8), (chains.CN, name, chains.UTF8))
    check_document(decoded(GOOD), SIGNATURE, duis.a_certificate(41, "87", issuer=issuer))


ELSEWHERE = {
    "a Signature in the Body": duis.a_request(body="<sr:ReadSupplyStatus><ds:Signature/></sr:ReadSupplyStatus>"),
    "an Object that holds the document": duis.a_request(after_body=f"<ds:Object>{duis.READ_SUPPLY_STATUS}</ds:Object>"),
    "a second RequestID": duis.a_request(further=f"<sr:RequestID>{duis.an_identifier()}</sr:RequestID>"),
    "a second RequestID without prefix": duis.a_request(
        namespaces=f'xmlns="{duis.SR}" {duis.NAMESPACES}', further=f"<RequestID>{duis.an_identifier()}</RequestID>"
    ),
    "a second Body": GOOD.replace(b"</sr:Request>", b"<sr:Body><sr:DisableSupply/></sr:Body></sr:Request>"),
    "a default namespace undeclared": duis.a_request(namespaces=f'xmlns="{duis.SR}" {duis.NAMESPACES}').replace(
        b"<sr:Header>", b'<sr:Header xmlns="">'
    ),
    "xml:lang": duis.a_request(namespaces=f'{duis.NAMESPACES} xml:lang="en"'),
    "xml:id": declaring('xml:id="a"'),
    "XML 1.1": duis.a_request(declaration='<?xml version="1.1"?>'),
    "another encoding stated": duis.a_request(declaration='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    "a counter with a leading zero": duis.a_request(identifier=f"{duis.SUPPLIER}:{duis.DEVICE}:01"),
    "a counter in Arabic digits": duis.a_request(identifier=f"{duis.SUPPLIER}:{duis.DEVICE}:\u0661"),
    "a payload with an octet more": duis.a_signed_pre_command(PAYLOAD + b"\x00"),
    "a payload with two signatures": duis.a_signed_pre_command(PAYLOAD + PAYLOAD[-65:]),
}


@pytest.mark.parametrize("octets", ELSEWHERE.values(), ids=ELSEWHERE)
def test_wrapping_and_second_readings_are_refused(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        decoded(octets)


@pytest.mark.parametrize(
    "character", ["\u0085", "\u2028", "\u00a0", "\u202e", "\ufdd0", "\U0010ffff", "&quot;&gt;", "é"]
)
def test_what_readers_might_normalise_has_one_digest_for_both_parsers(character: str) -> None:
    octets = duis.a_request(body=f"<sr:ReadSupplyStatus><sr:A>a{character}b</sr:A></sr:ReadSupplyStatus>")
    check_document(decoded(octets), SIGNATURE, duis.a_certificate(41, "87"))


def test_a_signature_over_another_document_is_not_this_ones() -> None:
    chain = xml_signing.INCOMING_CHAIN
    signed = duis.sign(GOOD, xml_signing.INCOMING_KEY, chain[0])
    with pytest.raises(ContentMalformed, match="the digest of this document"):
        read_document(signed.replace(b":1000<", b":1001<"), signed=True)


SELF_MADE = {
    name: duis.a_certificate(51, "02", xml_signing.INCOMING, signer=chains.a_private_key(51), usage=usage)
    for name, usage in (
        ("DigitalSigningCertificate", chains.usage("digital_signature")),
        ("KeyAgreementCertificate", chains.usage("key_agreement")),
    )
}


def live() -> Situation:
    anchors = tuple(Anchor(der=each.der, test=False) for each in authorities.ANCHORS)
    trust = Trust(organisation=anchors, lists=authorities.a_trust().lists)
    situation = xml_signing.a_situation(Operation.SIGN_COMMAND)
    return replace(situation, deployment=DeploymentKind.LIVE, trust=trust)


def change_to(certificates: dict[str, bytes], situation: Situation) -> Finding:
    """What the rule says of a change of supplier that the User of the RequestID asked for and signed."""
    request = xml_signing.signed_by_incoming(xml_signing.a_change_of_supplier(certificates=certificates))
    octets = xml_signing.a_credentials_command(*xml_signing.replacements_for(certificates))
    command = xml_signing.an_accompanied(octets, request, *xml_signing.INCOMING_CHAIN)
    found = {finding.rule: finding for finding in cos.findings(command, situation)}
    return found[cos.CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.name]


def test_a_user_that_writes_a_suppliers_certificate_itself_gets_no_change_of_supplier() -> None:
    assert change_to(xml_signing.supplier_certificates(), live()).passed
    finding = change_to(SELF_MADE, live())
    assert not finding.passed
    assert "certificate" in finding.found


def test_a_suppliers_revoked_certificate_is_put_on_no_device() -> None:
    trust = authorities.a_trust(crl=lists.a_list(entries=(lists.entry(0x2000 + 52),)))
    situation = live()
    situation = replace(situation, trust=replace(situation.trust, lists=trust.lists))
    assert "revoked" in change_to(xml_signing.supplier_certificates(), situation).found


def test_a_test_deployment_says_that_it_did_not_rely_on_the_suppliers_certificates() -> None:
    situation = xml_signing.a_situation(Operation.SIGN_COMMAND)
    assert "not relied on in this test deployment" in change_to(SELF_MADE, situation).found
    assert "not relied on" not in change_to(xml_signing.supplier_certificates(), situation).found
