"""TBSCertificate: what is not X.509 version 3 in DER, with a P-256 key, is refused, or reads as itself alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind
from tests import certificates as made
from tests import lists
from tests.certificates import FALSE, TRUE, UNTIL, a_request, beside, compose, extensions
from tests.content.certificates_read import KIND, ON_NO_CURVE, POINT, ROOT_KIND, read, recomposed, subject, validity
from tests.lists import AT, extension, generalized, utc
from tests.messages import der, der_integer

COMPRESSED = bytes([2 + POINT[64] % 2]) + POINT[1:33]
HYBRID = bytes([6 + POINT[64] % 2]) + POINT[1:]
SECP256K1 = "06052b8104000a"


def with_extension(**changes: bytes) -> bytes:
    return compose(extensions(**changes))


def spelt(bits: str) -> bytes:
    return with_extension(usage=made.key_usage(bytes.fromhex(bits)))


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "a TBSCertificate"),
    "no SEQUENCE": (b"\x31\x00", "a TBSCertificate"),
    "an empty SEQUENCE": (b"\x30\x00", "version [0]"),
    "trailing octets": (compose() + b"\x00", "found 1 octets"),
    "a whole certificate": (lists.sign(compose()), "version [0]"),
    "an indefinite length": (b"\x30\x80" + compose()[4:] + b"\x00\x00", "a length"),
    "a longer length than needed": (b"\x30\x83\x00" + compose()[2:], "a length"),
    "no version": (compose(version=b""), "version [0]"),
    "version 1": (compose(version=der(0xA0, b"\x02\x01\x00")), "version 3"),
    "version 2": (compose(version=der(0xA0, b"\x02\x01\x01")), "version 3"),
    "a serial number in more octets than needed": (
        compose(serial=b"\x02\x11\x00" + made.SERIAL.to_bytes(16, "big")),
        "fewest octets",
    ),
    "an empty serial number": (compose(serial=b"\x02\x00"), "fewest octets"),
    "no signature algorithm": (compose(algorithm=b"\x05\x00"), "AlgorithmIdentifier"),
    "UTCTime without seconds": (validity(der(0x17, b"2601151200Z"), utc(UNTIL)), "UTCTime"),
    "UTCTime with an offset": (validity(der(0x17, b"260115120000+0000"), utc(UNTIL)), "UTCTime"),
    "GeneralizedTime before 2050": (validity(generalized(AT), utc(UNTIL)), "UTCTime for a year"),
    "GeneralizedTime with a fraction": (validity(utc(AT), der(0x18, b"20510101000000.5Z")), "to the second"),
    "the thirtieth of February": (validity(utc(AT), der(0x17, b"260230120000Z")), "calendar"),
    "a time that is text": (validity(utc(AT), der(0x16, b"341231235959Z")), "UTCTime or GeneralizedTime"),
    "one moment alone": (validity(utc(AT)), "notAfter"),
    "three moments": (validity(utc(AT), utc(UNTIL), utc(UNTIL)), "no further member"),
    "a compressed point": (compose(spki=made.spki(COMPRESSED)), "P-256"),
    "a compressed point under the long header": (
        compose(spki=made.spki(COMPRESSED + bytes(32))),
        "an uncompressed point",
    ),
    "a hybrid point": (compose(spki=made.spki(HYBRID)), "an uncompressed point"),
    "the point at infinity": (compose(spki=made.spki(b"\x00")), "P-256"),
    "a point that is not on the curve": (compose(spki=made.spki(ON_NO_CURVE)), "a point on P-256"),
    "a coordinate beyond the field": (compose(spki=made.spki(b"\x04" + b"\xff" * 64)), "a point on P-256"),
    "another curve": (compose(spki=made.spki(curve=SECP256K1)), "named curve P-256"),
    "another algorithm": (compose(spki=made.spki(algorithm="06052b81040112")), "id-ecPublicKey"),
    "explicit parameters": (compose(spki=made.spki(curve="3000")), "named curve"),
    "a unique identifier of the subject": (
        compose(tagged=der(0x82, b"\x00\x01") + der(0xA3, der(0x30, made.key_usage()))),
        "extensions [3]",
    ),
    "no extensions": (compose(tagged=b""), "extensions [3]"),
    "an empty list of extensions": (compose({}), "at least one"),
    "a member more": (compose(tagged=der(0xA3, der(0x30, made.key_usage())) + b"\x05\x00"), "no further"),
    "an extension twice": (with_extension(further=made.key_usage()), "extension 2.5.29.15 once"),
    "an unknown extension twice": (with_extension(further=2 * extension(made.APEX, b"\x05\x00")), "once"),
    "critical FALSE, which DER leaves out": (
        with_extension(ski=made.subject_key_identifier(bytes(8), critical=FALSE)),
        "left out",
    ),
    "critical of another value than FF": (
        with_extension(usage=made.key_usage(critical=der(0x01, b"\x01"))),
        "BOOLEAN",
    ),
    "an extension's value that is no DER": (with_extension(further=extension(made.APEX, b"\x05\x01")), "octets"),
    "an extension's value with more behind it": (
        with_extension(further=extension(made.APEX, b"\x05\x00\x00")),
        "one DER element",
    ),
    "an empty extension's value": (with_extension(further=extension(made.APEX, b"")), "the extension's value"),
    "a key usage of no bit": (spelt("030100"), "at least one bit"),
    "a key usage with a zero bit at its end": (spelt("03020680"), "the last of them set"),
    "a key usage of zeros": (spelt("03020700"), "the last of them set"),
    "a key usage of ten bits": (spelt("0303060040"), "at most nine bits"),
    "a key usage that is an INTEGER": (spelt("02020080"), "a BIT STRING"),
    "CA FALSE, which DER leaves out": (with_extension(constraints=made.constraints(FALSE)), "left out"),
    "a path length without CA": (with_extension(constraints=made.constraints(der_integer(0))), "with cA alone"),
    "a negative path length": (
        with_extension(constraints=made.constraints(TRUE, b"\x02\x01\xff")),
        "not negative",
    ),
    "a subject key identifier in a SEQUENCE": (
        with_extension(ski=extension(made.SKI, der(0x30, der(0x04, bytes(8))))),
        "OCTET STRING",
    ),
    "an authority by issuer and serial number": (
        with_extension(aki=extension(lists.AKI, der(0x30, der(0x82, b"\x05")))),
        "keyIdentifier",
    ),
    "no certificate policy": (with_extension(policies=made.policies()), "at least one policy"),
    "a certificate policy twice": (with_extension(policies=made.policies(made.POLICY, made.POLICY)), "none twice"),
    "a policy qualifier": (
        with_extension(policies=made.policies(made.POLICY + der(0x30, b""))),
        "no further member",
    ),
    "an OBJECT IDENTIFIER with a leading zero": (
        with_extension(policies=made.policies(bytes.fromhex("06042a800102"))),
        "fewest octets",
    ),
    "an OBJECT IDENTIFIER without an end": (
        with_extension(policies=made.policies(bytes.fromhex("06032a8680"))),
        "comes to an end",
    ),
    "two attributes in one RDN": (
        subject(der(0x31, made.ou("02")[2:] + made.uid()[2:])),
        "no further member",
    ),
    "an empty RDN": (subject(b"\x31\x00"), "an attribute"),
    "text that is no UTF-8": (subject(made.attribute(bytes.fromhex("060355040b"), b"\x0c\x01\xff")), "UTF8String"),
    "empty text": (subject(made.ou("")), "not empty"),
    "a control character": (subject(made.cn("a\x00b", 0x0C)), "printable"),
    "a right-to-left mark": (subject(made.cn("a\u202eb", 0x0C)), "printable"),
    "an identifier that is no whole octets": (
        subject(made.ou("02"), made.uid(b"1234567\x80", unused=7)),
        "re-encodes to itself",
    ),
    "an at sign in a PrintableString": (subject(made.cn("a@b")), "PrintableString"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refuses(name: str) -> None:
    octets, expected = MALFORMED[name]
    with pytest.raises(ContentMalformed) as refusal:
        decode(KIND, octets)
    assert expected in refusal.value.sentence
    assert 0 <= refusal.value.offset <= len(octets)


INFO = made.compose_info()
BESIDE: dict[str, tuple[tuple[Accompanying, ...], str]] = {
    "two requests": (beside() * 2, "one Certificate Signing Request beside"),
    "a Device Certificate": (
        (Accompanying(kind=AccompanyingKind.DEVICE_CERTIFICATE, octets=b"x"),),
        "one Certificate Signing Request beside",
    ),
    "a request that is nothing": (beside(b""), "beside it a Certificate Signing Request"),
    "a request that is cut": (beside(a_request()[:-1]), "beside it a Certificate Signing Request"),
    "a request with more behind it": (beside(a_request() + b"\x00"), "beside it a Certificate Signing Request"),
    "a request without signature": (beside(INFO), "beside it a Certificate Signing Request"),
    "a signature with unused bits": (beside(a_request(unused=1)), "unused bits"),
    "a negative r": (
        beside(der(0x30, INFO, lists.ALGORITHM, der(0x03, b"\x00\x30\x06\x02\x01\x80\x02\x01\x01"))),
        "not negative",
    ),
    "an r of 33 octets": (
        beside(der(0x30, INFO, lists.ALGORITHM, der(0x03, b"\x00", der(0x30, der_integer(1 << 256), der_integer(1))))),
        "r of at most 32",
    ),
    "a certificate": (beside(lists.sign(compose())), "version"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_refuses_beside_it(name: str) -> None:
    accompanying, expected = BESIDE[name]
    with pytest.raises(ContentMalformed) as refusal:
        decode(KIND, compose(), accompanying)
    assert expected in refusal.value.sentence


def test_refuses_a_request_beside_a_root_certificate_which_signs_itself() -> None:
    with pytest.raises(ContentMalformed, match="nothing beside it"):
        decode(ROOT_KIND, made.a_root(), beside())


GOOD = {
    "organisation": (KIND, compose()),
    "with a common name": (KIND, compose(subject=made.name(made.cn("Supplier", 0x0C), made.ou("02"), made.uid()))),
    "authority": (KIND, made.an_oca()),
    "root": (ROOT_KIND, made.a_root()),
}


@pytest.mark.parametrize("name", GOOD)
@given(data=st.data())
def test_whatever_is_changed_is_refused_or_reads_as_itself_alone(name: str, data: st.DataObject) -> None:
    kind, good = GOOD[name]
    octets = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets)
    try:
        content = read(changed, kind)
    except ContentMalformed:
        return
    assert recomposed(content) == changed


@pytest.mark.parametrize("name", GOOD)
def test_every_octet_changed_by_one_bit_is_refused_or_reads_as_itself_alone(name: str) -> None:
    kind, good = GOOD[name]
    for place in range(len(good)):
        changed = good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
        try:
            content = read(changed, kind)
        except ContentMalformed:
            continue
        assert recomposed(content) == changed


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_refuses_it_cut_short(cut: int) -> None:
    whole = compose()
    with pytest.raises(ContentMalformed):
        decode(KIND, whole[: min(cut, len(whole) - 1)])


@given(octets=st.binary(max_size=200))
def test_refuses_anything_else(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        decode(KIND, octets)
