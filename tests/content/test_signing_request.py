"""CertificationRequestInfo (PKCS#10): what is no version 0 in DER with a P-256 key is refused; then what one says."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble
from keybroker.content.certification_request import read_request
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.x509_extensions import KeyUsageBit
from keybroker.content.x509_names import OtherName
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.whole import check_whole
from keybroker.terms import ContentKind
from tests import certificates as made
from tests import lists, messages
from tests.certificates import a_request, beside, compose_info
from tests.messages import der
from tests.policy import chains

KIND = ContentKind.CERTIFICATE_SIGNING_REQUEST
EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")
CHALLENGE = bytes.fromhex("06092a864886f70d010907")
USAGES = der(0x30, made.key_usage())


def attributes(*each: bytes) -> bytes:
    return compose_info(attributes=der(0xA0, *each))


def attribute(oid: bytes, *values: bytes) -> bytes:
    return der(0x30, oid, der(0x31, *values))


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "a CertificationRequestInfo"),
    "a whole request": (a_request(), "a version"),
    "trailing octets": (compose_info() + b"\x00", "found 1 octets"),
    "an indefinite length": (b"\x30\x80" + compose_info()[3:] + b"\x00\x00", "a length"),
    "version 1": (compose_info(version=b"\x02\x01\x01"), "version 0"),
    "no version": (compose_info(version=b""), "a version"),
    "another curve": (compose_info(spki=made.spki(curve="06052b8104000a")), "named curve P-256"),
    "a compressed point": (compose_info(spki=made.spki(b"\x02" + made.point()[1:33])), "P-256"),
    "a point that is not on the curve": (
        compose_info(spki=made.spki(made.point()[:-1] + bytes([made.point()[-1] ^ 1]))),
        "a point on P-256",
    ),
    "no attributes at all": (compose_info(attributes=b""), "attributes [0]"),
    "attributes under another tag": (compose_info(attributes=der(0xA1, b"")), "attributes [0]"),
    "a challenge password": (
        attributes(attribute(CHALLENGE, der(0x0C, b"secret"))),
        "extensionRequest alone",
    ),
    "an extensionRequest twice": (attributes(*(2 * [attribute(EXTENSION_REQUEST, USAGES)])), "no further"),
    "an extensionRequest of two values": (
        attributes(attribute(EXTENSION_REQUEST, USAGES, USAGES)),
        "no further",
    ),
    "an extensionRequest of none": (attributes(attribute(EXTENSION_REQUEST)), "Extensions"),
    "an empty list of extensions": (attributes(attribute(EXTENSION_REQUEST, b"\x30\x00")), "at least one"),
    "an extension twice": (compose_info(made.key_usage(), made.key_usage()), "once"),
    "a key usage with a zero bit at its end": (
        compose_info(made.key_usage(bytes.fromhex("03020680"))),
        "the last of them set",
    ),
    "a member more": (compose_info(attributes=der(0xA0, b"") + b"\x05\x00"), "no further"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refuses(name: str) -> None:
    octets, expected = MALFORMED[name]
    with pytest.raises(ContentMalformed) as refusal:
        decode(KIND, octets)
    assert expected in refusal.value.sentence
    assert 0 <= refusal.value.offset <= len(octets)


def test_refuses_anything_beside_it() -> None:
    with pytest.raises(ContentMalformed, match="nothing beside"):
        decode(KIND, compose_info(), beside())


@given(data=st.data())
def test_whatever_is_changed_is_refused_or_reads_as_itself_alone(data: st.DataObject) -> None:
    octets = bytearray(compose_info())
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets)
    try:
        content = read(changed)
    except ContentMalformed:
        return
    assert content.octets == changed
    assert content.subject.der in changed
    assert made.spki(content.public_key) in changed
    assert x509.load_der_x509_csr(lists.sign(changed)).tbs_certrequest_bytes == changed


@given(data=st.data())
def test_a_whole_request_that_is_changed_is_refused_or_proves_nothing(data: st.DataObject) -> None:
    octets = bytearray(a_request())
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    try:
        request = read_request(bytes(octets))
    except ContentMalformed:
        return
    assert not request.possession_proven


@pytest.mark.parametrize("cut", range(0, 160, 3))
def test_refuses_it_cut_short(cut: int) -> None:
    with pytest.raises(ContentMalformed):
        decode(KIND, compose_info()[:cut])


def read(octets: bytes) -> CertificationRequestInfo:
    content = decode(KIND, octets)
    assert isinstance(content, CertificationRequestInfo)
    return content


def test_reads_a_request_whole() -> None:
    octets = compose_info()
    content = read(octets)
    assert (content.octets, content.sha256) == (octets, sha256(octets).digest())
    assert content.public_key == made.point()
    assert content.extensions.key_usage == frozenset({KeyUsageBit.DIGITAL_SIGNATURE})
    assert facts_of(content) == {
        "key_usage": "digitalSignature",
        "kind": "certificate-signing-request",
        "public_key": made.point().hex(),
        "subject": f"OU=02, UID={messages.SUPPLIER}",
    }


def test_reads_a_request_for_no_extension_and_a_subject_of_another_form() -> None:
    content = read(compose_info(attributes=der(0xA0, b""), subject=made.name(made.cn("tls.example"))))
    assert content.extensions.stated == ()
    assert content.subject.named == OtherName(common_name="tls.example")
    assert str(read(compose_info(subject=b"\x30\x00")).subject) == "an empty name"


def test_reads_what_another_library_builds_and_that_it_proves_possession() -> None:
    key = chains.a_private_key(made.SUBJECT_KEY)
    built = x509.CertificateSigningRequestBuilder().subject_name(chains.SUBJECT)
    request = built.add_extension(chains.usage("digital_signature"), critical=True).sign(key, hashes.SHA256())
    assert read(request.tbs_certrequest_bytes).subject.der == chains.SUBJECT.public_bytes()
    assert read_request(request.public_bytes(Encoding.DER)).possession_proven


@pytest.mark.parametrize(
    "whole",
    [
        a_request(scalar=made.SUBJECT_KEY + 1),
        a_request(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
        a_request(algorithm=bytes.fromhex("300a06082a8648ce3d040303")),
        der(0x30, compose_info(), lists.ALGORITHM, der(0x03, bytes.fromhex("003006020100020100"))),
    ],
    ids=["another's signature", "parameters NULL", "another algorithm", "r and s of 0"],
)
def test_a_request_that_its_own_key_did_not_sign_proves_nothing(whole: bytes) -> None:
    assert not read_request(whole).possession_proven


def test_a_signed_request_is_read_back_by_another_library_or_withheld() -> None:
    content = read(compose_info())
    signature = made.raw_signature(content.octets)
    check_whole(content, [signature])
    whole = x509.load_der_x509_csr(assemble(content, [signature]))
    assert whole.tbs_certrequest_bytes == content.octets
    assert whole.is_signature_valid
    with pytest.raises(ModuleDisagrees, match="the Certificate Signing Request"):
        check_whole(content, [made.raw_signature(content.octets, chains.ISSUING_KEY)])
