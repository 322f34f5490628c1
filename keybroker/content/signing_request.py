"""Is this a CertificationRequestInfo (PKCS#10), whole and in DER? Source: RFC 2986 section 4.1; handbook 3.4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.beside import check_beside
from keybroker.content.certification_request import read_request_info
from keybroker.content.model import Accompanying
from keybroker.content.use import UseKind
from keybroker.content.x509_extensions import Extensions
from keybroker.content.x509_names import DistinguishedName
from keybroker.terms import ContentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationRequestInfo:
    """``public_key`` is an uncompressed point on P-256, 65 octets; ``extensions`` are those that are asked for."""

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    subject: DistinguishedName
    public_key: bytes
    extensions: Extensions
    accompanying: tuple[Accompanying, ...] = ()


def decode_signing_request(
    kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]
) -> CertificationRequestInfo:
    """Raises: ContentMalformed."""
    requested = read_request_info(octets)
    check_beside(accompanying)
    return CertificationRequestInfo(
        kind=kind,
        octets=octets,
        sha256=sha256(octets).digest(),
        subject=requested.subject,
        public_key=requested.public_key,
        extensions=requested.extensions,
    )


def signing_request_facts(content: CertificationRequestInfo) -> dict[str, str]:
    """What records and explanations say of it."""
    return {
        "key_usage": " ".join(sorted(content.extensions.key_usage or ())),
        "kind": content.kind.value,
        "public_key": content.public_key.hex(),
        "subject": str(content.subject),
    }
