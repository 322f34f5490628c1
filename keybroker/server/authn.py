"""Who is the TLS peer? The verified certificate to a Caller, by the table that stands now.

The table is looked at again for every request and every message of a stream, so that a caller taken out of it is a
stranger from the next message on. TLS itself (a certificate under ``server.client_anchors``) is the transport's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from keybroker.errors import CallerUnknown, NotPermitted
from keybroker.terms import Caller, CallerKind, Finding, Operation, PartyName, RuleName

Identities = tuple[str, ...]
"""What the caller table calls a verified certificate: ``sha256:…`` of its DER, then ``uri:…`` of each SAN URI."""

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def peer_identities(auth_context: Mapping[str, Iterable[bytes]]) -> Identities:
    """From gRPC's view of the peer. Raises: CallerUnknown when there is no certificate, or not TLS 1.3 for certain."""
    if tuple(auth_context.get("ssl_tls_version", ())) != (b"TLSv1.3",):
        raise CallerUnknown("the connection is not TLS 1.3")
    certificates = tuple(auth_context.get("x509_pem_cert", ()))
    if tuple(auth_context.get("transport_security_type", ())) != (b"ssl",) or len(certificates) != 1:
        raise CallerUnknown("the connection has no verified client certificate")
    uris = [f"uri:{uri.decode('ascii', 'replace')}" for uri in auth_context.get("peer_uri", ())]
    return (_fingerprint(certificates[0]), *uris)


def find_caller(identities: Identities, callers: Mapping[str, Caller]) -> Caller:
    """Exactly one entry of the table, or nobody. Raises: CallerUnknown."""
    found = [callers[identity] for identity in identities if identity in callers]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CallerUnknown("this certificate stands in no entry of the caller table; the operator adds it and reloads")
    raise CallerUnknown("this certificate matches several entries of the caller table; it must match one")


def check_operation(caller: Caller, operation: Operation) -> None:
    """For reads; for signing the line's own rule of that name says it. Raises: NotPermitted."""
    if operation not in caller.operations:
        finding = Finding(
            rule=RuleName("caller-entitled-to-operation"),
            clause="G5.9(d), G5.22(b)",
            passed=False,
            expected=", ".join(sorted(caller.operations)) or "no operation at all",
            found=operation.value,
        )
        raise NotPermitted(f"this caller may not call {operation.value}", findings=(finding,))


def may_see(caller: Caller, party: PartyName) -> bool:
    """A party sees what is its own, an auditor everything; what is the broker's own (empty) only auditors see."""
    return caller.kind is CallerKind.AUDITOR or party == caller.party


@lru_cache(maxsize=1024)
def _fingerprint(pem: bytes) -> str:
    """A pure function of what it is given; a connection gives the same with every request."""
    der = base64.b64decode(b"".join(pem.partition(_BEGIN)[2].partition(_END)[0].split()))
    return f"sha256:{hashlib.sha256(der).hexdigest()}"
