"""The development PKI: accepted by OpenSSL and by our own reader, and of the profile that the handbook describes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from keybroker.cli.dev import pki
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.trust import Anchor
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
EUI = EntityIdentifier(bytes.fromhex("027E570000000201"))


@pytest.fixture(scope="module")
def chain() -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    """Root, Issuing OCA, Organisation Certificate."""
    root, smki = pki.create_smki(not_before=BEFORE)
    end_entity = pki.organisation_certificate(
        smki,
        pki.new_private_key().public_key(),
        role=RemotePartyRole.SUPPLIER,
        eui=EUI,
        common_name="supplier-a TEST",
        not_before=BEFORE,
    )
    return root, smki.issuing.certificate, end_entity


def test_our_reader_refuses_it_under_another_root(
    chain: tuple[x509.Certificate, x509.Certificate, x509.Certificate],
) -> None:
    other, _ = pki.create_smki(not_before=BEFORE)
    ders = [pki.certificate_der(chain[2]), pki.certificate_der(chain[1])]
    with pytest.raises(CertificateUnfit):
        read_chain(ders, [Anchor(der=pki.certificate_der(other), test=True)], revoked_at=None)


def test_our_reader_accepts_it_and_reads_what_was_meant(
    chain: tuple[x509.Certificate, x509.Certificate, x509.Certificate],
) -> None:
    root, issuing, end_entity = map(pki.certificate_der, chain)
    facts = read_chain([end_entity, issuing], [Anchor(der=root, test=True)], revoked_at=None)
    assert (facts.role, facts.eui, facts.usage) == (RemotePartyRole.SUPPLIER, EUI, KeyUsage.DIGITAL_SIGNATURE)
    assert facts.test_anchor
    assert len(public_point(end_entity)) == 65


def test_openssl_accepts_it(chain: tuple[x509.Certificate, x509.Certificate, x509.Certificate], tmp_path: Path) -> None:
    for name, certificate in zip(("root", "issuing", "end"), chain, strict=True):
        (tmp_path / name).write_bytes(pki.certificate_pem(certificate))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "root", "-untrusted", "issuing", "end"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout == "end: OK\n"


def test_it_has_the_profile_of_the_handbook(
    chain: tuple[x509.Certificate, x509.Certificate, x509.Certificate],
) -> None:
    root, issuing, end_entity = chain
    assert root.subject.rfc4514_string() == "CN=R1 TEST,OU=00"
    assert issuing.subject.rfc4514_string() == "CN=I1 TEST,OU=07"
    for certificate in chain:
        assert 120 < certificate.serial_number.bit_length() < 128
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        assert len(identifier.value.digest) == 8
        assert identifier.value.digest[0] >> 4 == 4
        assert certificate.extensions.get_extension_for_class(x509.CertificatePolicies).critical
        assert certificate.extensions.get_extension_for_class(x509.KeyUsage).critical
        assert "TEST" in str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    authority = end_entity.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == pki.key_identifier(issuing.public_key())  # type: ignore[arg-type]  # P-256
    assert (authority.authority_cert_issuer, authority.authority_cert_serial_number) == (None, None)
    # 2.5.4.45 as BIT STRING (03), nine octets, none unused, the EUI.
    assert bytes.fromhex("0603 55042D 03 09 00") + EUI.octets in end_entity.subject.public_bytes()
    assert bytes.fromhex("0603 55040B 0C 02 3032") in end_entity.subject.public_bytes()
