"""How does a DUIS document carry its signature? The one form of XML Signature that there is, made and read.

Enveloped, last in the root; the Reference digest over Canonical XML 1.0 (inclusive, for no canonicalisation follows the
enveloped-signature transform), SignedInfo in Exclusive XML Canonicalization; ecdsa-sha256 with r || s; the certificate
named by issuer and serial. SignedInfo is the same for every document but for its digest: so what is signed is known
before the key is, and what came signed is compared with it octet for octet. KeyInfo is not signed. Sources: handbook
4.3; XML Signature sections 4.4, 6.6.4; RFC 4051 section 2.3.6; RFC 2253.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from xml.sax.saxutils import escape

from cryptography import x509
from lxml import etree

from keybroker.content.duis.model import XML_SIGNATURE, XmlSignature
from keybroker.content.duis.tree import Tree, local_name
from keybroker.errors import ContentMalformed

_SOURCE = "XML Signature of DUIS, handbook 4.3"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_SIGNATURE_OCTETS = 64
_LONGEST_ISSUER = 256
_LONGEST_SERIAL = 49  # decimal digits of 20 octets


def signed_info(document_sha256: bytes) -> bytes:
    """SignedInfo in its canonical octets: what is hashed with SHA-256 and signed."""
    return (
        f'<ds:SignedInfo xmlns:ds="{XML_SIGNATURE}">'
        f'<ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{_ECDSA_SHA256}"></ds:SignatureMethod>'
        f'<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{_ENVELOPED}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{b64encode(document_sha256).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    ).encode()


def envelop(octets: bytes, root_end: int, document_sha256: bytes, signature: bytes, certificate: bytes) -> bytes:
    """The document with its signature before ``root_end``, else as it came. ``certificate`` in DER is named in KeyInfo.

    Raises: ValueError for octets that are no certificate.
    """
    stated = x509.load_der_x509_certificate(certificate)
    issuer, serial = escape(stated.issuer.rfc4514_string()), stated.serial_number
    element = (
        f'<ds:Signature xmlns:ds="{XML_SIGNATURE}">'.encode()
        + signed_info(document_sha256)
        + f"<ds:SignatureValue>{b64encode(signature).decode()}</ds:SignatureValue>"
        "<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial>"
        f"<ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{serial}</ds:X509SerialNumber>"
        "</ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo></ds:Signature>".encode()
    )
    return octets[:root_end] + element + octets[root_end:]


def names_issuer(signature: XmlSignature, certificate: bytes) -> bool:
    """Does KeyInfo name this certificate (DER)? Spaces after its commas do not matter (RFC 2253 section 4)."""
    stated = x509.load_der_x509_certificate(certificate)
    return (
        _without_spaces(signature.issuer) == _without_spaces(stated.issuer.rfc4514_string())
        and signature.serial == stated.serial_number
    )


def _without_spaces(name: str) -> str:
    """A name without the spaces around its commas; those that a value itself has there go on both sides alike."""
    return ",".join(part.strip() for part in name.split(","))


def read_signature(tree: Tree, document_sha256: bytes) -> XmlSignature | None:
    """What ``tree.signature`` says, if it stands; its digest is that of the document. Nothing is verified.

    Raises: ContentMalformed.
    """
    element = tree.signature
    if element is None:
        return None
    _check_attributes(tree, element)
    parts = tree.sequence(element, "SignedInfo!", "SignatureValue!", "KeyInfo!")
    found = etree.tostring(parts["SignedInfo"], method="c14n", exclusive=True, with_comments=False)
    wanted = signed_info(document_sha256)
    if found != wanted:
        raise _wrong_signed_info(tree, parts["SignedInfo"], found, document_sha256)
    data = tree.sequence(tree.sequence(parts["KeyInfo"], "X509Data!")["X509Data"], "X509IssuerSerial!")
    names = tree.sequence(data["X509IssuerSerial"], "X509IssuerName!", "X509SerialNumber!")
    issuer, serial = tree.text(names["X509IssuerName"]), tree.text(names["X509SerialNumber"])
    if len(issuer) > _LONGEST_ISSUER:
        raise tree.malformed(names["X509IssuerName"], f"at most {_LONGEST_ISSUER} characters", f"{len(issuer)}")
    if not (serial.isascii() and serial.isdigit() and len(serial) <= _LONGEST_SERIAL):
        raise tree.malformed(names["X509SerialNumber"], "a serial number in decimal", serial[:60])
    return XmlSignature(
        signed_info=found,
        signature=_read_value(tree, parts["SignatureValue"]),
        issuer=issuer,
        serial=int(serial),
    )


def _check_attributes(tree: Tree, signature: etree._Element) -> None:
    """No Id, and no other attribute than SignedInfo's, which are compared as they stand."""
    for element in signature.iter():
        inside_signed_info = any(local_name(each) == "SignedInfo" for each in (element, *element.iterancestors()))
        if element.attrib and not inside_signed_info:
            raise tree.malformed(element, f"no attribute in ds:{local_name(element)}", str(next(iter(element.attrib))))


def _wrong_signed_info(tree: Tree, element: etree._Element, found: bytes, document_sha256: bytes) -> ContentMalformed:
    digests = [each for each in element.iter() if local_name(each) == "DigestValue"]
    stated = (digests[0].text or "") if len(digests) == 1 else ""
    if stated != b64encode(document_sha256).decode() and found == _with_digest(document_sha256, stated):
        return ContentMalformed(
            offset=tree.offsets[digests[0]],
            expected=f"the digest of this document, {b64encode(document_sha256).decode()}",
            found=stated[:60] or "nothing",
            source=_SOURCE,
        )
    return ContentMalformed(
        offset=tree.offsets[element],
        expected="SignedInfo as DUIS has it: exclusive canonicalisation, ecdsa-sha256, sha256, and one Reference, to"
        " the whole document, with the enveloped-signature transform alone",
        found="another",
        source=_SOURCE,
    )


def _with_digest(document_sha256: bytes, stated: str) -> bytes:
    right, other = b64encode(document_sha256), escape(stated).encode()
    return signed_info(document_sha256).replace(right, other)


def _read_value(tree: Tree, element: etree._Element) -> bytes:
    """Base64, in lines or not (Java breaks them with carriage returns): 64 octets r || s."""
    text = tree.base64_text(element)
    try:
        value = b64decode(text, validate=True)
    except ValueError as error:
        raise tree.malformed(element, "base64", "something else") from error
    if len(value) != _SIGNATURE_OCTETS or b64encode(value).decode() != text:
        raise tree.malformed(element, f"{_SIGNATURE_OCTETS} octets r || s in base64", f"{len(value)} octets")
    return value


def signature_sha256(document_sha256: bytes) -> bytes:
    """The digest that is signed: SHA-256 of SignedInfo."""
    return sha256(signed_info(document_sha256)).digest()
