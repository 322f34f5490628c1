"""Is this a WrappedApexContingencyKey: the Contingency Public Key, wrapped under the symmetric key of SEC Section L10?

Source: RFC 5934 section 6.1 (ApexContingencyKey ::= SEQUENCE { wrapAlgorithm, wrappedContinPubKey OCTET STRING });
handbook 3.2. What is wrapped nobody can read here. The extension's OID (id-pe 20) is RECALLED, so the policy names it.
"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.content.der_members import Members
from keybroker.content.x509_extensions import Extension, read_oid
from keybroker.errors import ContentMalformed

_SOURCE = "RFC 5934 ApexContingencyKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApexContingencyKey:
    """``wrap_algorithm`` is dotted; its parameters are not read."""

    wrap_algorithm: str
    wrapped_public_key: bytes


def read_apex_contingency_key(extension: Extension) -> ApexContingencyKey:
    """Read the extension's value, whole and in DER. Raises: ContentMalformed, its offset that of the value."""
    octets = extension.value
    parts = Members.of_whole(octets, "an ApexContingencyKey", _SOURCE)
    algorithm = parts.inside(parts.take(0x30, "an AlgorithmIdentifier"))
    name = read_oid(octets, algorithm)
    wrapped = parts.take(0x04, "an OCTET STRING with the wrapped key")
    parts.expect_end()
    if wrapped.content == wrapped.end:
        raise ContentMalformed(offset=wrapped.offset, expected="a wrapped key", found="nothing", source=_SOURCE)
    return ApexContingencyKey(wrap_algorithm=name, wrapped_public_key=octets[wrapped.content : wrapped.end])
