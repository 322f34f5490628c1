"""Is this a TBSCertificate that an OCA key may be asked to sign, whole and in DER?

Source: RFC 5280 section 4.1; handbook 3.2. Version 3, without unique identifiers. What it says is read into types; the
profile it must follow, and who may have it signed, is policy's question. Beside a certificate stands the PKCS#10
request for it, beside a self-signed one nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

from keybroker.content.certification_request import CertificationRequest, read_request
from keybroker.content.der import Element
from keybroker.content.der_members import Members
from keybroker.content.model import Accompanying
from keybroker.content.public_key import read_public_key
from keybroker.content.re_encoding import check_certificate_re_encodes
from keybroker.content.use import UseKind
from keybroker.content.x509_extensions import Extensions, read_extensions
from keybroker.content.x509_names import DistinguishedName, read_name
from keybroker.content.x509_time import read_time
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind

_SOURCE = "RFC 5280 section 4.1"
_VERSION_3 = b"\x02\x01\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class TbsCertificate:
    """``serial_octets`` are the content of its INTEGER, two's complement; ``signature_algorithm`` is the DER of its
    AlgorithmIdentifier; ``public_key`` an uncompressed point on P-256, 65 octets. ``request`` is the PKCS#10 that came
    beside it, None where none did.
    """

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    serial_octets: bytes
    signature_algorithm: bytes
    issuer: DistinguishedName
    subject: DistinguishedName
    not_before: datetime
    not_after: datetime
    public_key: bytes
    extensions: Extensions
    request: CertificationRequest | None
    accompanying: tuple[Accompanying, ...] = ()

    @property
    def serial(self) -> int:
        return int.from_bytes(self.serial_octets, "big", signed=True)


def decode_certificate(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> TbsCertificate:
    """Read a TBSCertificate and the request beside it. Raises: ContentMalformed."""
    parts = Members.of_whole(octets, "a TBSCertificate", _SOURCE)
    _check_version(octets, parts.take(0xA0, "version [0]"))
    serial = parts.take(0x02, "a serial number")
    algorithm = parts.take(0x30, "an AlgorithmIdentifier")
    issuer = read_name(octets, parts.take(0x30, "an issuer"))
    not_before, not_after = _read_validity(octets, parts.inside(parts.take(0x30, "a validity")))
    subject = read_name(octets, parts.take(0x30, "a subject"))
    public_key = read_public_key(octets, parts.take(0x30, "a SubjectPublicKeyInfo"))
    # Unique identifiers [1] and [2] are not used (section 4.1.2.8): the next can only be the extensions.
    tagged = parts.inside(parts.take(0xA3, "extensions [3], the last member"))
    parts.expect_end()
    extensions = read_extensions(octets, tagged.take(0x30, "Extensions"))
    tagged.expect_end()
    check_certificate_re_encodes(octets)
    return TbsCertificate(
        kind=kind,
        octets=octets,
        sha256=sha256(octets).digest(),
        serial_octets=octets[serial.content : serial.end],
        signature_algorithm=octets[algorithm.offset : algorithm.end],
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        public_key=public_key,
        extensions=extensions,
        request=_read_beside(kind, accompanying),
        accompanying=tuple(accompanying),
    )


def certificate_facts(content: TbsCertificate) -> dict[str, str]:
    """What records and explanations say of it."""
    usage = content.extensions.key_usage or frozenset()
    facts = {
        "issuer": str(content.issuer),
        "key_usage": " ".join(sorted(usage)),
        "kind": content.kind.value,
        "not_after": content.not_after.isoformat(),
        "not_before": content.not_before.isoformat(),
        "public_key": content.public_key.hex(),
        "serial": content.serial_octets.hex(),
        "subject": str(content.subject),
    }
    if content.request is not None:
        facts["request_sha256"] = sha256(content.request.octets).hexdigest()
    return facts


def _check_version(octets: bytes, element: Element) -> None:
    if octets[element.content : element.end] != _VERSION_3:
        raise ContentMalformed(offset=element.content, expected="version 3", found="another", source=_SOURCE)


def _read_validity(octets: bytes, parts: Members) -> tuple[datetime, datetime]:
    """notBefore and notAfter. Raises: ContentMalformed where a moment has the wrong form."""
    not_before = read_time(octets, parts.take_any("notBefore"))
    not_after = read_time(octets, parts.take_any("notAfter"))
    parts.expect_end()
    return not_before, not_after


def _read_beside(kind: ContentKind, accompanying: Sequence[Accompanying]) -> CertificationRequest | None:
    """The one PKCS#10 request beside a certificate."""
    requests = [each for each in accompanying if each.kind is AccompanyingKind.CERTIFICATE_SIGNING_REQUEST]
    most = 0 if kind is ContentKind.ROOT_CERTIFICATE else 1
    if len(requests) != len(accompanying) or len(requests) > most:
        raise ContentMalformed(
            offset=0,
            expected="one Certificate Signing Request beside it" if most else "nothing beside it",
            found=", ".join(each.kind for each in accompanying),
            source="keybroker",
        )
    if not requests:
        return None
    try:
        return read_request(requests[0].octets)
    except ContentMalformed as error:
        raise ContentMalformed(
            offset=error.offset,
            expected=f"beside it a Certificate Signing Request with {error.expected}",
            found=error.found,
            source=error.source,
        ) from error
