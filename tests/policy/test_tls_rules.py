"""The rules for TLS handshakes: each way they refuse, then what they accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keybroker.content.tls_handshake import TlsHandshake
from keybroker.errors import NotPermitted
from keybroker.policy.rules import tls
from keybroker.terms import KeyPurpose
from tests.content.handshakes import client_handshake, handshake, params, server_key_exchange
from tests.dcc_uses import a_dcc_key, decided
from tests.situations import a_private_key

TLS_PURPOSES = (KeyPurpose.SMETS1_TLS, KeyPurpose.COS_PARTY_TLS)
KEY = a_dcc_key(KeyPurpose.SMETS1_TLS)


@cache
def a_certificate(scalar: int = 2, curve: ec.EllipticCurve | None = None) -> bytes:
    """A self-made certificate, DER, for the test key of that scalar; for a new key of another curve."""
    key = a_private_key(scalar) if curve is None else ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a TLS peer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2040, 1, 1, tzinfo=UTC)).public_key(key.public_key())
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def client(certificate: bytes) -> TlsHandshake:
    return handshake(b"\x04" + client_handshake(certificate=certificate))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, what is offered, and what the finding must tell."""

    rule: str
    content: TlsHandshake
    found: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


REFUSALS = (
    Case(rule="tls-client-certificate-is-keys", content=client(a_certificate(3)), found="one of another"),
    Case(rule="tls-client-certificate-is-keys", content=client(b"client"), found="certificate"),
    Case(
        rule="tls-client-certificate-is-keys",
        content=client(a_certificate(2, ec.SECP384R1())),
        found="P-256",
    ),
    Case(
        rule="tls-ephemeral-key-is-another",
        content=handshake(server_key_exchange(exchange=params(octets=KEY.public_key))),
        found="the signing key's own",
    ),
)


@pytest.mark.parametrize("purpose", TLS_PURPOSES)
@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found(case: Case, purpose: KeyPurpose) -> None:
    with pytest.raises(NotPermitted) as refusal:
        decided(case.content, a_dcc_key(purpose))
    (finding,) = (each for each in refusal.value.findings if not each.passed)
    assert finding.rule == case.rule
    assert case.found in finding.found
    assert finding.expected


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in tls.RULES}


@pytest.mark.clause("G2.44(d)", shows="acceptance")
@pytest.mark.parametrize("purpose", TLS_PURPOSES)
@pytest.mark.parametrize(
    "content",
    [
        handshake(b"\x01" + bytes(32)),
        handshake(b"\x02" + bytes(48)),
        handshake(server_key_exchange()),
        handshake(server_key_exchange(exchange=params("x25519"))),
        client(a_certificate()),
    ],
)
def test_accepts_a_good_case_with_every_finding_in_order(content: TlsHandshake, purpose: KeyPurpose) -> None:
    decision = decided(content, a_dcc_key(purpose))
    assert all(finding.passed for finding in decision.findings)
    spoken = [finding.rule for finding in decision.findings if finding.rule.startswith("tls-")]
    assert spoken == [rule.name for rule in tls.RULES]
    assert decision.claims == ()


@pytest.mark.clause("G2.44(d)", shows="refusal")
@pytest.mark.parametrize("purpose", sorted(set(KeyPurpose) - set(TLS_PURPOSES)))
def test_a_key_of_any_other_purpose_signs_no_handshake(purpose: KeyPurpose) -> None:
    with pytest.raises(NotPermitted) as refusal:
        decided(handshake(b"\x01" + bytes(32)), a_dcc_key(purpose))
    assert "content-kind-for-purpose" in {finding.rule for finding in refusal.value.findings if not finding.passed}
