"""TBSCertificate: what is not X.509 version 3 in DER, with a P-256 key, is refused; then what a good one says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content import Accompanying, decode
from keybroker.content.assembly import assemble
from keybroker.content.certificate import TbsCertificate
from keybroker.content.facts import facts_of
from keybroker.content.x509_extensions import BasicConstraints, Extensions, KeyUsageBit
from keybroker.content.x509_names import AuthorityName, OrganisationName, OtherName
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.terms import AccompanyingKind, ContentKind, RemotePartyRole
from tests import certificates as made
from tests import lists, messages
from tests.certificates import FALSE, TRUE, UNTIL, a_request, beside, compose, extensions
from tests.lists import AT, extension, generalized, utc
from tests.messages import der, der_integer
from tests.policy import chains

KIND, ROOT_KIND = ContentKind.CERTIFICATE, ContentKind.ROOT_CERTIFICATE
POINT = made.point()
ON_NO_CURVE = POINT[:-1] + bytes([POINT[-1] ^ 1])
COMPRESSED = bytes([2 + POINT[64] % 2]) + POINT[1:33]
HYBRID = bytes([6 + POINT[64] % 2]) + POINT[1:]
SECP256K1 = "06052b8104000a"


def with_extension(**changes: bytes) -> bytes:
    return compose(extensions(**changes))


def validity(*times: bytes) -> bytes:
    return compose(validity=der(0x30, *times))


def subject(*attributes: bytes) -> bytes:
    return compose(subject=made.name(*attributes))


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


def read(octets: bytes, kind: ContentKind = KIND, accompanying: tuple[Accompanying, ...] = ()) -> TbsCertificate:
    content = decode(kind, octets, accompanying)
    assert isinstance(content, TbsCertificate)
    return content


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


def recomposed(content: TbsCertificate) -> bytes:
    """The certificate that these words say, in DER."""
    names = {content.issuer.der, content.subject.der}
    assert all(recomposed_name(each) in names for each in (content.issuer.attributes, content.subject.attributes))
    check_values(content.extensions)
    stated = {
        each.oid: extension(oid(each.oid), each.value, TRUE if each.critical else b"")
        for each in content.extensions.stated
    }
    return compose(
        stated,
        serial=der(0x02, content.serial_octets),
        algorithm=content.signature_algorithm,
        issuer=content.issuer.der,
        validity=der(0x30, time(content.not_before), time(content.not_after)),
        subject=content.subject.der,
        spki=made.spki(content.public_key),
    )


def recomposed_name(attributes: tuple[object, ...]) -> bytes:
    parts = []
    for each in attributes:
        value = each.value  # type: ignore[attr-defined]  # an Attribute
        octets = value.encode() if isinstance(value, str) else value
        parts.append(made.attribute(oid(each.oid), der(each.tag, octets)))  # type: ignore[attr-defined]  # as above
    return made.name(*parts)


def check_values(stated: Extensions) -> None:
    """What the extensions were read to say is what stands in them."""
    values = {each.oid: each.value for each in stated.stated}
    if stated.subject_key_identifier is not None:
        assert values["2.5.29.14"] == der(0x04, stated.subject_key_identifier)
    if stated.authority_key_identifier is not None:
        assert values["2.5.29.35"] == der(0x30, der(0x80, stated.authority_key_identifier))
    if stated.basic_constraints is not None:
        ca, length = stated.basic_constraints.certificate_authority, stated.basic_constraints.path_length
        members = (TRUE if ca else b"", b"" if length is None else der_integer(length))
        assert values["2.5.29.19"] == der(0x30, *members)
    if stated.key_usage is not None:
        assert values["2.5.29.15"] == named_bits(stated.key_usage)
    if stated.certificate_policies:
        assert values["2.5.29.32"] == der(0x30, *(der(0x30, oid(each)) for each in stated.certificate_policies))


def named_bits(usage: frozenset[KeyUsageBit]) -> bytes:
    places = [place for place, bit in enumerate(KeyUsageBit) if bit in usage]
    length = max(places) + 1
    octets = -(-length // 8)
    number = sum(1 << 8 * octets - 1 - place for place in places)
    return der(0x03, bytes([8 * octets - length]), number.to_bytes(octets, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return der(0x06, b"".join(base_128(number) for number in (40 * first + second, *rest)))


def base_128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.insert(0, 0x80 | number & 0x7F)
    return bytes(octets)


def time(at: datetime) -> bytes:
    return utc(at) if 1950 <= at.year < 2050 else der(0x18, at.strftime("%4Y%m%d%H%M%SZ").encode())


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
