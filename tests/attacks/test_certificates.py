"""Attacks on what OCA keys certify and on what keys ask to be certified for: second readings, and another's role."""

from __future__ import annotations

import pytest

from keybroker.content.decoding import decode
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.x509_names import OtherName
from keybroker.policy.rules import signing_request
from keybroker.terms import ContentKind, KeyPurpose
from tests import certificates as made
from tests import messages
from tests.messages import der
from tests.situations import a_policy

WITHOUT_ROLE = (KeyPurpose.SMETS1_TLS, KeyPurpose.COS_PARTY_TLS, KeyPurpose.CONTINGENCY_COMMAND)


def an_info(*attributes: bytes) -> CertificationRequestInfo:
    info = made.compose_info(subject=made.name(*attributes))
    content = decode(ContentKind.CERTIFICATE_SIGNING_REQUEST, info, ())
    assert isinstance(content, CertificationRequestInfo)
    return content


OF_A_ROLE = {
    "a Supplier": (made.cn("tls.example"), made.ou("02"), made.uid()),
    "a Supplier, in another order": (made.uid(), made.ou("02"), made.cn("tls.example")),
    "a Supplier twice": (made.ou("02"), made.ou("02"), made.cn("tls.example")),
    "a role alone": (made.cn("tls.example"), made.ou("02")),
    "a role in lower case": (made.cn("tls.example"), made.ou("8f")),
    "a role with a space": (made.cn("tls.example"), made.ou("02 ")),
    "a role in another string type": (made.cn("tls.example"), made.ou("02", 0x16)),
    "an EUI-64 alone": (made.cn("tls.example"), made.uid()),
    "an Issuing OCA": (made.ou("07"), made.cn("T1")),
    "the Root OCA": (made.ou("00"), made.cn("TA")),
}


@pytest.mark.parametrize("purpose", WITHOUT_ROLE)
@pytest.mark.parametrize("attributes", OF_A_ROLE.values(), ids=OF_A_ROLE)
def test_a_key_whose_purpose_has_no_role_asks_for_none(attributes: tuple[bytes, ...], purpose: KeyPurpose) -> None:
    finding = signing_request.request_role_for_purpose(an_info(*attributes), a_policy(purpose))
    assert not finding.passed


@pytest.mark.parametrize("purpose", WITHOUT_ROLE)
def test_a_key_whose_purpose_has_no_role_asks_by_its_common_name(purpose: KeyPurpose) -> None:
    for attributes in ((made.cn("tls.example"),), (made.ou("Smart Metering"), made.cn("tls.example"))):
        assert signing_request.request_role_for_purpose(an_info(*attributes), a_policy(purpose)).passed


UNSEEN = {
    "TeletexString": der(0x14, b"A\x07"),
    "IA5String": der(0x16, b"A\x1b"),
    "BMPString": der(0x1E, "A\u202e".encode("utf-16-be")),
    "UniversalString": der(0x1C, "A\u0007".encode("utf-32-be")),
    "65 characters": der(0x0C, b"A" * 65),
}


@pytest.mark.parametrize("value", UNSEEN.values(), ids=UNSEEN)
def test_a_common_name_that_nobody_looks_at_names_no_organisation(value: bytes) -> None:
    common_name = made.attribute(bytes.fromhex("0603550403"), value)
    assert isinstance(an_info(common_name, made.ou("02"), made.uid()).subject.named, OtherName)
    assert not isinstance(an_info(made.cn("A" * 64), made.ou("02"), made.uid()).subject.named, OtherName)


def test_a_certificate_of_another_supplier_is_another_name_however_it_is_shown() -> None:
    shown = f"A, OU=02, UID={messages.SUPPLIER}"
    one, other = an_info(made.cn(shown, 0x0C)), an_info(made.cn("A"), made.ou("02"), made.uid())
    assert one.subject.named != other.subject.named
