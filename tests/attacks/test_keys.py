"""Certificates and keys that come back, or come in by another door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtensionOID

from keybroker.errors import NotPermitted
from keybroker.keys.acts import Act, ActivateKey, Actor, EnrolCertificate, KeyGenerated, OrderKey, RevokeCertificate
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.policy.certificates import CertificateUnfit, read_end_entity
from keybroker.policy.trust import Anchor
from keybroker.terms import CallerKind, KeyLabel, KeyPurpose, PartyName, Provenance
from tests.keys.ordering import act_on_key
from tests.keys.restoring import enrol
from tests.keys.test_administration import point
from tests.ledger import books
from tests.policy.test_certificates import TEST_ROOT, Plan, an_issuing_ca
from tests.situations import AT

LABEL, PARTY = KeyLabel("supplier-a"), PartyName("supplier-a")
ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PARTY)
FIRST = Plan(serial=1).make()
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        yield journal


def do(journal: Journal, *acts: Act) -> None:
    for act in acts:
        act_on_key(journal, ACTOR, act, AT)


def an_enrolment(der: bytes, anchor: Anchor = TEST_ROOT) -> EnrolCertificate:
    return EnrolCertificate(label=LABEL, chain=(der, an_issuing_ca()), anchors=(anchor,))


def an_active_key(journal: Journal) -> None:
    do(
        journal,
        OrderKey(label=LABEL, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY),
        KeyGenerated(label=LABEL, public_key=point(), provenance=Provenance.GENERATED),
        an_enrolment(FIRST),
        ActivateKey(label=LABEL),
    )


def with_the_other_signature(der: bytes) -> bytes:
    """The same certificate with n - s in place of s: as valid, in other octets."""
    signature = x509.load_der_x509_certificate(der).signature
    r, s = decode_dss_signature(signature)
    other = encode_dss_signature(r, P256_ORDER - s)
    body = x509.load_der_x509_certificate(der).tbs_certificate_bytes + bytes.fromhex("300a06082a8648ce3d040302")
    body += bytes([0x03, len(other) + 1, 0x00]) + other
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("again", [FIRST, with_the_other_signature(FIRST)], ids=["as it was", "signed otherwise"])
@pytest.mark.parametrize("between", [False, True], ids=["at once", "after another one"])
def test_refuses_to_enrol_a_revoked_certificate_again(journal: Journal, again: bytes, between: bool) -> None:
    an_active_key(journal)
    do(journal, RevokeCertificate(label=LABEL, revoked_at=AT, because="key lost"))
    if between:
        do(journal, an_enrolment(Plan(serial=2).make()))
    with pytest.raises(NotPermitted, match="revoked"):
        do(journal, an_enrolment(again))


@pytest.mark.parametrize("name", ["", "two words", "supplier-a\n", "supplier-а", "A", "x" * 64])  # noqa: RUF001 - a Cyrillic letter
def test_refuses_to_order_a_key_by_a_name_that_could_be_misread(journal: Journal, name: str) -> None:
    for label, party in ((name, "supplier-a"), ("supplier-a", name)):
        order = OrderKey(label=KeyLabel(label), purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PartyName(party))
        with pytest.raises(NotPermitted, match="a-z"):
            do(journal, order)


def test_a_chain_that_does_not_verify_is_refused_on_the_record(journal: Journal) -> None:
    an_active_key(journal)
    with pytest.raises(CertificateUnfit):
        do(journal, EnrolCertificate(label=LABEL, chain=(FIRST,), anchors=()))
    assert audit.verify(journal.ledger, AT).kinds["refusal"] == 1


@pytest.mark.parametrize("name", ["a300", "a500"], ids=["x400Address", "ediPartyName"])
def test_a_name_that_the_library_will_not_read_makes_a_certificate_unfit(name: str) -> None:
    names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3002" + name))
    with pytest.raises(CertificateUnfit):
        read_end_entity(Plan(further=((names, False),)).make())
