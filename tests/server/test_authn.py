"""The verified TLS peer to exactly one Caller, or to nobody."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.errors import CallerUnknown, NotPermitted
from keybroker.server.authn import check_operation, find_caller, may_see, peer_identities
from keybroker.terms import CallerKind, Operation, PartyName
from tests.server.callers import caller


def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


CERTIFICATE = certificate()
PEM = CERTIFICATE.public_bytes(Encoding.PEM)
SHA256 = "sha256:" + hashlib.sha256(CERTIFICATE.public_bytes(Encoding.DER)).hexdigest()
PEER = {
    "transport_security_type": (b"ssl",),
    "ssl_tls_version": (b"TLSv1.3",),
    "x509_pem_cert": (PEM,),
    "peer_uri": (b"urn:a", b"urn:b"),
}


@pytest.mark.parametrize(
    "changed",
    [
        {"x509_pem_cert": ()},
        {"x509_pem_cert": (PEM, PEM)},
        {"transport_security_type": (b"insecure",)},
        {"transport_security_type": ()},
        {"ssl_tls_version": (b"TLSv1.2",)},
        {"ssl_tls_version": ()},
    ],
)
def test_refuses_a_peer_that_is_not_verified_by_tls_1_3(changed: dict[str, tuple[bytes, ...]]) -> None:
    with pytest.raises(CallerUnknown):
        peer_identities({**PEER, **changed})


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"uri:urn:other": caller("uri:urn:other")},
        {"uri:urn:a": caller("uri:urn:a"), "uri:urn:b": caller("uri:urn:b")},
        {"uri:urn:a": caller("uri:urn:a"), SHA256: caller(SHA256)},
    ],
    ids=["empty table", "another", "two URIs match", "URI and fingerprint match"],
)
def test_refuses_a_peer_that_does_not_match_exactly_one_entry(table: dict[str, object]) -> None:
    with pytest.raises(CallerUnknown):
        find_caller(peer_identities(PEER), table)  # type: ignore[arg-type]


@pytest.mark.parametrize("identity", ["uri:urn:b", SHA256], ids=["uri", "fingerprint"])
def test_finds_the_caller_by_uri_or_fingerprint(identity: str) -> None:
    assert find_caller(peer_identities(PEER), {identity: caller(identity)}).identity == identity


def test_refuses_an_operation_that_the_entry_does_not_list() -> None:
    check_operation(caller(), Operation.SIGN_PRE_COMMAND)
    with pytest.raises(NotPermitted) as refused:
        check_operation(caller(), Operation.LIST_KEYS)
    assert refused.value.findings[0].expected == "SignPreCommand"


@pytest.mark.parametrize(
    ("kind", "party", "sees"),
    [
        (CallerKind.USER_SYSTEM, "supplier-a", True),
        (CallerKind.USER_SYSTEM, "supplier-b", False),
        (CallerKind.USER_SYSTEM, "", False),
        (CallerKind.OPERATOR, "supplier-b", False),
        (CallerKind.AUDITOR, "supplier-b", True),
        (CallerKind.AUDITOR, "", True),
    ],
)
def test_a_party_sees_its_own_and_an_auditor_everything(kind: CallerKind, party: str, sees: bool) -> None:
    assert may_see(caller(kind=kind), PartyName(party)) is sees
