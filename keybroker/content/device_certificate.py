"""With whom is a key agreed? The public point of the Device's Key Agreement certificate that came beside the octets.

Only the point is read here, strictly; what else the certificate states, and whether it may be relied on, is policy's
question (``policy/relying.py``), which also finds the same point. Sources: RFC 5280 section 4.1; handbook 3.2.
"""

from __future__ import annotations

from keybroker.content.der_members import Members
from keybroker.content.public_key import read_public_key

_SOURCE = "RFC 5280 section 4.1"
_BEFORE_PUBLIC_KEY = ("a serial number", "a signature algorithm", "an issuer", "a validity", "a subject")


def device_public_point(der: bytes) -> bytes:
    """The public point of a certificate: 65 octets, on P-256. ``der`` is X.509 version 3, whole and strict.

    Raises: ContentMalformed, whose offset counts from the first octet of the certificate.
    """
    whole = Members.of_whole(der, "a Certificate", _SOURCE)
    parts = whole.inside(whole.take(0x30, "a TBSCertificate"))
    whole.take(0x30, "an AlgorithmIdentifier")
    whole.take(0x03, "a BIT STRING with the signature")
    whole.expect_end()
    parts.take(0xA0, "version [0]")
    for member in _BEFORE_PUBLIC_KEY:
        parts.take_any(member)
    return read_public_key(der, parts.take(0x30, "a SubjectPublicKeyInfo"))
