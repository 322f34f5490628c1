"""A list that is relied on: what does not verify is refused; then what a good one says, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.revocation import Currency, currency, read_revocation_list
from tests import lists
from tests.lists import AT, HOUR, UNTIL, a_list, an_arl, compose, entry
from tests.policy import chains
from tests.policy.authorities import ISSUING, ISSUING_IDENTITY, ROOT, ROOT_IDENTITY

BOTH = (ROOT, ISSUING)
NOT_A_SIGNER = chains.an_issuing_ca(usage=chains.usage("key_cert_sign"))
NO_CA = chains.an_issuing_ca(constraints=x509.BasicConstraints(ca=False, path_length=None))
SAME_NAME_OTHER_KEY = chains.a_ca(chains.ISSUING, 99, chains.ROOT, chains.ROOT_KEY)
DISTRIBUTION_POINT = lists.extension(bytes.fromhex("0603551d1c"), b"\x30\x00", b"\x01\x01\xff")

UNFIT: dict[str, tuple[Callable[[], bytes], tuple[bytes, ...], str]] = {
    "nothing": (lambda: b"", BOTH, "at offset 0"),
    "a certificate": (lambda: ISSUING, BOTH, "revocation list"),
    "trailing octets": (lambda: a_list() + b"\x00", BOTH, "at offset"),
    "unused bits in the signature": (lambda: lists.sign(compose(), unused=1), BOTH, "unused bits"),
    "a distribution point": (
        lambda: a_list(extensions=(lists.authority(lists.identifier()), lists.crl_number(7), DISTRIBUTION_POINT)),
        BOTH,
        "alone",
    ),
    "nobody is known": (lambda: a_list(), (), "a CA that is known"),
    "another CA is known": (lambda: a_list(), (ROOT,), "a CA that is known, found one of OU=07, CN=T1"),
    "another key of the same name is known": (lambda: a_list(), (SAME_NAME_OTHER_KEY,), "a CA that is known"),
    "another name with the key's identifier": (
        lambda: a_list(issuer=chains.ROOT, authority=lists.authority(lists.identifier())),
        BOTH,
        "a CA that is known",
    ),
    "a signature by another key": (lambda: lists.sign(compose(), chains.ROOT_KEY), BOTH, "issuer's signature"),
    "another list under the signature": (lambda: a_list().replace(b"\x02\x01\x07", b"\x02\x01\x08"), BOTH, "signature"),
    "an issuer without cRLSign": (lambda: a_list(), (NOT_A_SIGNER,), "cRLSign"),
    "an issuer that is no CA": (lambda: a_list(), (NO_CA,), "that is a CA"),
    "an end before its beginning": (
        lambda: a_list(next_update=lists.utc(AT - HOUR)),
        BOTH,
        "nextUpdate after thisUpdate",
    ),
    "an end at its beginning": (lambda: a_list(next_update=lists.utc(AT)), BOTH, "nextUpdate after"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_refuses(name: str) -> None:
    make, issuers, expected = UNFIT[name]
    with pytest.raises(CertificateUnfit) as refusal:
        read_revocation_list(make(), issuers)
    assert expected in refusal.value.sentence


@given(data=st.data())
def test_no_octet_of_a_list_can_be_changed(data: st.DataObject) -> None:
    octets = bytearray(WHOLE)
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CertificateUnfit):
        read_revocation_list(bytes(octets), BOTH)


WHOLE = a_list(entries=(entry(5, AT - HOUR), entry(2**127, AT)))


def test_reads_a_crl_under_its_issuer() -> None:
    held = read_revocation_list(WHOLE, BOTH)
    assert (held.issuer_identity, held.issuer, held.number) == (ISSUING_IDENTITY, "OU=07, CN=T1", 7)
    assert (held.this_update, held.next_update) == (AT, UNTIL)
    assert held.revoked == {5: AT - HOUR, 2**127: AT}


def test_reads_an_arl_under_the_root() -> None:
    held = read_revocation_list(an_arl(), [SAME_NAME_OTHER_KEY, *BOTH])
    assert (held.issuer_identity, held.revoked) == (ROOT_IDENTITY, {})


@pytest.mark.parametrize(
    ("length", "at", "expected"),
    [
        (12 * HOUR, -timedelta(seconds=1), Currency.NOT_YET),
        (12 * HOUR, timedelta(), Currency.CURRENT),
        (12 * HOUR, 9 * HOUR, Currency.CURRENT),
        (12 * HOUR, 9 * HOUR + timedelta(seconds=1), Currency.ENDING),
        (12 * HOUR, 12 * HOUR, Currency.ENDING),
        (12 * HOUR, 12 * HOUR + timedelta(seconds=1), Currency.STALE),
        (timedelta(days=366), timedelta(days=336), Currency.CURRENT),
        (timedelta(days=366), timedelta(days=337), Currency.ENDING),
    ],
)
def test_says_whether_a_list_is_current(length: timedelta, at: timedelta, expected: Currency) -> None:
    held: Any = read_revocation_list(a_list(next_update=lists.utc(AT + length)), BOTH)
    assert currency(held, AT + at) is expected
