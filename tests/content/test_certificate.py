"""TBSCertificate: what a good one says, and that it reads back when it is signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from hashlib import sha256

import pytest
from cryptography import x509

from keybroker.content.assembly import assemble
from keybroker.content.facts import facts_of
from keybroker.content.x509_extensions import BasicConstraints, KeyUsageBit
from keybroker.content.x509_names import AuthorityName, OrganisationName, OtherName
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.terms import RemotePartyRole
from tests import certificates as made
from tests import lists, messages
from tests.certificates import UNTIL, a_request, beside, compose
from tests.content.certificates_read import ON_NO_CURVE, POINT, ROOT_KIND, read, recomposed, subject, validity
from tests.lists import AT
from tests.messages import der
from tests.policy import chains


def test_reads_an_organisation_certificate_whole() -> None:
    octets = compose()
    content = read(octets, accompanying=beside())
    assert content.octets == octets
    assert content.sha256 == sha256(octets).digest()
    assert content.serial == made.SERIAL
    assert content.serial_octets == made.SERIAL.to_bytes(16, "big")
    assert content.signature_algorithm == lists.ALGORITHM
    assert content.issuer.named == AuthorityName(role=RemotePartyRole.ISSUING_AUTHORITY, common_name="T1")
    assert content.subject.named == OrganisationName(
        role=RemotePartyRole.SUPPLIER, eui=messages.SUPPLIER, common_name=None
    )
    assert (content.not_before, content.not_after, content.public_key) == (AT, UNTIL, POINT)
    assert content.extensions.key_usage == frozenset({KeyUsageBit.DIGITAL_SIGNATURE})
    assert content.extensions.subject_key_identifier == lists.identifier(made.SUBJECT_KEY)
    assert content.extensions.authority_key_identifier == lists.identifier()
    assert content.extensions.certificate_policies == ("1.2.826.0.1.8641679.1.2.1.4",)
    assert content.extensions.further == ()
    assert content.request is not None
    assert content.request.possession_proven
    assert recomposed(content) == octets


def test_reads_an_authoritys_and_the_roots_own() -> None:
    assert read(made.an_oca()).extensions.basic_constraints == BasicConstraints(
        certificate_authority=True, path_length=0
    )
    root = read(made.a_root(), ROOT_KIND)
    assert root.issuer.der == root.subject.der
    (wrapped,) = root.extensions.further
    assert (wrapped.oid, wrapped.critical, wrapped.value) == ("1.3.6.1.5.5.7.1.20", False, made.WRAPPED)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (der(0x17, b"500101000000Z"), der(0x17, b"491231235959Z")),
        (der(0x17, b"260115120000Z"), der(0x18, b"20500101000000Z")),
        (der(0x17, b"260115120000Z"), der(0x18, b"99991231235959Z")),
    ],
)
def test_reads_moments_of_two_centuries(begin: bytes, end: bytes) -> None:
    content = read(validity(begin, end))
    assert content.not_before.year in (1950, 2026)
    assert content.not_after.year in (2049, 2050, 9999)
    assert content.not_after.tzinfo is UTC


@pytest.mark.parametrize(
    "attributes",
    [
        (made.uid(), made.ou("02")),
        (made.ou("02"), made.cn("a"), made.uid()),
        (made.ou("2"), made.uid()),
        (made.ou("8a"), made.uid()),
        (made.ou("20"), made.uid()),
        (made.ou("02"), made.uid(bytes(7))),
        (made.ou("02"),),
        (made.ou("07", 0x16), made.cn("T1")),
    ],
)
def test_a_name_that_is_neither_an_organisations_nor_an_authoritys_is_another(attributes: tuple[bytes, ...]) -> None:
    assert isinstance(read(subject(*attributes)).subject.named, OtherName)


def test_says_in_records_what_it_read() -> None:
    assert facts_of(read(compose(), accompanying=beside())) == {
        "issuer": "OU=07, CN=T1",
        "key_usage": "digitalSignature",
        "kind": "certificate",
        "not_after": "2034-12-31T23:59:59+00:00",
        "not_before": "2026-01-15T12:00:00+00:00",
        "public_key": POINT.hex(),
        "request_sha256": sha256(a_request()).hexdigest(),
        "serial": f"{made.SERIAL:x}",
        "subject": f"OU=02, UID={messages.SUPPLIER}",
    }


@pytest.mark.parametrize("der_octets", [chains.Plan().make(), chains.an_issuing_ca(), chains.a_root()])
def test_reads_what_another_library_builds(der_octets: bytes) -> None:
    built = x509.load_der_x509_certificate(der_octets)
    content = read(built.tbs_certificate_bytes)
    assert (content.serial, content.subject.der) == (built.serial_number, built.subject.public_bytes())
    assert (content.not_before, content.not_after) == (built.not_valid_before_utc, built.not_valid_after_utc)


def test_a_signed_certificate_is_read_back_by_another_library_octet_for_octet() -> None:
    content = read(compose())
    signature = made.raw_signature(content.octets, chains.ISSUING_KEY)
    check_whole(content, [signature])
    whole = x509.load_der_x509_certificate(assemble(content, [signature]))
    assert whole.tbs_certificate_bytes == content.octets
    whole.verify_directly_issued_by(x509.load_der_x509_certificate(chains.an_issuing_ca()))


def test_a_root_certificate_verifies_under_itself_or_is_withheld() -> None:
    content = read(made.a_root(), ROOT_KIND)
    check_whole(content, [made.raw_signature(content.octets, chains.ROOT_KEY)])
    with pytest.raises(ModuleDisagrees, match="withheld"):
        check_whole(content, [made.raw_signature(content.octets, chains.ISSUING_KEY)])


def test_a_certificate_that_another_library_cannot_read_is_withheld() -> None:
    content = replace(read(compose()), octets=compose(spki=made.spki(ON_NO_CURVE)))
    with pytest.raises(ModuleDisagrees, match="the certificate"):
        check_whole(content, [made.raw_signature(content.octets)])
    another = replace(read(compose()), serial_octets=bytes(15) + b"\x01")
    with pytest.raises(ModuleDisagrees, match="the certificate"):
        check_whole(another, [made.raw_signature(another.octets)])
