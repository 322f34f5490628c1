"""What the use of a key for a certificate claims: a serial number once, a lifetime, and whose the key is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from keybroker.content.certificate import TbsCertificate
from keybroker.policy.claim import Bound, Once
from tests import certificates as made
from tests import messages
from tests.lists import AT, generalized, utc
from tests.messages import der
from tests.policy import authorities
from tests.policy.certificate_cases import ROOT, Case, of_oca, of_root
from tests.situations import packaged_policies


def claimed(case: Case) -> tuple[Once, Bound, Bound]:
    once, lifetime, owner = case.decide().claims
    assert isinstance(once, Once)
    assert isinstance(lifetime, Bound)
    assert isinstance(owner, Bound)
    return once, lifetime, owner


@pytest.mark.parametrize(
    ("case", "identity", "sort", "owner"),
    [
        (Case(rule="", found=""), authorities.ISSUING_IDENTITY, 2, messages.SUPPLIER.octets),
        (of_oca("", ""), authorities.ROOT_IDENTITY, 1, b"ca"),
        (of_root("", ""), authorities.ROOT_IDENTITY, 1, b"ca"),
    ],
    ids=["organisation", "oca", "root"],
)
def test_claims_its_serial_number_once_and_says_what_it_is_of_and_whose_the_key(
    case: Case, identity: bytes, sort: int, owner: bytes
) -> None:
    once, lifetime, key = claimed(case)
    content = case.decide().content
    assert isinstance(content, TbsCertificate)
    assert (once.scope, once.name) == ("certificate-serial", identity + made.SERIAL.to_bytes(20, "big"))
    assert (lifetime.scope, lifetime.name) == ("certificate", once.name)
    assert lifetime.value == bytes([sort]) + int(content.not_after.timestamp()).to_bytes(8, "big")
    assert (key.scope, key.name) == ("certified-key", hashlib.sha256(content.public_key).digest())
    assert key.value == owner


def test_a_lifetime_without_end_is_claimed_too() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    octets = made.a_root(validity=der(0x30, utc(AT), generalized(end)))
    long = replace(packaged_policies()[ROOT].settings.certificates, longest_days=10**7)  # type: ignore[type-var]  # it has the table
    policy = {"settings": replace(packaged_policies()[ROOT].settings, certificates=long)}
    _, lifetime, _ = claimed(of_root("", "", octets, policy=policy))
    assert lifetime.value[-8:] == (253402300799).to_bytes(8, "big")
