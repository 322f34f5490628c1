"""What a TLS peer signs: built here, read whole, and never what another kind of content would sign."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.content.der import check_der
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.content.tls_handshake import Signed
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind
from tests.content.handshakes import (
    CLIENT_RANDOM,
    DONE,
    NUMBERS,
    SERVER_KEY_EXCHANGE,
    SERVER_RANDOM,
    STATUS,
    certificate_request,
    certificates,
    client_handshake,
    client_hello,
    extension,
    handshake,
    message,
    params,
    point,
    server_hello,
    server_key_exchange,
    vector,
)
from tests.messages import compose_command

TRANSCRIPT = bytes(range(100, 132))
P256 = point("secp256r1")
OFF_THE_CURVE = P256[:-1] + bytes([P256[-1] ^ 1])
COMPRESSED = bytes([2 + P256[-1] % 2]) + P256[1:33]
HEADER = (compose_command()[1:] + bytes(64))[:64]
"""The 64 octets with which what is signed of a GBCS message begins."""
TWICE = vector(2, extension(10), extension(10))


def der_of(whole: int) -> bytes:
    """64 octets that begin a DER SEQUENCE of so many, whose last element is an OCTET STRING that reaches its end."""
    length = whole - 2 if whole < 130 else whole - 3
    head = bytes([0x30, length]) if length < 128 else bytes([0x30, 0x81, length])
    filler = 64 - len(head) - 2 - 2
    return head + bytes([0x04, filler]) + bytes(filler) + bytes([0x04, whole - 64])


def client(**changes: bytes) -> bytes:
    return b"\x04" + client_handshake(**changes)


REFUSALS = [
    # what is wrong, octets, part of what was expected
    ("nothing", b"", "1 to 4"),
    ("a kind that is none", b"\x00" + TRANSCRIPT, "1 to 4"),
    ("another that is none", b"\x05" + TRANSCRIPT, "1 to 4"),
    ("no transcript hash", b"\x01", "32 or 48"),
    ("one of SHA-1", b"\x01" + bytes(20), "32 or 48"),
    ("one of SHA-512", b"\x02" + bytes(64), "32 or 48"),
    ("no randoms", b"\x03", "both randoms"),
    ("no params", server_key_exchange(exchange=b""), "a curve type"),
    ("an explicit prime curve", server_key_exchange(exchange=b"\x01" + params()[1:]), "named_curve"),
    ("an unknown curve", server_key_exchange(exchange=b"\x03\x00\x19" + params()[3:]), "secp256r1"),
    ("x448", server_key_exchange(exchange=b"\x03\x00\x1e" + vector(1, bytes(56))), "secp256r1"),
    ("a compressed point", server_key_exchange(exchange=params(octets=COMPRESSED)), "a point of 65"),
    ("a hybrid point", server_key_exchange(exchange=params(octets=b"\x06" + P256[1:])), "uncompressed"),
    ("a point off the curve", server_key_exchange(exchange=params(octets=OFF_THE_CURVE)), "a point on secp256r1"),
    ("a point of another curve", server_key_exchange(exchange=params(octets=point("secp384r1"))), "a point of 65"),
    ("a point too short", server_key_exchange(exchange=params("x25519", bytes(31))), "a point of 32"),
    ("no point", server_key_exchange(exchange=params(octets=b"")), "a point of 65"),
    ("a point cut short", server_key_exchange()[:-1], "a point of 65"),
    ("trailing octets", server_key_exchange() + b"\x00", "nothing more"),
    ("a signature after it", server_key_exchange() + b"\x04\x03", "nothing more"),
    ("randoms of a GBCS message", server_key_exchange(HEADER), "nothing else can be meant"),
    ("randoms of DER", server_key_exchange(der_of(133)), "nothing else can be meant"),
    ("DER of another curve", server_key_exchange(der_of(165), params("secp384r1")), "nothing else can be meant"),
    ("DER of a third curve", server_key_exchange(der_of(100), params("x25519")), "nothing else can be meant"),
    ("no messages", b"\x04", "the messages from ClientHello"),
    ("half a message", client()[:-1], "a handshake message"),
    ("a message after the last", client() + message(20, bytes(12)), "the messages from"),
    ("a HelloRequest", b"\x04" + message(0) + client_handshake(), "the messages from"),
    ("no ClientHello", client(client_hello=b""), "the messages from"),
    ("no ServerHello", client(server_hello=b""), "the messages from"),
    ("an anonymous server", client(server_certificate=b""), "the messages from"),
    ("nobody asked for a certificate", client(request=b""), "the messages from"),
    (
        "a request before the key exchange",
        client(key_exchange=certificate_request() + SERVER_KEY_EXCHANGE, request=b""),
        "the messages from",
    ),
    ("two ServerHelloDone", client(done=DONE + DONE), "the messages from"),
    ("no ClientKeyExchange", client(client_key_exchange=b""), "the messages from"),
    ("a ClientKeyExchange of nothing", client(client_key_exchange=message(16)), "ClientKeyExchange"),
    ("a ServerHelloDone of something", client(done=message(14, b"\x00")), "nothing more"),
    ("no client certificate", client(client_certificate=certificates()), "a certificate_list"),
    ("an empty client certificate", client(client_certificate=certificates(b"")), "a certificate"),
    (
        "octets after the certificates",
        client(client_certificate=message(11, vector(3, vector(3, b"x")), b"y")),
        "nothing",
    ),
    ("TLS 1.1", client(client_hello=client_hello(version=b"\x03\x02")), "TLS 1.2"),
    ("TLS 1.3 on the wire", client(server_hello=server_hello(version=b"\x03\x04")), "TLS 1.2"),
    (
        "TLS 1.3 by extension",
        client(server_hello=server_hello(extensions=vector(2, extension(43, b"\x03\x04")))),
        "a ServerHello of TLS 1.2",
    ),
    ("compression", client(server_hello=server_hello(compression=b"\x01")), "no compression"),
    ("an extension twice", client(client_hello=client_hello(extensions=TWICE)), "each extension once"),
    ("octets after the extensions", client(client_hello=client_hello(extensions=vector(2) + b"\x00")), "nothing more"),
    ("a server that takes no P-256", client(request=certificate_request(algorithms=b"\x08\x04")), "ecdsa_secp256r1"),
    ("half an algorithm", client(request=certificate_request(algorithms=b"\x04\x03\x05")), "supported_signature"),
    ("a name of nothing", client(request=certificate_request(names=vector(2))), "a distinguished name"),
    ("a ClientHello of nothing", client(client_hello=message(1)), "a protocol version"),
    ("a ServerHello cut short", client(server_hello=message(2, b"\x03\x03" + bytes(31))), "server random"),
]


@pytest.mark.parametrize(("octets", "expected"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refuses(octets: bytes, expected: str) -> None:
    with pytest.raises(ContentMalformed) as caught:
        handshake(octets)
    assert expected in caught.value.expected
    assert 0 <= caught.value.offset <= len(octets)


def test_refuses_what_comes_beside_it() -> None:
    beside = Accompanying(kind=AccompanyingKind.SIGNER_CERTIFICATE, octets=b"x")
    with pytest.raises(ContentMalformed, match="nothing beside it"):
        decode(ContentKind.TLS_HANDSHAKE, b"\x01" + TRANSCRIPT, [beside])


@pytest.mark.parametrize("size", [32, 48])
@pytest.mark.parametrize(("role", "word"), [(1, b"client"), (2, b"server")])
def test_builds_the_content_of_tls_1_3(role: int, word: bytes, size: int) -> None:
    content = handshake(bytes([role]) + bytes(size))
    assert content.to_be_signed == b" " * 64 + b"TLS 1.3, " + word + b" CertificateVerify\x00" + bytes(size)
    assert content.sha256 == sha256(content.to_be_signed).digest()
    assert facts_of(content)["told"].startswith("the content is itself a hash")
    assert facts_of(content)["signed"] == f"TLS 1.3 CertificateVerify, {word.decode()}"


# RFC 8446 section 4.4.3 prints the content for a server and a Transcript-Hash of 32 octets 01.
def test_builds_the_example_of_rfc_8446() -> None:
    expected = (
        "2020202020202020202020202020202020202020202020202020202020202020"
        "2020202020202020202020202020202020202020202020202020202020202020"
        "544c5320312e332c207365727665722043657274696669636174655665726966"
        "79"
        "00"
        "0101010101010101010101010101010101010101010101010101010101010101"
    )
    assert handshake(b"\x02" + b"\x01" * 32).to_be_signed.hex() == expected


@pytest.mark.parametrize("curve", NUMBERS)
def test_reads_a_server_key_exchange(curve: str) -> None:
    content = handshake(server_key_exchange(exchange=params(curve)))
    assert content.exchange is not None
    assert (content.exchange.curve, content.exchange.point) == (curve, point(curve))
    assert content.to_be_signed == CLIENT_RANDOM + SERVER_RANDOM + params(curve)
    assert content.sha256 == sha256(content.to_be_signed).digest()
    assert facts_of(content) == {
        "kind": "tls-handshake",
        "signed": "TLS 1.2 ServerKeyExchange",
        "curve": curve,
        "client_random": CLIENT_RANDOM.hex(),
        "server_random": SERVER_RANDOM.hex(),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": STATUS},
        {"key_exchange": b""},
        {"client_hello": client_hello(extensions=b"")},
        {"client_hello": client_hello(extensions=vector(2))},
        {"server_hello": server_hello(extensions=b"")},
        {"request": certificate_request(names=vector(2, b"\x30\x00"))},
        {"client_certificate": certificates(b"client", b"issuer")},
    ],
)
def test_reads_every_message_of_a_client(changes: dict[str, bytes]) -> None:
    octets = client_handshake(**changes)
    content = handshake(b"\x04" + octets)
    assert content.handshake is not None
    assert content.handshake.client_certificate == b"client"
    assert content.to_be_signed == octets
    assert content.sha256 == sha256(octets).digest()
    facts = facts_of(content)
    assert facts["server_certificate"] == sha256(b"server").hexdigest()
    assert facts["cipher_suite"] == "C02B"
    assert facts["server_random"] == SERVER_RANDOM.hex()


def test_gives_the_signature_as_tls_has_it() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1())
    content = handshake(b"\x02" + TRANSCRIPT)
    for r, s in ((1, 2), (1 << 255, (1 << 255) + 1)):
        der = assemble(content, [r.to_bytes(32, "big") + s.to_bytes(32, "big")])
        check_der(der, 0, len(der))
    # And one that verifies, by code that shares nothing with ours.
    der = key.sign(content.to_be_signed, ec.ECDSA(SHA256()))
    number = der[3 + 1 : 4 + der[3]], der[6 + der[3] :]
    raw = b"".join(int.from_bytes(each, "big").to_bytes(32, "big") for each in number)
    assert assemble(content, [raw]) == der


COMPOSED = [
    b"\x01" + TRANSCRIPT,
    server_key_exchange(),
    server_key_exchange(exchange=params("x25519")),
    client(status=STATUS),
]


@given(
    start=st.sampled_from(COMPOSED),
    at=st.integers(0, 400),
    octet=st.integers(0, 255),
    tail=st.binary(max_size=4),
)
def test_spoilt_handshakes_sign_their_own_octets_or_are_malformed(
    start: bytes, at: int, octet: int, tail: bytes
) -> None:
    spoilt = bytearray(start)
    spoilt[at % len(spoilt)] = octet
    octets = bytes(spoilt) + tail
    try:
        content = handshake(octets)
    except ContentMalformed:
        return
    assert content.octets == octets
    if content.signed in (Signed.SERVER_KEY_EXCHANGE_1_2, Signed.CLIENT_CERTIFICATE_VERIFY_1_2):
        assert content.to_be_signed == octets[1:]
    else:
        assert content.to_be_signed.endswith(b"\x00" + octets[1:])


@given(octets=st.binary(max_size=200))
def test_any_octets_are_a_handshake_or_malformed(octets: bytes) -> None:
    for kind in b"\x01\x02\x03\x04":
        try:
            handshake(bytes([kind]) + octets)
        except ContentMalformed:
            continue


BEGINNINGS = st.one_of(
    st.just(b""),
    st.sampled_from([HEADER, b" " * 64, client_handshake()[:64], b"<SignedInfo>", b"keybroker.example/dev\n42\n"]),
    st.sampled_from(
        [der_of(100), der_of(133), der_of(165), b"\x30\x81\x82\x02\x01\x00", b"\x30\x62\x02\x01\x00\x30\x00"]
    ),
)
OTHERS = sorted(set(ContentKind) - {ContentKind.TLS_HANDSHAKE})


@given(
    beginning=BEGINNINGS,
    rest=st.binary(min_size=64, max_size=64),
    curve=st.sampled_from(sorted(NUMBERS)),
    role=st.sampled_from(b"\x01\x02"),
)
def test_what_is_signed_is_never_what_another_kind_of_content_signs(
    beginning: bytes, rest: bytes, curve: str, role: int
) -> None:
    """Whatever begins it: as content of its own, what a handshake signs has no reading."""
    randoms = (beginning + rest)[:64]
    offered = [bytes([role]) + rest[:48], b"\x03" + randoms + params(curve), client()]
    for octets in offered:
        try:
            signed = handshake(octets).to_be_signed
        except ContentMalformed:
            continue
        for kind in OTHERS:
            # What is signed of a GBCS message begins with its second octet.
            first = b"\xdf" if kind in (ContentKind.PRE_COMMAND, ContentKind.COMMAND) else b""
            with pytest.raises(ContentMalformed):
                decode(kind, first + signed)
        for form in b"\x03\x04":
            if bytes([form]) + signed != octets:
                with pytest.raises(ContentMalformed):
                    handshake(bytes([form]) + signed)


def test_the_four_forms_are_told_apart_by_what_they_sign() -> None:
    signed = {handshake(octets).to_be_signed for octets in [*COMPOSED, b"\x02" + TRANSCRIPT]}
    assert len(signed) == len(COMPOSED) + 1
