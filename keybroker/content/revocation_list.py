"""Is this a TBSCertList, an Organisation ARL or CRL, whole and in DER? And is that one, signed?

Source: RFC 5280 section 5; handbook 3.3: version 2, ecdsa-with-SHA256, the extensions AKI and CRLNumber and no other.
Whatever narrows a list's scope (a distribution point, a delta) is of another profile, and is not passed over. What may
be signed, and when, is policy's question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

from keybroker.content import object_identifier as oid
from keybroker.content.beside import check_beside
from keybroker.content.der import Element
from keybroker.content.der_members import Members
from keybroker.content.model import Accompanying
from keybroker.content.re_encoding import check_revocation_list_re_encodes
from keybroker.content.revoked_certificates import (
    RevokedCertificate,
    read_known_extensions,
    read_number,
    read_revoked,
    read_value,
)
from keybroker.content.signed_object import ECDSA_WITH_SHA256, read_signed_object
from keybroker.content.use import UseKind
from keybroker.content.x509_extensions import read_authority_key_identifier
from keybroker.content.x509_names import DistinguishedName, read_name
from keybroker.content.x509_time import GENERALIZED_TIME, UTC_TIME, read_time
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind

_SOURCE = "RFC 5280 section 5.1"
_VERSION_2 = b"\x01"
_OF_LIST = frozenset({oid.AUTHORITY_KEY_IDENTIFIER, oid.CRL_NUMBER})
_IDENTIFIER_OCTETS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TbsCertList:
    """``authority_key_identifier`` has 8 octets, ``number`` at most 20; ``revoked`` stand in the order of the list."""

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    issuer: DistinguishedName
    this_update: datetime
    next_update: datetime
    revoked: tuple[RevokedCertificate, ...]
    authority_key_identifier: bytes
    number: int
    accompanying: tuple[Accompanying, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateList:
    """A TBSCertList with its signature r || s, 64 octets, which nobody has verified yet."""

    content: TbsCertList
    signature: bytes


def decode_revocation_list(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> TbsCertList:
    """Read a TBSCertList; nothing comes beside one. Raises: ContentMalformed."""
    check_beside(accompanying)
    parts = Members.of_whole(octets, "a TBSCertList", _SOURCE)
    _check_version(octets, parts.take(0x02, "version 2"))
    _check_algorithm(octets, parts.take(0x30, "an AlgorithmIdentifier"))
    issuer = _read_issuer(octets, parts.take(0x30, "an issuer"))
    this_update = read_time(octets, parts.take_any("thisUpdate"))
    next_update = _read_next_update(octets, parts)
    listed = parts.take_if(0x30)
    revoked = () if listed is None else read_revoked(octets, listed)
    tagged = parts.inside(parts.take(0xA0, "crlExtensions [0], the last member"))
    parts.expect_end()
    authority, number = _read_extensions(octets, tagged.take(0x30, "Extensions"))
    tagged.expect_end()
    check_revocation_list_re_encodes(octets)
    return TbsCertList(
        kind=kind,
        octets=octets,
        sha256=sha256(octets).digest(),
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        revoked=revoked,
        authority_key_identifier=authority,
        number=number,
    )


def read_certificate_list(octets: bytes) -> CertificateList:
    """Read a whole ARL or CRL, by the same profile as one that is to be signed. Raises: ContentMalformed."""
    signed = read_signed_object(octets)
    content = decode_revocation_list(ContentKind.CERTIFICATE_REVOCATION_LIST, signed.to_be_signed, ())
    if signed.algorithm != ECDSA_WITH_SHA256:
        raise ContentMalformed(
            offset=signed.content + len(signed.to_be_signed),
            expected="the signature algorithm of the TBSCertList, ecdsa-with-SHA256",
            found=signed.algorithm.hex(),
            source="RFC 5280 section 5.1.1.2",
        )
    return CertificateList(content=content, signature=signed.signature)


def revocation_list_facts(content: TbsCertList) -> dict[str, str]:
    """What records and explanations say of it."""
    return {
        "authority_key_identifier": content.authority_key_identifier.hex(),
        "crl_number": str(content.number),
        "issuer": str(content.issuer),
        "kind": content.kind.value,
        "next_update": content.next_update.isoformat(),
        "revoked": str(len(content.revoked)),
        "this_update": content.this_update.isoformat(),
    }


def _check_version(octets: bytes, element: Element) -> None:
    if octets[element.content : element.end] != _VERSION_2:
        raise _malformed(element, "version 2", "another", "RFC 5280 section 5.1.2.1")


def _check_algorithm(octets: bytes, element: Element) -> None:
    if octets[element.offset : element.end] != ECDSA_WITH_SHA256:
        found = octets[element.content : element.end].hex()
        raise _malformed(element, "ecdsa-with-SHA256 without parameters", found, "RFC 5758 section 3.2")


def _read_issuer(octets: bytes, element: Element) -> DistinguishedName:
    issuer = read_name(octets, element)
    if not issuer.attributes:
        raise _malformed(element, "an issuer that has a name", "an empty one", "RFC 5280 section 5.1.2.3")
    return issuer


def _read_next_update(octets: bytes, parts: Members) -> datetime:
    """Optional in the syntax, demanded by the profile (RFC 5280 section 5.1.2.5)."""
    element = parts.take_if(UTC_TIME) or parts.take(GENERALIZED_TIME, "nextUpdate")
    return read_time(octets, element)


def _read_extensions(octets: bytes, element: Element) -> tuple[bytes, int]:
    """The authority's key identifier and the CRLNumber: both there, neither critical, no other beside them."""
    found = read_known_extensions(octets, element, _OF_LIST, "the extensions AKI and CRLNumber alone")
    if found.keys() != _OF_LIST:
        raise _malformed(element, "the extensions AKI and CRLNumber", "one of them", "RFC 5280 section 5.2")
    authority = read_authority_key_identifier(octets, found[oid.AUTHORITY_KEY_IDENTIFIER])
    if len(authority) != _IDENTIFIER_OCTETS:
        raise _malformed(element, "a key identifier of 8 octets", f"{len(authority)}", "RFC 5280 section 4.2.1.2")
    number = read_value(octets, found[oid.CRL_NUMBER], 0x02, "a CRLNumber")
    return authority, read_number(octets, number, "a CRLNumber", least=0)


def _malformed(element: Element, expected: str, found: str, source: str) -> ContentMalformed:
    return ContentMalformed(offset=element.content, expected=expected, found=found, source=source)
