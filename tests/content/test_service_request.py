"""DUIS documents: what is refused and where, what is read, and that one reading is all there is."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.content.decoding import decode
from keybroker.content.duis.document import read_document
from keybroker.content.duis.model import DocumentForm
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.errors import ContentAlreadySigned, ContentMalformed
from keybroker.hsm.whole_document import canonical
from keybroker.terms import AccompanyingKind, ContentKind
from tests import duis, messages
from tests.content.duis_documents import GOOD, NOTE, PRE_COMMAND, SIGNED, in_body, read
from tests.duis import DECLARATION, DS, NAMESPACES, READ_SUPPLY_STATUS, SR, a_request, a_response, a_transform

BOMB = "<!DOCTYPE r [" + '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">' + "]>"


def signature_element(inside: str = "") -> str:
    return f'<ds:Signature xmlns:ds="{DS}">{inside}</ds:Signature>'


REFUSALS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "one root element"),
    "white space alone": (b" \n", "one root element"),
    "a DOCTYPE": (a_request(declaration=DECLARATION + "<!DOCTYPE sr:Request>"), "a DOCTYPE"),
    "an entity bomb": (a_request(declaration=DECLARATION + BOMB), "a DOCTYPE"),
    "an entity": (in_body(NOTE.format("&a;")), "five predefined"),
    "an external entity": (a_request(declaration='<!DOCTYPE r SYSTEM "file:///etc/passwd">'), "a DOCTYPE"),
    "a character reference": (in_body(NOTE.format("&#65;")), "a character reference"),
    "a reference to a carriage return": (
        in_body(NOTE.format("a&#13;b")),
        "no character reference to a carriage return",
    ),
    "the same in hexadecimal": (in_body(NOTE.format("a&#xD;b")), "no character reference to a carriage return"),
    "a carriage return": (GOOD.replace(b"?>\n", b"?>\r\n"), "lines that end in 0x0A"),
    "a comment": (in_body("<!-- now -->"), "a comment"),
    "a comment after the root": (GOOD + b"<!-- now -->", "a comment"),
    "a processing instruction": (in_body("<?run now?>"), "a processing instruction"),
    "a style sheet": (a_request(declaration=DECLARATION + '<?xml-stylesheet href="a"?>'), "a processing instruction"),
    "a CDATA section": (in_body(NOTE.format("<![CDATA[a]]>")), "a CDATA section"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "without a byte order mark"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "UTF-8, and no other encoding"),
    "UTF-16 by its declaration": (GOOD.replace(b"UTF-8", b"UTF-16"), "version 1.0 in UTF-8"),
    "Latin 1 by its declaration": (GOOD.replace(b"UTF-8", b"ISO-8859-1"), "version 1.0 in UTF-8"),
    "mixed encodings": (in_body(NOTE.format("é")).replace("é".encode(), b"\xe9"), "found 0xE9"),
    "an octet too long for its character": (in_body(NOTE.format("é")).replace("é".encode(), b"\xc0\xaf"), "UTF-8"),
    "XML 1.1": (GOOD.replace(b"1.0", b"1.1", 1), "version 1.0 in UTF-8"),
    "a declaration after a space": (b" " + GOOD, "at the beginning"),
    "a control character": (in_body(NOTE.format("\x01")), "XML 1.0 with namespaces"),
    "white space between elements": (GOOD.replace(b"<sr:Body>", b"\n  <sr:Body>"), "keybroker.client.duis"),
    "white space alone in an element": (
        a_request(body="<sr:ReadSupplyStatus> </sr:ReadSupplyStatus>"),
        "verify strip it",
    ),
    "text beside elements": (GOOD.replace(b"<sr:Body>", b"now<sr:Body>"), "text or elements"),
    "text before an element": (GOOD.replace(b"<sr:Body>", b"<sr:Body>now"), "text or elements"),
    "text after the root": (GOOD + b"now", "one root element"),
    "a second root": (GOOD + b"<sr:Request/>", "one too many"),
    "an end that is missing": (GOOD[:-13], "an end tag"),
    "another end": (GOOD[:-13] + b"</sr:Response>", "well formed"),
    "a tag that is cut": (GOOD[:-1], "not well formed"),
    "an attribute twice": (GOOD.replace(b"schemaVersion", b'schemaVersion="5.4" schemaVersion'), "well formed"),
    "an attribute without a value": (GOOD.replace(b' schemaVersion="5.4"', b" schemaVersion"), "not well formed"),
    "an entity in an attribute": (GOOD.replace(b'"5.4"', b'"5&quot;4"'), "not well formed"),
    "too deep": (in_body("<sr:a>" * 40 + "</sr:a>" * 40), "32 deep"),
    "too long": (in_body(NOTE.format("a" * 300_000)), "262144"),
    "a prefix that is not declared": (in_body("<other:a/>"), "well formed"),
    "another root": (
        GOOD.replace(b"sr:Request ", b"sr:Order ").replace(b"/sr:Request>", b"/sr:Order>"),
        "a Request or",
    ),
    "another's document": (
        GOOD.replace(b"sr:Request ", b"sr:S1SPAlert ").replace(b"/sr:Request>", b"/sr:S1SPAlert>"),
        "SMETS1 Service Provider",
    ),
    "another namespace": (GOOD.replace(SR.encode(), b"urn:other"), "the namespaces of DUIS"),
    "a foreign namespace": (a_request(namespaces=f'{NAMESPACES} xmlns:o="urn:other"'), "o for urn:other"),
    "a prefix for another namespace": (a_request(namespaces=f'xmlns:sr="{SR}" xmlns:ds="{SR}"'), "ds for"),
    "a namespace below the root": (in_body(f'<sr:a xmlns:sr="{SR}x"/>'), "of the DUIS namespace"),
    "the same prefix declared anew": (in_body(f'<o:a xmlns:o="{SR}"/>'), "on the root alone"),
    "a default namespace below the root": (in_body('<a xmlns="urn:other"/>'), "of the DUIS namespace"),
    "no namespace": (in_body("<a/>"), "of the DUIS namespace"),
    "an element of XML Signature": (in_body("<ds:KeyInfo/>"), "ds:KeyInfo"),
    "an id": (in_body('<sr:a Id="1"/>'), "no attribute but"),
    "a duplicate id": (in_body('<sr:a Id="1"/><sr:a Id="1"/>'), "found Id"),
    "xml:id": (in_body('<sr:a xml:id="a"/>'), "no attribute but"),
    "xsi:type": (in_body('<sr:a xsi:type="b"/>'), "no attribute but"),
    "xml:space": (in_body('<sr:a xml:space="preserve"/>'), "no attribute but"),
    "an id on the root": (GOOD.replace(b"schemaVersion", b'ID="a" schemaVersion'), "found ID"),
    "a document in a document": (in_body(GOOD.decode().removeprefix(DECLARATION)), "found schemaVersion"),
    "no version": (GOOD.replace(b' schemaVersion="5.4"', b""), "schemaVersion"),
    "no version that is one": (a_request(version="five"), "schemaVersion"),
    "no Header": (f'<sr:Request {NAMESPACES} schemaVersion="5.4"></sr:Request>'.encode(), "Header, Body"),
    "an empty root": (f'<sr:Request {NAMESPACES} schemaVersion="5.4"/>'.encode(), "Header, Body"),
    "two Bodies": (GOOD.replace(b"</sr:Request>", b"<sr:Body/></sr:Request>"), "Header, Body"),
    "two requests in the Body": (a_request(body=READ_SUPPLY_STATUS * 2), "one element in Body"),
    "an empty Body": (a_request(body=""), "one element in Body"),
    "text in the Body": (a_request(body="now"), "one element in Body"),
    "two RequestIDs": (a_request(further=f"<sr:RequestID>{duis.an_identifier()}</sr:RequestID>"), "RequestID, First"),
    "a Header in another order": (a_request(further="<sr:ServiceReference>7.4</sr:ServiceReference>"), "in this order"),
    "no RequestID": (a_request(identifier=""), "text in RequestID"),
    "elements in the RequestID": (a_request(identifier="<sr:a/>"), "text in RequestID"),
    "an EUI of 7 octets": (a_request(identifier=duis.an_identifier()[3:]), "8 pairs"),
    "a counter with leading zeros": (a_request(identifier=f"{duis.SUPPLIER}:{duis.DEVICE}:01"), "8 pairs"),
    "a counter of 65 bits": (a_request(identifier=duis.an_identifier(counter=1 << 64)), "64 bits"),
    "a RequestID with a space": (a_request(identifier=duis.an_identifier() + " "), "8 pairs"),
    "digits of another script": (a_request(identifier=f"{duis.SUPPLIER}:{duis.DEVICE}:\u0661"), "8 pairs"),
    "a preceding RequestID that is none": (
        a_request(further="<sr:PrecedingServiceRequestID>a</sr:PrecedingServiceRequestID>"),
        "8 pairs",
    ),
    "Command Variant 9": (a_request(command_variant=9), "from 1 to 8"),
    "no Command Variant": (a_request(command_variant="one"), "from 1 to 8"),
    "a Service Reference in words": (a_request(reference="seven"), "full stops in ServiceReference"),
    "a variant in words": (a_request(variant="seven"), "full stops in ServiceReferenceVariant"),
    "a payload that is no base64": (
        a_request(body="<sr:SignedPreCommand><sr:GBCSPayload>!</sr:GBCSPayload></sr:SignedPreCommand>"),
        "base64 in GBCSPayload",
    ),
    "a payload in another base64": (
        a_request(body="<sr:SignedPreCommand><sr:GBCSPayload>AB==</sr:GBCSPayload></sr:SignedPreCommand>"),
        "written in another way",
    ),
    "no payload": (a_request(body="<sr:SignedPreCommand/>"), "GBCSPayload"),
    "a payload that is no Command": (duis.a_signed_pre_command(b"now"), "a Signed Pre-Command in GBCSPayload"),
    "a payload that is not signed": (duis.a_signed_pre_command(PRE_COMMAND), "a Signed Pre-Command in GBCSPayload"),
    "a payload with a null signature": (duis.a_signed_pre_command(PRE_COMMAND + b"\0"), "a Signed Pre-Command in"),
    "a payload signed after a null signature": (
        duis.a_signed_pre_command(messages.sign_message(PRE_COMMAND + b"\0", bytes(64))),
        "0x40 and a signature",
    ),
    "a payload with a MAC": (duis.a_signed_pre_command(b"\xdd" + bytes(90)), "general-ciphering"),
    "no certificates for the CoS Party": (duis.a_change_of_supplier({}), "DigitalSigningCertificate"),
    "certificates in another order": (
        duis.a_change_of_supplier({"KeyAgreementCertificate": b"0", "DigitalSigningCertificate": b"0"}),
        "in this order",
    ),
    "a Response with another Body": (a_response(body="Answer"), "found Answer"),
    "a Response Code of words": (a_response(code="it went well"), "a Response Code"),
    "a ResponseID that is none": (a_response(response="a"), "8 pairs"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refuses(name: str) -> None:
    document, told = REFUSALS[name]
    with pytest.raises(ContentMalformed, match=re.escape(told)) as refusal:
        decode(ContentKind.SERVICE_REQUEST, document)
    assert 0 <= refusal.value.offset <= len(document)


ALREADY_SIGNED = {
    "a signature": SIGNED,
    "an empty signature": a_request(after_body="<ds:Signature/>"),
    "a signature first": GOOD.replace(b"<sr:Header>", b"<ds:Signature/><sr:Header>"),
    "a signature in the Body": in_body(signature_element()),
}


@pytest.mark.parametrize("name", ALREADY_SIGNED)
def test_refuses_what_is_signed_already(name: str) -> None:
    with pytest.raises(ContentAlreadySigned, match="not signed yet") as refusal:
        decode(ContentKind.SERVICE_REQUEST, ALREADY_SIGNED[name])
    assert refusal.value.offset == ALREADY_SIGNED[name].index(b"<ds:Signature")


OFFSETS = {
    "<!DOCTYPE": a_request(declaration=DECLARATION + "<!DOCTYPE sr:Request>"),
    "&#13;": in_body(NOTE.format("a&#13;b")),
    "\n  <sr:Body>": GOOD.replace(b"<sr:Body>", b"\n  <sr:Body>"),
    "<sr:RequestID>": a_request(identifier="a"),
    "<sr:CommandVariant>": a_request(command_variant=0),
    '<sr:a Id="1"': in_body('<sr:a index="1"/><sr:a Id="1"/>'),
}


@pytest.mark.parametrize("what", OFFSETS)
def test_a_refusal_tells_the_octet(what: str) -> None:
    with pytest.raises(ContentMalformed) as refusal:
        decode(ContentKind.SERVICE_REQUEST, OFFSETS[what])
    assert refusal.value.offset == OFFSETS[what].index(what.encode())


def test_refuses_what_accompanies_a_document_that_needs_nothing() -> None:
    beside = Accompanying(kind=AccompanyingKind.ORIGINATOR_CERTIFICATE, octets=b"0")
    with pytest.raises(ContentMalformed, match="nothing beside it"):
        decode(ContentKind.SERVICE_REQUEST, GOOD, (beside,))
    other = Accompanying(kind=AccompanyingKind.DEVICE_CERTIFICATE, octets=b"0")
    payload = messages.sign_message(PRE_COMMAND, bytes(64))
    with pytest.raises(ContentMalformed, match="originator's certificates"):
        decode(ContentKind.SERVICE_REQUEST, duis.a_signed_pre_command(payload), (other,))


def test_reads_a_service_request() -> None:
    document = read(a_transform()).document
    assert document.form is DocumentForm.SERVICE_REQUEST
    assert document.request_identifier is not None
    assert str(document.request_identifier) == duis.an_identifier()
    assert document.request_identifier.octets == duis.SUPPLIER.octets + duis.DEVICE.octets + (1_000).to_bytes(8, "big")
    assert (document.command_variant, document.service_reference_variant) == (4, "7.2")
    assert document.body_element == "DisableSupply"


def test_reads_the_gbcs_message_in_a_signed_pre_command() -> None:
    content = read(duis.a_signed_pre_command(messages.sign_message(PRE_COMMAND, bytes(range(64)))))
    assert content.signed_pre_command is not None
    assert content.signed_pre_command.command.message == PRE_COMMAND
    assert content.signed_pre_command.signature == bytes(range(64))
    facts = facts_of(content)
    assert (facts["form"], facts["code"], facts["counter"]) == ("signed-pre-command", "0x0050", "1000")


def test_reads_a_response() -> None:
    document = read(a_response(response=f"{duis.DEVICE}:{duis.SUPPLIER}:1000")).document
    assert (str(document.request_identifier), str(document.response_identifier)) == (
        duis.an_identifier(),
        f"{duis.DEVICE}:{duis.SUPPLIER}:1000",
    )
    assert (document.form, document.response_code) == (DocumentForm.RESPONSE, "I0")
    assert read(a_response(request=None)).document.request_identifier is None


def test_reads_documents_written_in_other_ways_that_mean_the_same() -> None:
    ways = [
        GOOD,
        a_request(declaration=""),
        a_request(declaration="<?xml version='1.0' encoding='utf-8' standalone='no'?>"),
        a_request(body="<sr:ReadSupplyStatus/>"),
        a_request(body="<sr:ReadSupplyStatus  />"),
        GOOD.replace(b'"5.4"', b"'5.4'") + b"\n",
    ]
    assert len({read(each).sha256 for each in ways}) == 1


def test_the_default_namespace_may_be_that_of_duis() -> None:
    document = GOOD.replace(b"sr:", b"").replace(b"xmlns:=", b"xmlns=").replace(b"xmlns:xsi", b"xmlns:xsi")
    document = GOOD.replace(b"<sr:", b"<").replace(b"</sr:", b"</").replace(b"xmlns:sr=", b"xmlns=")
    assert read(document).document.body_element == "ReadSupplyStatus"


@given(document=st.sampled_from([GOOD, SIGNED, a_response()]), data=st.data())
@settings(max_examples=600)
def test_a_document_with_one_octet_changed_is_read_as_another_or_refused(document: bytes, data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(document) - 1))
    changed = document[:where] + bytes([data.draw(st.integers(0, 255))]) + document[where + 1 :]
    signed = document is SIGNED
    try:
        found = read_document(changed, signed=signed)
    except ContentMalformed:
        return
    if signed and changed != document:
        # Only what is not signed can differ: KeyInfo, the value, or octets that mean the same.
        assert found.sha256 == read_document(SIGNED, signed=True).sha256
    assert hashlib.sha256(canonical(changed)).digest() == found.sha256


@pytest.mark.parametrize("length", range(0, len(GOOD), 7))
def test_a_document_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ContentMalformed):
        decode(ContentKind.SERVICE_REQUEST, GOOD[:length])


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_random_octets_raise_nothing_but_content_malformed(octets: bytes) -> None:
    for signed in (True, False):
        with pytest.raises(ContentMalformed):
            read_document(octets, signed=signed)


def test_a_tag_of_many_spaces_is_refused_in_time() -> None:
    for document in (b"<a" + b" " * 200_000, b"<a" + b' b="c"' * 40_000, b"<a" * 100_000, b"<a>" + b"&amp;" * 50_000):
        with pytest.raises(ContentMalformed):
            decode(ContentKind.SERVICE_REQUEST, document)
