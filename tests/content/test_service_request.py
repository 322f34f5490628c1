"""DUIS documents: what is refused and where, what is read, what is signed, and that one reading is all there is."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from keybroker.content import Accompanying, decode
from keybroker.content.assembly import assemble
from keybroker.content.duis.document import read_document
from keybroker.content.duis.model import DocumentForm
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.facts import facts_of
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signed_object import signature_verifies
from keybroker.errors import ContentAlreadySigned, ContentMalformed, ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.hsm.whole_document import canonical
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier
from tests import duis, messages
from tests.duis import DECLARATION, DS, NAMESPACES, READ_SUPPLY_STATUS, SR, a_request, a_response, a_transform
from tests.situations import a_point

GOOD = a_request()
SIGNED = duis.sign(GOOD, 1, duis.a_certificate(1, "87"))
PRE_COMMAND = messages.compose_command(0x0050)
BOMB = "<!DOCTYPE r [" + '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">' + "]>"
NOTE = "<sr:Note>{}</sr:Note>"


def at(text: str, document: bytes = GOOD) -> int:
    return document.index(text.encode())


def in_body(text: str) -> bytes:
    return a_request(body=f"<sr:DisplayMessage>{text}</sr:DisplayMessage>")


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


def read(document: bytes) -> ServiceRequest:
    content = decode(ContentKind.SERVICE_REQUEST, document)
    assert isinstance(content, ServiceRequest)
    return content


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


CERTIFICATE = duis.a_certificate(1, "87")


def made(document: bytes, scalar: int = 1) -> tuple[ServiceRequest, bytes, bytes]:
    """Content, signature, and the whole that the caller gets."""
    content = read(document)
    signed_info = read_document(duis.sign(document, scalar, CERTIFICATE), signed=True).signature
    assert signed_info is not None
    assert hashlib.sha256(signed_info.signed_info).digest() == content.sha256
    signature = duis.raw_signature(scalar, signed_info.signed_info)
    return content, signature, assemble(content, (signature,), certificate=CERTIFICATE)


@pytest.mark.parametrize(
    "document",
    [
        GOOD,
        a_transform(),
        a_response(),
        in_body(NOTE.format("a &amp; b &lt;&gt;&quot;&apos; > é \t\n c")),
        in_body('<sr:a index="2" identifier="b c"/>'),
        duis.a_signed_pre_command(messages.sign_message(PRE_COMMAND, bytes(64))),
    ],
)
def test_what_is_signed_is_the_document_with_its_signature_last_and_nothing_else_changed(document: bytes) -> None:
    content, signature, whole = made(document)
    check_whole(content, (signature,), certificate=CERTIFICATE)
    assert re.sub(rb"<ds:Signature .*</ds:Signature>", b"", whole) == document
    read_back = read_document(whole, signed=True)
    assert read_back.signature is not None
    assert read_back.signature.signature == signature
    assert read_back.sha256 == content.document.sha256 == hashlib.sha256(canonical(whole)).digest()
    assert signature_verifies(a_point(1), read_back.signature.signed_info, signature)
    assert names_issuer(read_back.signature, CERTIFICATE)
    # As another library canonicalises it.
    assert canonical(document) == etree.tostring(etree.fromstring(document), method="c14n")


def test_the_certificate_is_named_as_rfc_2253_has_it() -> None:
    _, _, whole = made(GOOD)
    assert b"<ds:X509IssuerName>CN=T1,OU=07</ds:X509IssuerName>" in whole
    assert b"<ds:X509SerialNumber>8193</ds:X509SerialNumber>" in whole


def test_a_document_is_not_assembled_without_its_keys_certificate() -> None:
    content, signature, _ = made(GOOD)
    with pytest.raises(TypeError):
        assemble(content, (signature,))
    with pytest.raises(ModuleDisagrees, match="no certificate"):
        check_whole(content, (signature,))


def test_what_does_not_read_back_is_withheld() -> None:
    content, signature, _ = made(GOOD)
    other, _, _ = made(a_transform())
    with pytest.raises(ModuleDisagrees, match="cannot be read back"):
        check_whole(content, (signature[:63],), certificate=CERTIFICATE)
    mixed = ServiceRequest(
        kind=content.kind,
        octets=content.octets,
        sha256=other.sha256,
        document=content.document,
        signed_pre_command=None,
    )
    with pytest.raises(ModuleDisagrees, match="does not carry"):
        check_whole(mixed, (signature,), certificate=CERTIFICATE)
    another = ServiceRequest(
        kind=content.kind,
        octets=other.octets,
        sha256=content.sha256,
        document=content.document,
        signed_pre_command=None,
    )
    with pytest.raises(ModuleDisagrees, match="another digest"):
        check_whole(another, (signature,), certificate=CERTIFICATE)


def spoil(old: str, new: str) -> bytes:
    assert old.encode() in SIGNED
    return SIGNED.replace(old.encode(), new.encode(), 1)


_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_AS_DUIS = "SignedInfo as DUIS has it"
SIGNATURE_REFUSALS: dict[str, tuple[bytes, str]] = {
    "none": (GOOD, "exactly one ds:Signature"),
    "two": (spoil("<ds:Signature>", "<ds:Signature/><ds:Signature>"), "exactly one ds:Signature"),
    "one that is not last": (spoil("</sr:Request>", "<sr:a/></sr:Request>"), "exactly one ds:Signature"),
    "one inside another element": (
        spoil("<ds:Signature>", "<sr:a><ds:Signature>").replace(b"</ds:Signature>", b"</ds:Signature></sr:a>"),
        "exactly one ds:Signature",
    ),
    "a foreign element in it": (spoil("</ds:KeyInfo>", "<sr:a/></ds:KeyInfo>"), "exactly one ds:Signature"),
    "an object in it": (spoil("</ds:Signature>", "<ds:Object/></ds:Signature>"), "SignedInfo, SignatureValue, KeyInfo"),
    "an Id on it": (spoil("<ds:Signature>", '<ds:Signature Id="a">'), "no attribute in ds:Signature"),
    "an Id on its value": (spoil("<ds:SignatureValue>", '<ds:SignatureValue Id="a">'), "no attribute in"),
    "a document changed": (spoil(":1000<", ":1001<"), "the digest of this document"),
    "another digest": (spoil("<ds:DigestValue>", "<ds:DigestValue>A"), "the digest of this document"),
    "a Reference to a part": (spoil('URI=""', 'URI="#a"'), _AS_DUIS),
    "no URI": (spoil(' URI=""', ""), _AS_DUIS),
    "two References": (
        SIGNED.replace(
            b"</ds:SignedInfo>", re.findall(rb"<ds:Reference.*</ds:Reference>", SIGNED)[0] + b"</ds:SignedInfo>"
        ),
        _AS_DUIS,
    ),
    "a second transform": (
        spoil("</ds:Transforms>", f'<ds:Transform Algorithm="{_EXCLUSIVE}"/></ds:Transforms>'),
        _AS_DUIS,
    ),
    "no transform": (spoil("#enveloped-signature", "#base64"), _AS_DUIS),
    "another canonicalisation": (spoil(_EXCLUSIVE, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), _AS_DUIS),
    "another signature method": (spoil("ecdsa-sha256", "ecdsa-sha1"), _AS_DUIS),
    "HMAC": (spoil("ecdsa-sha256", "hmac-sha256"), _AS_DUIS),
    "another digest method": (spoil("xmlenc#sha256", "xmlenc#sha512"), _AS_DUIS),
    "a certificate in it": (
        spoil("<ds:X509IssuerSerial>", "<ds:X509Certificate>MAA=</ds:X509Certificate><ds:X509IssuerSerial>"),
        "X509IssuerSerial, in this order",
    ),
    "a key in it": (spoil("<ds:X509Data>", "<ds:KeyName>a</ds:KeyName><ds:X509Data>"), "X509Data, in this order"),
    "two serial numbers": (
        spoil("</ds:X509IssuerSerial>", "<ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>"),
        "X509SerialNumber",
    ),
    "a serial number in hexadecimal": (spoil("SerialNumber>8193", "SerialNumber>0x2001"), "in decimal"),
    "a serial number too long": (spoil("SerialNumber>8193", f"SerialNumber>{'1' * 50}"), "in decimal"),
    "an issuer too long": (spoil("CN=T1", "CN=" + "a" * 300), "at most 256 characters"),
    "a value that is no base64": (spoil("<ds:SignatureValue>", "<ds:SignatureValue>!"), "base64"),
    "a value in DER": (
        re.sub(rb"Value>[^<]*</ds:SignatureValue", b"Value>MAYCAQECAQE=</ds:SignatureValue", SIGNED),
        "64",
    ),
    "white space in it": (spoil("<ds:KeyInfo>", "\n<ds:KeyInfo>"), "white space"),
    "a comment in it": (spoil("<ds:KeyInfo>", "<!-- a --><ds:KeyInfo>"), "a comment"),
    "a carriage return outside it": (spoil(":1000<", ":1000&#13;<"), "no character reference"),
}


@pytest.mark.parametrize("name", SIGNATURE_REFUSALS)
def test_refuses_a_signature_of_another_form(name: str) -> None:
    document, told = SIGNATURE_REFUSALS[name]
    with pytest.raises(ContentMalformed, match=re.escape(told)) as refusal:
        read_document(document, signed=True)
    assert 0 <= refusal.value.offset <= len(document)


def test_reads_the_signature_of_another_software() -> None:
    lines = duis.sign(GOOD, 1, CERTIFICATE, lines=True)
    assert b"&#13;" in lines
    for signed in (SIGNED, lines):
        signature = read_document(signed, signed=True).signature
        assert signature is not None
        assert signature_verifies(a_point(1), signature.signed_info, signature.signature)
        assert names_issuer(signature, CERTIFICATE)
        assert not names_issuer(signature, duis.a_certificate(2, "87"))
    spaced = read_document(spoil("CN=T1,OU=07", "CN=T1, OU=07"), signed=True).signature
    assert spaced is not None
    assert names_issuer(spaced, CERTIFICATE)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cc", "Cs")), min_size=1)


@given(text=TEXT, counter=st.integers(0, 2**64 - 1), originator=st.binary(min_size=8, max_size=8))
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_is_read_signed_and_read_back(text: str, counter: int, originator: bytes) -> None:
    eui = EntityIdentifier(originator)
    note = etree.tostring(etree.fromstring("<a/>"), encoding="unicode")
    element = etree.fromstring(note)
    element.text = f"x{text}"
    written = etree.tostring(element, encoding="unicode")[3:-4]
    document = a_request(
        identifier=duis.an_identifier(originator=eui, counter=counter),
        body=f"<sr:DisplayMessage><sr:Note>{written}</sr:Note></sr:DisplayMessage>",
    )
    content = read(document)
    assert content.octets == document
    check_whole(content, (bytes(64),), certificate=CERTIFICATE)


@given(document=st.sampled_from([GOOD, SIGNED, a_response()]), data=st.data())
@settings(max_examples=600, deadline=None)
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
@settings(max_examples=200, deadline=None)
def test_random_octets_raise_nothing_but_content_malformed(octets: bytes) -> None:
    for signed in (True, False):
        with pytest.raises(ContentMalformed):
            read_document(octets, signed=signed)


def test_a_tag_of_many_spaces_is_refused_in_time() -> None:
    for document in (b"<a" + b" " * 200_000, b"<a" + b' b="c"' * 40_000, b"<a" * 100_000, b"<a>" + b"&amp;" * 50_000):
        with pytest.raises(ContentMalformed):
            decode(ContentKind.SERVICE_REQUEST, document)
