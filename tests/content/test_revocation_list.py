"""TBSCertList: what is not of the profile, or not in DER, is refused; then what a good one says."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.content.revocation_list import TbsCertList, read_certificate_list
from keybroker.content.revoked_certificates import Reason
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.terms import AccompanyingKind, ContentKind
from tests import lists
from tests.lists import AT, HOUR, UNTIL, compose, entry, extension
from tests.messages import der, der_integer
from tests.policy import chains

KIND = ContentKind.CERTIFICATE_REVOCATION_LIST
TRUE, FALSE = der(0x01, b"\xff"), der(0x01, b"\x00")
AUTHORITY, NUMBER = lists.authority(lists.identifier()), lists.crl_number(7)
LATE = datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC)
SUSPECTED = AT - 2 * HOUR


def reason(number: int) -> bytes:
    return extension(lists.REASON, der(0x0A, bytes([number])))


def read(octets: bytes) -> TbsCertList:
    content = decode(KIND, octets)
    assert isinstance(content, TbsCertList)
    return content


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "a TBSCertList"),
    "no SEQUENCE": (b"\x31\x00", "a TBSCertList"),
    "an empty SEQUENCE": (b"\x30\x00", "version 2"),
    "trailing octets": (compose() + b"\x00", "at offset"),
    "an indefinite length": (b"\x30\x80" + compose()[4:] + b"\x00\x00", "at offset"),
    "a longer length than needed": (b"\x30\x83\x00" + compose()[2:], "a length"),
    "version 1": (compose(version=b"\x02\x01\x00"), "version 2"),
    "no version": (compose(version=b""), "version 2"),
    "version 3": (compose(version=b"\x02\x01\x02"), "version 2"),
    "a version of two octets": (compose(version=b"\x02\x02\x00\x01"), "fewest octets"),
    "ecdsa-with-SHA384": (compose(algorithm=bytes.fromhex("300a06082a8648ce3d040303")), "ecdsa-with-SHA256"),
    "parameters NULL": (compose(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")), "without parameters"),
    "no issuer": (compose(issuer=b""), "issuer"),
    "an empty issuer": (compose(issuer=b"\x30\x00"), "an issuer that has a name"),
    "no thisUpdate": (compose(this_update=b"", next_update=b"", entries=None), "UTCTime"),
    "no nextUpdate": (compose(next_update=b""), "nextUpdate"),
    "GeneralizedTime before 2050": (compose(this_update=lists.generalized(AT)), "UTCTime for a year"),
    "UTCTime without seconds": (compose(this_update=der(0x17, b"2601151200Z")), "UTCTime"),
    "UTCTime with an offset": (compose(this_update=der(0x17, b"260115120000+0000")), "UTCTime"),
    "a day that is none": (compose(next_update=der(0x17, b"260230120000Z")), "calendar"),
    "fractions of a second": (compose(next_update=der(0x18, b"20510101000000.5Z")), "to the second"),
    "an empty list of entries": (compose(entries=()), "no list of revoked"),
    "a serial number twice": (compose(entries=(entry(5), entry(6), entry(5))), "serial 5 once"),
    "the serial number 0": (compose(entries=(entry(0),)), "positive"),
    "a negative serial number": (compose(entries=(der(0x30, b"\x02\x01\x80", lists.utc(AT)),)), "not negative"),
    "a serial number of 21 octets": (compose(entries=(entry(1 << 160),)), "20 octets"),
    "an entry that is no SEQUENCE": (compose(entries=(der(0x31, der_integer(5), lists.utc(AT)),)), "revoked cert"),
    "an entry with empty extensions": (
        compose(entries=(der(0x30, der_integer(5), lists.utc(AT), b"\x30\x00"),)),
        "at least one",
    ),
    "an entry with a critical reason": (
        compose(entries=(entry(5, AT, extension(lists.REASON, b"\x0a\x01\x01", TRUE)),)),
        "no extension but",
    ),
    "an entry with a certificate issuer": (
        compose(entries=(entry(5, AT, extension(bytes.fromhex("0603551d1d"), b"\x30\x00")),)),
        "no extension but",
    ),
    "an entry with two reasons": (compose(entries=(entry(5, AT, reason(1), reason(1)),)), "once"),
    "the reason 7, which is none": (compose(entries=(entry(5, AT, reason(7)),)), "a reason"),
    "removeFromCRL": (compose(entries=(entry(5, AT, reason(8)),)), "full list"),
    "a reason that is an INTEGER": (
        compose(entries=(entry(5, AT, extension(lists.REASON, b"\x02\x01\x01")),)),
        "a CRLReason",
    ),
    "an invalidity date in UTCTime": (
        compose(entries=(entry(5, AT, extension(lists.INVALIDITY, lists.utc(AT))),)),
        "GeneralizedTime",
    ),
    "no extensions": (compose(tagged=b""), "crlExtensions"),
    "extensions under another tag": (compose(tagged=der(0xA1, der(0x30, AUTHORITY, NUMBER))), "crlExtensions"),
    "no authority key identifier": (compose(extensions=(NUMBER,)), "AKI and CRLNumber"),
    "no CRLNumber": (compose(extensions=(AUTHORITY,)), "AKI and CRLNumber"),
    "a CRLNumber twice": (compose(extensions=(AUTHORITY, NUMBER, NUMBER)), "once"),
    "a critical CRLNumber": (
        compose(extensions=(AUTHORITY, extension(lists.NUMBER, der_integer(7), TRUE))),
        "alone",
    ),
    "critical FALSE, which DER leaves out": (
        compose(extensions=(AUTHORITY, extension(lists.NUMBER, der_integer(7), FALSE))),
        "left out",
    ),
    "a distribution point": (
        compose(extensions=(AUTHORITY, NUMBER, extension(bytes.fromhex("0603551d1c"), b"\x30\x00", TRUE))),
        "alone",
    ),
    "a delta list": (
        compose(extensions=(AUTHORITY, NUMBER, extension(bytes.fromhex("0603551d1b"), der_integer(6), TRUE))),
        "alone",
    ),
    "a negative CRLNumber": (compose(extensions=(AUTHORITY, extension(lists.NUMBER, b"\x02\x01\xff"))), "not negative"),
    "a CRLNumber of 21 octets": (compose(number=1 << 160), "20 octets"),
    "an authority by issuer and serial": (
        compose(authority=extension(lists.AKI, der(0x30, der(0x82, b"\x05")))),
        "keyIdentifier",
    ),
    "a key identifier of 20 octets": (compose(authority=lists.authority(bytes(20))), "8 octets"),
    "a member more": (compose(tail=b"\x05\x00"), "no further member"),
    "a list that is signed already": (lists.a_list(), "version 2"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refuses(name: str) -> None:
    octets, expected = MALFORMED[name]
    with pytest.raises(ContentMalformed) as refusal:
        decode(KIND, octets)
    assert expected in refusal.value.sentence
    assert 0 <= refusal.value.offset <= len(octets)


def test_refuses_anything_beside_it() -> None:
    beside = Accompanying(kind=AccompanyingKind.CERTIFICATE_SIGNING_REQUEST, octets=b"x")
    with pytest.raises(ContentMalformed, match="nothing beside"):
        decode(KIND, compose(), [beside])


@given(data=st.data())
def test_whatever_is_changed_is_refused_or_reads_as_itself_alone(data: st.DataObject) -> None:
    octets = bytearray(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets)
    try:
        content = read(changed)
    except ContentMalformed:
        return
    assert recomposed(content) == changed


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_refuses_it_cut_short(cut: int) -> None:
    with pytest.raises(ContentMalformed):
        read(FULL[: min(cut, len(FULL) - 1)])


def recomposed(content: TbsCertList) -> bytes:
    """The list that these words say, in DER: the extensions may stand in either order."""
    entries = [
        entry(
            each.serial,
            each.revoked_at,
            *[
                encoded
                for encoded in (
                    None if each.reason is None else reason(each.reason),
                    None
                    if each.invalid_since is None
                    else extension(lists.INVALIDITY, der(0x18, each.invalid_since.strftime("%4Y%m%d%H%M%SZ").encode())),
                )
                if encoded is not None
            ],
        ).replace(lists.utc(each.revoked_at), time(each.revoked_at), 1)
        for each in content.revoked
    ]
    return compose(
        issuer=content.issuer.der,
        this_update=time(content.this_update),
        next_update=time(content.next_update),
        entries=tuple(entries) or None,
        authority=lists.authority(content.authority_key_identifier),
        number=content.number,
    )


def time(at: datetime) -> bytes:
    return lists.utc(at) if 1950 <= at.year < 2050 else der(0x18, at.strftime("%4Y%m%d%H%M%SZ").encode())


SUSPICION = extension(lists.INVALIDITY, lists.generalized(SUSPECTED))
FULL = compose(
    next_update=lists.generalized(LATE),
    number=2**64,
    entries=(entry(0x40 << 120, AT - HOUR, reason(1), SUSPICION), entry(2**31, AT), entry(7, AT, reason(4))),
)


def test_reads_a_list_whole() -> None:
    content = read(FULL)
    assert content.octets == FULL
    assert content.sha256 == sha256(FULL).digest()
    assert content.issuer.der == chains.ISSUING.public_bytes()
    assert (content.this_update, content.next_update, content.number) == (AT, LATE, 2**64)
    assert content.authority_key_identifier == lists.identifier()
    first, second, third = content.revoked
    assert (first.serial, first.revoked_at, first.reason) == (0x40 << 120, AT - HOUR, Reason.KEY_COMPROMISE)
    assert first.invalid_since == SUSPECTED
    assert (second.serial, second.reason, second.invalid_since) == (2**31, None, None)
    assert third.reason is Reason.SUPERSEDED
    assert FULL[second.offset] == 0x30
    assert recomposed(content) == FULL


def test_reads_a_list_of_nobody_and_either_order_of_the_extensions() -> None:
    assert read(compose(entries=None)).revoked == ()
    assert read(compose(extensions=(NUMBER, AUTHORITY))).number == 7
    assert read(compose(number=0)).number == 0
    assert read(compose(number=2**159 - 1)).number == 2**159 - 1


def test_says_in_records_what_it_read() -> None:
    assert facts_of(read(compose())) == {
        "authority_key_identifier": lists.identifier().hex(),
        "crl_number": "7",
        "issuer": "OU=07, CN=T1",
        "kind": "certificate-revocation-list",
        "next_update": UNTIL.isoformat(),
        "revoked": "1",
        "this_update": AT.isoformat(),
    }


def test_reads_what_another_library_makes() -> None:
    made = lists.sign(FULL)
    read_back = x509.load_der_x509_crl(made)
    assert read_back.tbs_certlist_bytes == FULL
    assert read_certificate_list(made).content == read(FULL)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (lists.a_list() + b"\x00", "at offset"),
        (lists.a_list()[:-1], "at offset"),
        (lists.sign(compose(), algorithm=bytes.fromhex("300a06082a8648ce3d040303")), "ecdsa-with-SHA256"),
        (lists.sign(compose(), unused=1), "unused bits"),
        (der(0x30, compose(), lists.ALGORITHM, der(0x03, b"\x00\x30\x00")), "INTEGER r"),
        (compose(), "at offset"),
    ],
    ids=["trailing", "cut", "another algorithm outside", "unused bits", "no signature", "unsigned"],
)
def test_refuses_a_signed_list_that_is_not_whole(octets: bytes, expected: str) -> None:
    with pytest.raises(ContentMalformed, match=expected):
        read_certificate_list(octets)


def test_is_put_together_and_read_back() -> None:
    content = read(FULL)
    signature = read_certificate_list(lists.sign(FULL)).signature
    whole = assemble(content, [signature])
    made = x509.load_der_x509_crl(whole)
    assert made.is_signature_valid(chains.a_private_key(chains.ISSUING_KEY).public_key())
    check_whole(content, [signature])


def test_withholds_a_list_that_reads_back_otherwise() -> None:
    content, other = read(FULL), read(compose(entries=None))
    spoilt = TbsCertList(**{name: getattr(content, name) for name in TbsCertList.__slots__} | {"revoked": ()})
    with pytest.raises(ModuleDisagrees, match="revocation list"):
        check_whole(spoilt, [bytes(63) + b"\x01"])
    check_whole(other, [b"\x01" * 64])


def test_reads_a_list_of_more_than_sixty_five_thousand_octets() -> None:
    entries = tuple(entry(0x40 << 120 | serial, AT) for serial in range(2_000))
    octets = compose(entries=entries)
    assert len(octets) > 65_535
    content = read(octets)
    assert len(content.revoked) == 2_000
    assert content.octets == octets
