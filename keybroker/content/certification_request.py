"""What does a PKCS#10 request ask for, and whose key does it prove possession of?

Source: RFC 2986 section 4; RFC 2985 section 5.4.2 (extensionRequest). Version 0, one attribute at most: the extensions
that are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.content.der_members import Members
from keybroker.content.object_identifier import EXTENSION_REQUEST
from keybroker.content.public_key import read_public_key
from keybroker.content.re_encoding import check_request_re_encodes
from keybroker.content.signed_object import ECDSA_WITH_SHA256, read_signed_object, signature_verifies
from keybroker.content.x509_extensions import Extensions, read_extensions, read_oid
from keybroker.content.x509_names import DistinguishedName, read_name
from keybroker.errors import ContentMalformed

_SOURCE = "RFC 2986 section 4.1"
_VERSION_0 = b"\x02\x01\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCertificate:
    """What a CertificationRequestInfo says. ``public_key`` is an uncompressed point on P-256, 65 octets."""

    subject: DistinguishedName
    public_key: bytes
    extensions: Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationRequest:
    """A whole PKCS#10 request. ``possession_proven``: its own signature verifies under the key that it asks for, by
    ecdsa-with-SHA256.
    """

    octets: bytes
    requested: RequestedCertificate
    possession_proven: bool


def read_request(octets: bytes) -> CertificationRequest:
    """Raises: ContentMalformed, its offset counted from the request's first octet."""
    whole = read_signed_object(octets)
    requested = read_request_info(whole.to_be_signed)
    signed = whole.algorithm == ECDSA_WITH_SHA256
    return CertificationRequest(
        octets=octets,
        requested=requested,
        possession_proven=signed and signature_verifies(requested.public_key, whole.to_be_signed, whole.signature),
    )


def read_request_info(octets: bytes) -> RequestedCertificate:
    """Read a CertificationRequestInfo, whole and in DER. Raises: ContentMalformed."""
    parts = Members.of_whole(octets, "a CertificationRequestInfo", _SOURCE)
    version = parts.take(0x02, "a version")
    if octets[version.offset : version.end] != _VERSION_0:
        raise ContentMalformed(offset=version.content, expected="version 0", found="another", source=_SOURCE)
    subject = read_name(octets, parts.take(0x30, "a subject"))
    public_key = read_public_key(octets, parts.take(0x30, "a SubjectPublicKeyInfo"))
    attributes = parts.inside(parts.take(0xA0, "attributes [0], which may be empty"))
    extensions = _read_extension_request(octets, attributes)
    parts.expect_end()
    check_request_re_encodes(octets)
    return RequestedCertificate(subject=subject, public_key=public_key, extensions=extensions)


def _read_extension_request(octets: bytes, attributes: Members) -> Extensions:
    """The one attribute there may be: extensionRequest, with one value."""
    attribute = attributes.take_if(0x30)
    if attribute is None:
        attributes.expect_end()
        return Extensions()
    parts = attributes.inside(attribute)
    name = read_oid(octets, parts)
    if name != EXTENSION_REQUEST:
        raise ContentMalformed(
            offset=attribute.offset, expected="the attribute extensionRequest alone", found=name, source=_SOURCE
        )
    values = attributes.inside(parts.take(0x31, "a SET with the attribute's value"))
    extensions = read_extensions(octets, values.take(0x30, "Extensions"))
    values.expect_end()
    parts.expect_end()
    attributes.expect_end()
    return extensions
