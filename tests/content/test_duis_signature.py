"""DUIS documents signed: what is signed, which signature is of another form, and that the whole reads back."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from keybroker.content.assembly import assemble
from keybroker.content.duis.document import read_document
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signed_object import signature_verifies
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.hsm.whole_document import canonical
from keybroker.terms import EntityIdentifier
from tests import duis, messages
from tests.content.duis_documents import CERTIFICATE, GOOD, NOTE, PRE_COMMAND, SIGNED, in_body, read
from tests.duis import a_request, a_response, a_transform
from tests.situations import a_point


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
@settings(max_examples=150)
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
