"""The builder of certificates, requests and lists: what it makes is what a broker reads, and what a rule accepts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keybroker.client import certificates as builder
from keybroker.client.certificates import Authority, Certified, Issuer, Organisation, Revocation
from keybroker.content.certificate import TbsCertificate
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.x509_extensions import BasicConstraints
from keybroker.content.x509_names import AuthorityName, OrganisationName
from keybroker.policy import decide
from keybroker.terms import (
    ContentKind,
    EntityIdentifier,
    KeyPurpose,
    KeyState,
    KeyUsage,
    Operation,
    RemotePartyRole,
)
from tests import certificates as made
from tests import lists, messages
from tests.lists import AT
from tests.policy import authorities
from tests.situations import packaged_policies

ISSUING, ROOT = KeyPurpose.ISSUING_OCA, KeyPurpose.ROOT_OCA
POLICY = "1.2.826.0.1.8641679.1.2.1.4"
SUPPLIER = Organisation(role=RemotePartyRole.SUPPLIER, eui=messages.SUPPLIER)
ISSUER, ROOT_ISSUER = Issuer.of(authorities.ISSUING), Issuer.of(authorities.ROOT)
ISSUING_OCA = Authority(role=RemotePartyRole.ISSUING_AUTHORITY, common_name="T1")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROOT_OCA = Authority(role=RemotePartyRole.ROOT, common_name="TA")


def certified(**changes: Any) -> Certified:
    wanted: dict[str, Any] = {
        "public_key": made.point(),
        "serial": builder.new_serial_number(),
        "not_before": AT,
        "not_after": made.UNTIL,
        "policies": (POLICY,),
    }
    return Certified(**(wanted | changes))


def judged(content: Content, purpose: KeyPurpose, operation: Operation, **changes: Any) -> bool:
    decision = decide(
        content,
        key=authorities.an_authority(purpose, **changes),
        caller=authorities.a_caller(purpose),
        policy=packaged_policies()[purpose],
        situation=authorities.a_situation(operation),
    )
    return all(finding.passed for finding in decision.findings)


def a_request(subject: Organisation | Authority, usage: KeyUsage) -> bytes:
    return made.a_request(builder.certification_request_info(made.point(), subject, usage))


@pytest.mark.parametrize("usage", [KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT])
@pytest.mark.parametrize("common_name", [None, "Énergie & Söhne"])
def test_an_issuing_oca_key_signs_the_organisation_certificate_that_is_built(
    usage: KeyUsage, common_name: str | None
) -> None:
    subject = Organisation(role=RemotePartyRole.SUPPLIER, eui=messages.SUPPLIER, common_name=common_name)
    octets = builder.organisation_certificate(certified(), subject, usage, ISSUER)
    content = decode(ContentKind.CERTIFICATE, octets, made.beside(a_request(subject, usage)))
    assert judged(content, ISSUING, Operation.SIGN_CERTIFICATE)


def test_the_root_oca_key_signs_the_oca_certificate_that_is_built() -> None:
    octets = builder.authority_certificate(certified(), ISSUING_OCA, ROOT_ISSUER, path_length=0)
    request = made.beside(a_request(ISSUING_OCA, KeyUsage.CERTIFICATE_SIGNING))
    content = decode(ContentKind.CERTIFICATE, octets, request)
    assert judged(content, ROOT, Operation.SIGN_CERTIFICATE)


def test_the_root_oca_key_signs_its_own_certificate_that_is_built() -> None:
    own = authorities.an_authority(ROOT).public_key
    octets = builder.root_certificate(
        certified(public_key=own), ROOT_OCA, apex_oid="1.3.6.1.5.5.7.1.20", apex_contingency_key=made.WRAPPED
    )
    content = decode(ContentKind.ROOT_CERTIFICATE, octets)
    assert judged(content, ROOT, Operation.SIGN_ROOT_CERTIFICATE, state=KeyState.ENROLLING, certificate=None)
    x509.load_der_x509_certificate(lists.sign(octets)).public_key()


@pytest.mark.parametrize(
    "revoked",
    [
        (),
        (Revocation(serial=made.SERIAL, revoked_at=AT),),
        (
            Revocation(serial=1, revoked_at=AT - timedelta(days=400), reason="key_compromise"),
            Revocation(serial=2, revoked_at=AT, reason="superseded"),
        ),
    ],
    ids=["of nobody", "of one", "of two, with reasons"],
)
def test_an_issuing_oca_key_signs_the_list_that_is_built(revoked: tuple[Revocation, ...]) -> None:
    octets = builder.revocation_list(
        ISSUER, number=8, this_update=AT, next_update=AT + timedelta(hours=12), revoked=revoked
    )
    content = decode(ContentKind.CERTIFICATE_REVOCATION_LIST, octets)
    assert isinstance(content, TbsCertList)
    assert [(each.serial, each.revoked_at) for each in content.revoked] == [
        (each.serial, each.revoked_at) for each in revoked
    ]
    assert judged(content, ISSUING, Operation.SIGN_REVOCATION_LIST)


moments = st.integers(-631152000, 253402300799).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
"""From 1950 to the end of 9999, to the second."""


@given(
    serial=st.integers(min_value=1, max_value=2**159),
    begin=moments,
    end=moments,
    role=st.sampled_from(RemotePartyRole),
    eui=st.binary(min_size=8, max_size=8).map(EntityIdentifier),
    common_name=st.none() | st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40),
)
def test_a_broker_reads_what_is_built(
    serial: int,
    begin: datetime,
    end: datetime,
    role: RemotePartyRole,
    eui: EntityIdentifier,
    common_name: str | None,
) -> None:
    subject = Organisation(role=role, eui=eui, common_name=common_name)
    what = certified(serial=serial, not_before=begin, not_after=end)
    octets = builder.organisation_certificate(what, subject, KeyUsage.KEY_AGREEMENT, ISSUER)
    content = decode(ContentKind.CERTIFICATE, octets)
    assert isinstance(content, TbsCertificate)
    assert content.serial == serial
    assert content.subject.named == OrganisationName(role=role, eui=eui, common_name=common_name)
    assert (content.not_before, content.not_after) == (begin, end)


def test_an_authority_is_named_as_it_is_built() -> None:
    content = decode(
        ContentKind.CERTIFICATE, builder.authority_certificate(certified(), ISSUING_OCA, ROOT_ISSUER, path_length=3)
    )
    assert isinstance(content, TbsCertificate)
    assert content.subject.named == AuthorityName(role=RemotePartyRole.ISSUING_AUTHORITY, common_name="T1")
    assert content.extensions.basic_constraints == BasicConstraints(certificate_authority=True, path_length=3)


def test_serial_numbers_are_positive_random_and_of_16_octets() -> None:
    serials = {builder.new_serial_number() for _ in range(200)}
    assert len(serials) == 200
    assert all(serial.bit_length() == 127 for serial in serials)


def test_an_issuer_without_a_key_identifier_is_none() -> None:
    with pytest.raises(ValueError, match="subject key identifier"):
        Issuer.of(authorities.chains.an_issuing_ca(identifier=None))
