"""What does a DUIS document say? Request, Signed Pre-Command or Response, from its octets, signed or not yet.

Sources: DUIS schema 5.4 (handbook 4.1, 4.2). Beyond the Header, the Body is read where a rule looks at it: a Signed
Pre-Command, the certificates of Update Security Credentials (CoS), data values with a threshold; the rest is for
the DCC's own schema check.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256

from lxml import etree

from keybroker.content.duis.data_values import read_data_values
from keybroker.content.duis.model import DocumentForm, DuisDocument, DuisIdentifier, SupplierCertificates
from keybroker.content.duis.tree import Tree, local_name, read_tree
from keybroker.content.duis.xml_signature import envelop, read_signature
from keybroker.terms import EntityIdentifier

_PAIRS = r"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){7}"
_match_identifier = re.compile(rf"({_PAIRS}):({_PAIRS}):(0|[1-9][0-9]{{0,19}})").fullmatch
_is_version = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}").fullmatch
_is_reference = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}").fullmatch
_is_code = re.compile(r"[A-Z0-9]{1,8}").fullmatch
_RESPONSE_BODIES = ("ResponseMessage", "DeviceAlertMessage", "DCCAlertMessage", "SMETS1ResponseMessage")
_CHANGE_OF_SUPPLIER = "UpdateSecurityCredentialsCoS"
_SIGNED_PRE_COMMAND = "SignedPreCommand"
_ANOTHERS_ROOT = ("SMETS1SignedResponse", "S1SPAlert")


def read_document(octets: bytes, *, signed: bool) -> DuisDocument:
    """The whole document. ``signed`` says whether it must carry its signature, or none. Raises: ContentMalformed."""
    tree = read_tree(octets, signed=signed)
    digest = sha256(tree.canonical()).digest()
    version = tree.root.get("schemaVersion") or ""
    if not _is_version(version):
        raise tree.malformed(tree.root, "schemaVersion, a decimal", version[:20] or "none")
    match local_name(tree.root):
        case "Request":
            return _read_request(tree, version, digest)
        case "Response":
            return _read_response(tree, version, digest)
        case other:
            whose = " (signed by a SMETS1 Service Provider, for which there is no purpose)"
            raise tree.malformed(
                tree.root, "a Request or a Response", f"{other}{whose if other in _ANOTHERS_ROOT else ''}"
            )


def assemble_document(octets: bytes, signature: bytes, certificate: bytes) -> bytes:
    """The document that ``octets`` are, signed: ``signature`` r || s, ``certificate`` that of the key, in DER.

    Raises: ContentMalformed, ValueError for octets that are no certificate.
    """
    tree = read_tree(octets, signed=False)
    return envelop(octets, tree.root_end, sha256(tree.canonical()).digest(), signature, certificate)


def _read_request(tree: Tree, version: str, digest: bytes) -> DuisDocument:
    parts = tree.sequence(tree.root, "Header!", "Body!")
    header = tree.sequence(
        parts["Header"],
        "RequestID!",
        "FirstInSequence",
        "PrecedingServiceRequestID",
        "CommandVariant!",
        "ServiceReference!",
        "ServiceReferenceVariant!",
    )
    body = _only_child(tree, parts["Body"])
    is_pre_command = local_name(body) == _SIGNED_PRE_COMMAND
    payload = tree.sequence(body, "ExecutionDateTime", "GBCSPayload!")["GBCSPayload"] if is_pre_command else None
    if "PrecedingServiceRequestID" in header:
        _read_identifier(tree, header["PrecedingServiceRequestID"])
    return DuisDocument(
        form=DocumentForm.SIGNED_PRE_COMMAND if is_pre_command else DocumentForm.SERVICE_REQUEST,
        schema_version=version,
        sha256=digest,
        request_identifier=_read_identifier(tree, header["RequestID"]),
        response_identifier=None,
        response_code="",
        command_variant=_read_command_variant(tree, header["CommandVariant"]),
        service_reference=_read_matching(tree, header["ServiceReference"], _is_reference, "digits and full stops"),
        service_reference_variant=_read_matching(
            tree, header["ServiceReferenceVariant"], _is_reference, "digits and full stops"
        ),
        body_element=local_name(body),
        gbcs_payload=None if payload is None else _read_base64(tree, payload),
        data_values=read_data_values(tree, body),
        supplier_certificates=_read_supplier(tree, body) if local_name(body) == _CHANGE_OF_SUPPLIER else None,
        signature=read_signature(tree, digest),
        identifier_offset=tree.offsets[header["RequestID"]],
        variant_offset=tree.offsets[header["ServiceReferenceVariant"]],
        body_offset=tree.offsets[body],
        payload_offset=tree.offsets[body if payload is None else payload],
    )


def _read_response(tree: Tree, version: str, digest: bytes) -> DuisDocument:
    parts = tree.sequence(tree.root, "Header!", "Body!")
    header = tree.sequence(parts["Header"], "RequestID", "ResponseID", "ResponseCode!", "ResponseDateTime!")
    body = _only_child(tree, parts["Body"])
    if local_name(body) not in _RESPONSE_BODIES:
        raise tree.malformed(body, f"one of {', '.join(_RESPONSE_BODIES)}", local_name(body)[:100])
    identifiers = {name: _read_identifier(tree, header[name]) for name in ("RequestID", "ResponseID") if name in header}
    return DuisDocument(
        form=DocumentForm.RESPONSE,
        schema_version=version,
        sha256=digest,
        request_identifier=identifiers.get("RequestID"),
        response_identifier=identifiers.get("ResponseID"),
        response_code=_read_matching(tree, header["ResponseCode"], _is_code, "a Response Code"),
        command_variant=None,
        service_reference="",
        service_reference_variant="",
        body_element=local_name(body),
        gbcs_payload=None,
        data_values=(),
        supplier_certificates=None,
        signature=read_signature(tree, digest),
        identifier_offset=tree.offsets[parts["Header"]],
        variant_offset=tree.offsets[parts["Header"]],
        body_offset=tree.offsets[body],
        payload_offset=tree.offsets[body],
    )


def _only_child(tree: Tree, element: etree._Element) -> etree._Element:
    if len(element) != 1:
        raise tree.malformed(element, f"one element in {local_name(element)}", f"{len(element)}")
    return element[0]


def _read_identifier(tree: Tree, element: etree._Element) -> DuisIdentifier:
    text = tree.text(element)
    found = _match_identifier(text)
    if found is None or int(found[3]) >= 1 << 64:
        expected = "two EUIs of 8 pairs of hexadecimal digits and a counter of 64 bits, colons between them"
        raise tree.malformed(element, expected, text[:80])
    return DuisIdentifier(
        originator=EntityIdentifier.from_text(found[1]),
        target=EntityIdentifier.from_text(found[2]),
        counter=int(found[3]),
    )


def _read_command_variant(tree: Tree, element: etree._Element) -> int:
    text = tree.text(element)
    if len(text) != 1 or text not in "12345678":
        raise tree.malformed(element, "a Command Variant from 1 to 8", text[:20])
    return int(text)


def _read_matching(tree: Tree, element: etree._Element, fits: Callable[[str], object], expected: str) -> str:
    text = tree.text(element)
    if not fits(text):
        raise tree.malformed(element, f"{expected} in {local_name(element)}", text[:40])
    return text


def _read_supplier(tree: Tree, body: etree._Element) -> SupplierCertificates:
    parts = tree.sequence(
        body,
        "ExecutionDateTime",
        "SupplierFloorSeqNumber!",
        "SupplierPrepaymentTopUpFloorSeqNumber",
        "SupplierReplacementCertificates!",
        "CertificationPathCertificates!",
        "ApplyTimeBasedCPVChecks!",
        "ImportMPxN!",
    )
    found = tree.sequence(
        parts["SupplierReplacementCertificates"],
        "DigitalSigningCertificate!",
        "KeyAgreementCertificate",
        "KeyAgreementTopUpCertificate",
    )
    certificates = {name: _read_base64(tree, element) for name, element in found.items()}
    return SupplierCertificates(
        digital_signing=certificates["DigitalSigningCertificate"],
        key_agreement=certificates.get("KeyAgreementCertificate"),
        key_agreement_top_up=certificates.get("KeyAgreementTopUpCertificate"),
    )


def _read_base64(tree: Tree, element: etree._Element) -> bytes:
    """xs:base64Binary; its lines may be broken. Raises: ContentMalformed."""
    text = tree.base64_text(element)
    try:
        value = b64decode(text, validate=True)
    except ValueError as error:
        raise tree.malformed(element, f"base64 in {local_name(element)}", "something else") from error
    if not value or b64encode(value).decode() != text:
        raise tree.malformed(element, f"base64 in {local_name(element)}", "base64 written in another way")
    return value
