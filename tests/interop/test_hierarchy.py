"""A whole SMKI-like hierarchy made by the line alone, on SoftHSM: judged by openssl, ``cryptography`` and pkilint."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.errors import EvidenceSpent, NotPermitted
from keybroker.keys.register import Register
from keybroker.ledger import audit
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.relying import rely_on
from keybroker.terms import ContentKind, KeyLabel
from tests.hsm.tokens import make_softhsm, opened
from tests.interop import smki
from tests.interop.lint import lint_certificate, lint_list
from tests.interop.smki import NOW, Hierarchy
from tests.ledger import books
from tests.policy import authorities

pytestmark = pytest.mark.hsm


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hierarchy]:
    directory = tmp_path_factory.mktemp("smki")
    with opened(make_softhsm(directory / "token")) as token, books.a_book(directory) as journal:
        yield smki.build(smki.Authority(token=token, journal=journal))


def certificates(of: Hierarchy) -> Mapping[str, x509.Certificate]:
    names = ("root", "issuing", "supplier", "broker", "revoked")
    return {name: x509.load_der_x509_certificate(getattr(of, name)) for name in names}


# ---- refusals


def test_a_serial_number_is_never_signed_twice(hierarchy: Hierarchy) -> None:
    serial = certificates(hierarchy)["supplier"].serial_number
    with pytest.raises(EvidenceSpent, match="certificate-serial-never-used"):
        hierarchy.authority.certificate(smki.SUPPLIER, serial=serial)


@pytest.mark.clause("G2.60(c)", "G2.61(c)", shows="refusal")
@pytest.mark.parametrize("number", [1, 2])
def test_a_crl_number_is_never_signed_twice(hierarchy: Hierarchy, number: int) -> None:
    revoked = certificates(hierarchy)["revoked"].serial_number
    with pytest.raises(EvidenceSpent, match="crl-number-greater-than-the-last"):
        hierarchy.authority.revocation_list("issuing-oca", number, revoked)


@pytest.mark.clause("G2.60(c)", "G2.61(c)", shows="refusal")
def test_an_entry_does_not_vanish(hierarchy: Hierarchy) -> None:
    with pytest.raises(EvidenceSpent, match="revocation-list-keeps-its-entries"):
        hierarchy.authority.revocation_list("issuing-oca", 9)


def test_an_issuing_oca_does_not_sign_the_roots_list(hierarchy: Hierarchy) -> None:
    tbs = hierarchy.authority.tbs_list("root-oca", 9)
    answer = hierarchy.authority.ask(ContentKind.CERTIFICATE_REVOCATION_LIST, "issuing-oca", tbs)
    assert isinstance(answer, NotPermitted)
    assert "revocation-list-issuer-is-keys-subject" in answer.sentence


def test_what_is_revoked_is_not_relied_on(hierarchy: Hierarchy, tmp_path: Path) -> None:
    said = verify(hierarchy, "revoked", tmp_path)
    assert said.returncode != 0
    assert "certificate revoked" in said.stdout + said.stderr


def test_without_its_lists_openssl_relies_on_nothing(hierarchy: Hierarchy, tmp_path: Path) -> None:
    said = verify(hierarchy, "supplier", tmp_path, lists=("arl",))
    assert "unable to get certificate CRL" in said.stdout + said.stderr


# ---- what was made


def verify(
    of: Hierarchy, name: str, directory: Path, lists: tuple[str, ...] = ("arl", "crl")
) -> subprocess.CompletedProcess[str]:
    """What ``openssl verify`` says of one certificate, by the root alone and these lists."""
    pem = {each: found.public_bytes(Encoding.PEM) for each, found in certificates(of).items()}
    held = [x509.load_der_x509_crl(getattr(of, each)).public_bytes(Encoding.PEM) for each in lists]
    files = {
        "trusted.pem": pem["root"],
        "untrusted.pem": pem["issuing"],
        "lists.pem": b"".join(held),
        "it.pem": pem[name],
    }
    for file, octets in files.items():
        (directory / file).write_bytes(octets)
    command = ["openssl", "verify", "-crl_check_all", "-x509_strict", "-attime", smki.moment(NOW)]
    command += ["-CAfile", "trusted.pem", "-untrusted", "untrusted.pem", "-CRLfile", "lists.pem", "it.pem"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.clause("G2.60(a)", "G2.61(a)", shows="acceptance")
@pytest.mark.parametrize("name", ["supplier", "broker", "issuing"])
def test_openssl_verifies_every_certificate_against_the_lists(hierarchy: Hierarchy, name: str, tmp_path: Path) -> None:
    said = verify(hierarchy, name, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.strip() == "it.pem: OK"


def test_cryptography_verifies_every_link(hierarchy: Hierarchy) -> None:
    found = certificates(hierarchy)
    found["root"].verify_directly_issued_by(found["root"])
    found["issuing"].verify_directly_issued_by(found["root"])
    for name in ("supplier", "broker", "revoked"):
        found[name].verify_directly_issued_by(found["issuing"])
    for octets, issuer in ((hierarchy.arl, "root"), (hierarchy.first_crl, "issuing"), (hierarchy.crl, "issuing")):
        key = found[issuer].public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert x509.load_der_x509_crl(octets).is_signature_valid(key)
    listed = x509.load_der_x509_crl(hierarchy.crl)
    entry = listed.get_revoked_certificate_by_serial_number(found["revoked"].serial_number)
    assert entry is not None
    assert entry.revocation_date_utc == NOW
    assert len(listed) == 1


def test_the_root_carries_the_contingency_key_wrapped(hierarchy: Hierarchy) -> None:
    extensions = certificates(hierarchy)["root"].extensions
    held = extensions.get_extension_for_oid(smki.APEX_CONTINGENCY_KEY)
    assert not held.critical


def test_we_rely_on_what_we_made_and_not_on_what_we_revoked(hierarchy: Hierarchy) -> None:
    authority = hierarchy.authority
    register = Register(authority.journal.ledger, authority.anchors).refresh()
    given = authorities.a_situation()
    trust = type(given.trust)(organisation=authority.anchors, lists=register.lists)
    situation = authorities.a_situation(trust=trust)
    assert rely_on((hierarchy.supplier, hierarchy.issuing), situation).eui == smki.SUPPLIER.eui
    assert register.keys[KeyLabel("supplier-a")].certificate == read_chain(
        (hierarchy.supplier, hierarchy.issuing), authority.anchors, revoked_at=None
    )
    with pytest.raises(CertificateUnfit, match="revoked at"):
        rely_on((hierarchy.revoked, hierarchy.issuing), situation)


def test_the_ledger_tells_it_all(hierarchy: Hierarchy) -> None:
    journal = hierarchy.authority.journal
    verified = audit.verify(journal.ledger, NOW)
    # Root, Issuing, three certificates, four requests, three lists; and requests of refused certificates.
    assert verified.signatures >= 12
    assert verified.open_intents == ()


def test_an_arl_lists_an_issuing_oca_and_openssl_then_refuses_whatever_it_issued(
    hierarchy: Hierarchy, tmp_path: Path
) -> None:
    issuing = certificates(hierarchy)["issuing"].serial_number
    arl = hierarchy.authority.revocation_list("root-oca", 2, issuing, hours=8784)
    said = verify(replace(hierarchy, arl=arl), "supplier", tmp_path)
    assert "certificate revoked" in said.stdout + said.stderr
    # The ledger keeps it on the next ones, for the 25 years of its life.
    with pytest.raises(EvidenceSpent, match="revocation-list-keeps-its-entries"):
        hierarchy.authority.revocation_list("root-oca", 3, hours=8784)


# ---- pkilint

OF_THE_PROFILE: Mapping[str, str] = {
    "INFO pkix.subject_key_identifier_method_2_identified": "GBCS demands RFC 5280 section 4.2.1.2 method (2)",
}
"""Findings of pkilint that the SMKI profile has on purpose, with the reason."""


@pytest.mark.parametrize("name", ["root", "issuing", "supplier", "broker", "revoked"])
def test_pkilint_finds_nothing_in_a_certificate_but_what_the_profile_has(hierarchy: Hierarchy, name: str) -> None:
    assert lint_certificate(getattr(hierarchy, name)) - OF_THE_PROFILE.keys() == set()


@pytest.mark.parametrize("name", ["arl", "first_crl", "crl"])
def test_pkilint_finds_nothing_in_a_list(hierarchy: Hierarchy, name: str) -> None:
    assert lint_list(getattr(hierarchy, name)) == set()
