"""The incoming Supplier's signed Service Request beside every published change of supplier (0x0107).

Without one the CoS Party may not sign (SEC G2.22B(a)), and none is published. It is composed here from the Command's
own certificates, and signed by a key made for the purpose, certified by the deployment's test authority.
Nothing of the broker's XML is used.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from keybroker.cli.dev import pki
from keybroker.terms import EntityIdentifier, RemotePartyRole
from scripts.replay_parts.cases import Asked, Case
from scripts.replay_parts.expectation import SIGNED
from scripts.replay_parts.slicing import Sliced

CHANGE_OF_SUPPLIER = 0x0107
_SR, _DS = "http://www.dccinterface.co.uk/ServiceUserGateway", "http://www.w3.org/2000/09/xmldsig#"
_ELEMENTS = ("DigitalSigningCertificate", "KeyAgreementCertificate", "KeyAgreementTopUpCertificate")


def with_service_requests(cases: Sequence[Case], directory: Path, ways: Sequence[str]) -> list[Case]:
    """The cases; those of a change of supplier with a Service Request for each way, each under a RequestID of its own.

    ``directory`` is the deployment's ``pki``.
    """
    supplier = _Supplier(directory)
    return [
        replace(case, asked={way: supplier.asks(case.sliced) for way in ways})
        if case.sliced.code == CHANGE_OF_SUPPLIER and case.expectation == SIGNED
        else case
        for case in cases
    ]


class _Supplier:
    """Whoever the replaced certificates belong to; one key signs for all."""

    def __init__(self, directory: Path) -> None:
        self._certificate = x509.load_pem_x509_certificate((directory / "issuing.pem").read_bytes())
        key = serialization.load_pem_private_key((directory / "issuing.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SystemExit("issuing.key: expected a P-256 private key")
        self._smki = pki.Smki(issuing=pki.Authority(certificate=self._certificate, private_key=key))
        self._key, self._counter = pki.new_private_key(), count(1)

    def asks(self, message: Sliced) -> Asked:
        certificates = list(_replacements(message.content))
        eui = _eui(certificates[0])
        own = pki.organisation_certificate(
            self._smki,
            self._key.public_key(),
            role=RemotePartyRole.XML_SIGN,
            eui=eui,
            common_name="REPLAY TEST",
            not_before=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1),
        )
        identifier = f"{eui}:{EntityIdentifier(message.recipient)}:{next(self._counter)}"
        signed = _signed(_service_request(identifier, certificates), self._key, own)
        return Asked(signed, (pki.certificate_der(own), pki.certificate_der(self._certificate)))


def _replacements(content: bytes) -> Iterator[bytes]:
    """The certificates of a CS02b payload, in its order (handbook 3.5)."""
    for replacement in core.SequenceOf.load(core.Sequence.load(content)[1].dump(), spec=core.Sequence):
        yield replacement[0].dump()


def _eui(certificate: bytes) -> EntityIdentifier:
    names = x509.load_der_x509_certificate(certificate).subject
    value = names.get_attributes_for_oid(x509.NameOID.X500_UNIQUE_IDENTIFIER)[0].value
    return EntityIdentifier(bytes(value)[1:] if isinstance(value, bytes) else b"")


def _service_request(identifier: str, certificates: Sequence[bytes]) -> etree._Element:
    """6.23, Update Security Credentials (CoS), without white space."""
    request = etree.Element(f"{{{_SR}}}Request", schemaVersion="5.4", nsmap={"sr": _SR, "ds": _DS})
    header = etree.SubElement(request, f"{{{_SR}}}Header")
    for name, text in (
        ("RequestID", identifier),
        ("CommandVariant", "1"),
        ("ServiceReference", "6.23"),
        ("ServiceReferenceVariant", "6.23"),
    ):
        etree.SubElement(header, f"{{{_SR}}}{name}").text = text
    body = etree.SubElement(request, f"{{{_SR}}}Body")
    change = etree.SubElement(body, f"{{{_SR}}}UpdateSecurityCredentialsCoS")
    etree.SubElement(change, f"{{{_SR}}}SupplierFloorSeqNumber").text = "0"
    wanted = etree.SubElement(change, f"{{{_SR}}}SupplierReplacementCertificates")
    for name, der in zip(_ELEMENTS, certificates, strict=False):
        etree.SubElement(wanted, f"{{{_SR}}}{name}").text = b64encode(der).decode()
    etree.SubElement(change, f"{{{_SR}}}CertificationPathCertificates")
    etree.SubElement(change, f"{{{_SR}}}ApplyTimeBasedCPVChecks").text = "true"
    etree.SubElement(change, f"{{{_SR}}}ImportMPxN").text = "1312345678333"
    return request


def _signed(request: etree._Element, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    """Handbook 4.3: inclusive canonicalisation of the document, exclusive of SignedInfo, r || s."""
    digest = b64encode(hashlib.sha256(etree.tostring(request, method="c14n")).digest()).decode()
    signature = etree.SubElement(request, f"{{{_DS}}}Signature")
    signature.append(etree.fromstring(_SIGNED_INFO.format(digest=digest)))
    octets = etree.tostring(signature[0], method="c14n", exclusive=True)
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
    value = b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    etree.SubElement(signature, f"{{{_DS}}}SignatureValue").text = value
    data = etree.SubElement(etree.SubElement(signature, f"{{{_DS}}}KeyInfo"), f"{{{_DS}}}X509Data")
    named = etree.SubElement(data, f"{{{_DS}}}X509IssuerSerial")
    etree.SubElement(named, f"{{{_DS}}}X509IssuerName").text = certificate.issuer.rfc4514_string()
    etree.SubElement(named, f"{{{_DS}}}X509SerialNumber").text = str(certificate.serial_number)
    return etree.tostring(request)


_SIGNED_INFO = (
    f'<ds:SignedInfo xmlns:ds="{_DS}">'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>'
    '<ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{_DS}enveloped-signature"/></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
