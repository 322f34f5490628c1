"""Does what was read encode to the same octets again? By another library's types than those that read it.

asn1crypto reads the octets with its own grammar of RFC 5280 and RFC 2986, every part is touched, and all of it is
encoded anew: what has two encodings, or two readings, does not pass.
"""

from __future__ import annotations

from asn1crypto import crl, csr, x509
from asn1crypto.core import Sequence

from keybroker.errors import ContentMalformed

_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""All that the library lets out for octets that it cannot read: beside ValueError what its parts stumble over."""


def check_certificate_re_encodes(octets: bytes) -> None:
    """A TBSCertificate. Raises: ContentMalformed."""
    _check(octets, x509.TbsCertificate, "RFC 5280 section 4.1")


def check_request_re_encodes(octets: bytes) -> None:
    """A CertificationRequestInfo. Raises: ContentMalformed."""
    _check(octets, csr.CertificationRequestInfo, "RFC 2986 section 4.1")


def check_revocation_list_re_encodes(octets: bytes) -> None:
    """A TBSCertList. Raises: ContentMalformed."""
    _check(octets, crl.TbsCertList, "RFC 5280 section 5.1")


def _check(octets: bytes, kind: type[Sequence], source: str) -> None:
    try:
        value = kind.load(octets, strict=True)
        _ = value.native
        again: bytes = value.dump(force=True)
    except _UNREADABLE as error:
        raise ContentMalformed(
            offset=0, expected=f"a {kind.__name__} that can be read", found="one that cannot", source=source
        ) from error
    if again != octets:
        pairs = enumerate(zip(octets, again, strict=False))
        offset = next((at for at, (one, other) in pairs if one != other), min(len(octets), len(again)))
        raise ContentMalformed(
            offset=offset, expected="DER, which re-encodes to itself", found="another encoding", source=source
        )
