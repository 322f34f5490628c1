"""Can the whole of what was made be read back? The last look before it is recorded (invariant 4).

By another library than that which read the request: what it finds signed is, octet for octet, what was decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from keybroker.content.assembly import assemble
from keybroker.content.certificate import TbsCertificate
from keybroker.content.contents import Content
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.whole_document import check_document
from keybroker.terms import ContentKind

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.InvalidVersion,
    x509.DuplicateExtension,
)
"""All that the library raises for what it cannot read, or does not find signed."""


def check_whole(content: Content, outputs: Sequence[bytes], *, certificate: bytes | None = None) -> None:
    """``certificate`` is the key's own, in DER, where it has one. Raises: ModuleDisagrees."""
    match content:
        case TbsCertificate():
            _check_certificate(content, assemble(content, outputs))
        case CertificationRequestInfo():
            _check_request(content, assemble(content, outputs))
        case TbsCertList():
            _check_list(content, assemble(content, outputs))
        case ServiceRequest():
            check_document(content, outputs[0], certificate)
        case _:
            pass


def _check_certificate(content: TbsCertificate, whole: bytes) -> None:
    """The Certificate is read, holds the very TBSCertificate, and a self-signed one verifies under itself."""
    try:
        made = x509.load_der_x509_certificate(whole)
        same = made.tbs_certificate_bytes == content.octets and made.serial_number == content.serial
        _ = (made.subject, made.issuer, made.extensions, made.public_key(), made.not_valid_after_utc)
        if content.kind is ContentKind.ROOT_CERTIFICATE:
            made.verify_directly_issued_by(made)
    except _UNREADABLE as error:
        raise _disagrees("the certificate") from error
    if not same:
        raise _disagrees("the certificate")


def _check_request(content: CertificationRequestInfo, whole: bytes) -> None:
    """The request is read, holds the very CertificationRequestInfo, and proves possession of the key that it names."""
    try:
        made = x509.load_der_x509_csr(whole)
        _ = (made.subject, made.extensions)
        same = made.tbs_certrequest_bytes == content.octets and made.is_signature_valid
    except _UNREADABLE as error:
        raise _disagrees("the Certificate Signing Request") from error
    if not same:
        raise _disagrees("the Certificate Signing Request")


def _check_list(content: TbsCertList, whole: bytes) -> None:
    """The list is read, holds the very TBSCertList, and names the same certificates."""
    try:
        made = x509.load_der_x509_crl(whole)
        _ = (made.issuer, made.extensions, made.last_update_utc, made.next_update_utc)
        listed = [(entry.serial_number, entry.revocation_date_utc) for entry in made]
        same = made.tbs_certlist_bytes == content.octets
    except _UNREADABLE as error:
        raise _disagrees("the revocation list") from error
    if not same or listed != [(entry.serial, entry.revoked_at) for entry in content.revoked]:
        raise _disagrees("the revocation list")


def _disagrees(what: str) -> ModuleDisagrees:
    return ModuleDisagrees(f"{what} that was made cannot be read back as what was asked for; it is withheld", used=True)
