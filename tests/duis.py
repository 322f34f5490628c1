"""DUIS documents for tests, composed and signed by code that shares nothing with ``keybroker.content`` (handbook 4).

``a_request()`` is a whole good Service Request; every part can be given, and given wrong. ``sign`` makes the signature
as another party's software would: with lxml, the tree written anew.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from keybroker.terms import EntityIdentifier
from tests import messages
from tests.policy import chains

SR = "http://www.dccinterface.co.uk/ServiceUserGateway"
DS = "http://www.w3.org/2000/09/xmldsig#"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACES = f'xmlns:ds="{DS}" xmlns:sr="{SR}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
SUPPLIER, DEVICE = messages.SUPPLIER, messages.DEVICE
READ_SUPPLY_STATUS = "<sr:ReadSupplyStatus></sr:ReadSupplyStatus>"


def an_identifier(
    originator: EntityIdentifier = SUPPLIER, target: EntityIdentifier = DEVICE, counter: int = 1_000
) -> str:
    return f"{originator}:{target}:{counter}"


def a_request(
    variant: str = "7.4",
    *,
    reference: str = "7.4",
    command_variant: int | str = 1,
    body: str = READ_SUPPLY_STATUS,
    identifier: str = an_identifier(),
    further: str = "",
    declaration: str = DECLARATION,
    namespaces: str = NAMESPACES,
    version: str = "5.4",
    after_body: str = "",
) -> bytes:
    """A Request; ``further`` goes after the RequestID, ``after_body`` before the end tag of the root."""
    return (
        f'{declaration}<sr:Request {namespaces} schemaVersion="{version}"><sr:Header>'
        f"<sr:RequestID>{identifier}</sr:RequestID>{further}<sr:CommandVariant>{command_variant}</sr:CommandVariant>"
        f"<sr:ServiceReference>{reference}</sr:ServiceReference>"
        f"<sr:ServiceReferenceVariant>{variant}</sr:ServiceReferenceVariant></sr:Header>"
        f"<sr:Body>{body}</sr:Body>{after_body}</sr:Request>"
    ).encode()


def a_transform(**changes: Any) -> bytes:
    """A critical Service Request that is to be transformed: 7.2, Disable Supply (0x0050)."""
    wanted: dict[str, Any] = {"variant": "7.2", "reference": "7.2", "command_variant": 4, "body": "<sr:DisableSupply/>"}
    return a_request(**(wanted | changes))


def a_signed_pre_command(payload: bytes, **changes: Any) -> bytes:
    """The Request that carries ``payload``, a Signed Pre-Command of 7.2."""
    body = f"<sr:SignedPreCommand><sr:GBCSPayload>{b64encode(payload).decode()}</sr:GBCSPayload></sr:SignedPreCommand>"
    wanted: dict[str, Any] = {"variant": "7.2", "reference": "7.2", "command_variant": 5, "body": body}
    return a_request(**(wanted | changes))


def a_change_of_supplier(certificates: dict[str, bytes], **changes: Any) -> bytes:
    """6.23, Update Security Credentials (CoS), for certificates by the names of their elements."""
    inside = "".join(f"<sr:{name}>{b64encode(der).decode()}</sr:{name}>" for name, der in certificates.items())
    body = (
        "<sr:UpdateSecurityCredentialsCoS><sr:SupplierFloorSeqNumber>0</sr:SupplierFloorSeqNumber>"
        f"<sr:SupplierReplacementCertificates>{inside}</sr:SupplierReplacementCertificates>"
        "<sr:CertificationPathCertificates><sr:Certificate>MAA=</sr:Certificate></sr:CertificationPathCertificates>"
        "<sr:ApplyTimeBasedCPVChecks>true</sr:ApplyTimeBasedCPVChecks><sr:ImportMPxN>1312345678333</sr:ImportMPxN>"
        "</sr:UpdateSecurityCredentialsCoS>"
    )
    wanted: dict[str, Any] = {"variant": "6.23", "reference": "6.23", "command_variant": 1, "body": body}
    return a_request(**(wanted | changes))


def a_response(
    *,
    request: str | None = an_identifier(),
    response: str | None = None,
    body: str = "ResponseMessage",
    code: str = "I0",
) -> bytes:
    """A Response of the DCC, with the identifiers that are given."""
    identifiers = (f"<sr:RequestID>{request}</sr:RequestID>" if request else "") + (
        f"<sr:ResponseID>{response}</sr:ResponseID>" if response else ""
    )
    return (
        f'{DECLARATION}<sr:Response {NAMESPACES} schemaVersion="5.4"><sr:Header>{identifiers}'
        f"<sr:ResponseCode>{code}</sr:ResponseCode><sr:ResponseDateTime>2026-01-15T12:00:00.00Z</sr:ResponseDateTime>"
        f"</sr:Header><sr:Body><sr:{body}><sr:ServiceReference>7.4</sr:ServiceReference></sr:{body}></sr:Body></sr:Response>"
    ).encode()


def a_certificate(scalar: int, ou: str, eui: EntityIdentifier = SUPPLIER, **changes: Any) -> bytes:
    """An Organisation Certificate of the role under the test Issuing OCA, for digitalSignature by default."""
    subject = chains.name((chains.OU, ou, chains.UTF8), (chains.UID, b"\x00" + eui.octets, chains.BITS))
    public_key = chains.a_private_key(scalar).public_key()
    wanted: dict[str, Any] = {"subject": subject, "public_key": public_key, "serial": 0x2000 + scalar}
    return chains.Plan(**(wanted | changes)).make()


def raw_signature(scalar: int, message: bytes) -> bytes:
    """r || s by the key of the scalar."""
    r, s = decode_dss_signature(chains.a_private_key(scalar).sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign(document: bytes, scalar: int, certificate: bytes, *, lines: bool = False) -> bytes:
    """The document signed by the key of the scalar, as handbook 4.3 has it. ``lines``: base64 as Java breaks it."""
    root = etree.fromstring(document)
    digest = b64encode(hashlib.sha256(etree.tostring(root, method="c14n")).digest()).decode()
    signature = etree.SubElement(root, f"{{{DS}}}Signature", nsmap={"ds": DS})
    info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
    _algorithm(info, "CanonicalizationMethod", "http://www.w3.org/2001/10/xml-exc-c14n#")
    _algorithm(info, "SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
    reference = etree.SubElement(info, f"{{{DS}}}Reference", URI="")
    transforms = etree.SubElement(reference, f"{{{DS}}}Transforms")
    _algorithm(transforms, "Transform", f"{DS}enveloped-signature")
    _algorithm(reference, "DigestMethod", "http://www.w3.org/2001/04/xmlenc#sha256")
    etree.SubElement(reference, f"{{{DS}}}DigestValue").text = digest
    value = b64encode(raw_signature(scalar, etree.tostring(info, method="c14n", exclusive=True))).decode()
    etree.SubElement(signature, f"{{{DS}}}SignatureValue").text = f"{value[:76]}\r\n{value[76:]}" if lines else value
    stated = x509.load_der_x509_certificate(certificate)
    data = etree.SubElement(etree.SubElement(signature, f"{{{DS}}}KeyInfo"), f"{{{DS}}}X509Data")
    names = etree.SubElement(data, f"{{{DS}}}X509IssuerSerial")
    etree.SubElement(names, f"{{{DS}}}X509IssuerName").text = stated.issuer.rfc4514_string()
    etree.SubElement(names, f"{{{DS}}}X509SerialNumber").text = str(stated.serial_number)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=False)


def _algorithm(parent: Any, name: str, algorithm: str) -> None:
    etree.SubElement(parent, f"{{{DS}}}{name}", Algorithm=algorithm)
