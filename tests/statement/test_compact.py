"""What is refused before anybody looks who signed it: form, header, JSON. Then the one form that is read."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.statement.compact import LONGEST_OCTETS, read_compact
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.strict_json import DEEPEST
from tests.statement.attested import Attests, an_order, encoded, parts, signed

ALICE = Attests(name="alice")
GOOD = ALICE.state(an_order())
HEADER, PAYLOAD, SIGNATURE = parts(GOOD)


def with_header(**members: Any) -> bytes:
    header = {name: value for name, value in (json.loads(HEADER) | members).items() if value is not None}
    return signed(ALICE, json.dumps(header).encode(), PAYLOAD)


def with_payload(octets: bytes) -> bytes:
    return signed(ALICE, HEADER, octets)


def keyed_with_the_public_key() -> bytes:
    """HS256, with what everybody knows as its secret."""
    header = json.dumps(json.loads(HEADER) | {"alg": "HS256"}).encode()
    signing_input = encoded(header) + b"." + encoded(PAYLOAD)
    secret = ALICE.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.digest(secret, signing_input, "sha256")
    return signing_input + b"." + encoded(mac + bytes(32))


def nested(depth: int) -> bytes:
    return b'{"nonce":' + b"[" * depth + b"]" * depth + b"}"


IN_DER = ALICE.key.sign(PAYLOAD, ec.ECDSA(SHA256()))
JWK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}

ATTACKS: dict[str, tuple[bytes, Flaw]] = {
    "alg none": (with_header(alg="none"), Flaw.ALGORITHM),
    "alg none without a signature": (GOOD.rpartition(b".")[0] + b".", Flaw.NOT_COMPACT),
    "alg NONE in capitals": (with_header(alg="NONE"), Flaw.ALGORITHM),
    "HS256 with the public key as secret": (keyed_with_the_public_key(), Flaw.ALGORITHM),
    "ES384": (with_header(alg="ES384"), Flaw.ALGORITHM),
    "its own key in the header": (with_header(jwk=JWK), Flaw.HEADER),
    "where its key is": (with_header(jku="https://example.org/keys"), Flaw.HEADER),
    "its own certificate": (with_header(x5c=["AAAA"]), Flaw.HEADER),
    "where its certificate is": (with_header(x5u="https://example.org/c"), Flaw.HEADER),
    "a thumbprint": (with_header(x5t="AAAA"), Flaw.HEADER),
    "crit": (with_header(crit=["exp"]), Flaw.HEADER),
    "an empty crit": (with_header(crit=[]), Flaw.HEADER),
    "b64 false": (with_header(b64=False, crit=["b64"]), Flaw.HEADER),
    "cty": (with_header(cty="JWT"), Flaw.HEADER),
    "no typ": (with_header(typ=None), Flaw.HEADER),
    "no kid": (with_header(kid=None), Flaw.HEADER),
    "no alg": (with_header(alg=None), Flaw.HEADER),
    "alg a number": (with_header(alg=256), Flaw.HEADER),
    "kid in capitals": (with_header(kid=ALICE.kid.upper()), Flaw.HEADER),
    "kid a path": (with_header(kid="../../etc/passwd"), Flaw.HEADER),
    "kid with a line feed behind": (with_header(kid=ALICE.kid + "\n"), Flaw.HEADER),
    "kid of a list": (with_header(kid=[ALICE.kid]), Flaw.HEADER),
    "alg twice": (signed(ALICE, b'{"alg":"none",' + HEADER[1:], PAYLOAD), Flaw.DUPLICATE_KEY),
    "typ twice, the second escaped": (signed(ALICE, HEADER[:-1] + b',"t\\u0079p":"x"}', PAYLOAD), Flaw.DUPLICATE_KEY),
    "act twice": (with_payload(b'{"act":"Retire",' + PAYLOAD[1:]), Flaw.DUPLICATE_KEY),
    "a key twice, deep": (with_payload(b'{"a":[{"b":1,"b":1}]}'), Flaw.DUPLICATE_KEY),
    "a level too deep": (with_payload(nested(DEEPEST)), Flaw.TOO_DEEP),
    "ten thousand brackets": (with_payload(b"[" * 10_000), Flaw.TOO_DEEP),
    "ten thousand brackets behind a quote": (with_payload(b'{"a":"' + b"[" * 5_000), Flaw.NOT_JSON),
    "a header too deep": (signed(ALICE, nested(50), PAYLOAD), Flaw.TOO_DEEP),
    "an octet too long": (GOOD + b"A" * (LONGEST_OCTETS - len(GOOD) + 1), Flaw.TOO_LONG),
    "a megabyte": (with_payload(b'{"a":"' + b"x" * (1 << 20) + b'"}'), Flaw.TOO_LONG),
    "nothing": (b"", Flaw.NOT_COMPACT),
    "two dots alone": (b"..", Flaw.NOT_COMPACT),
    "two parts": (GOOD.rpartition(b".")[0], Flaw.NOT_COMPACT),
    "five parts, as of a JWE": (GOOD + b".AA.AA", Flaw.NOT_COMPACT),
    "JSON serialisation": (b'{"payload":"e30","signatures":[]}', Flaw.NOT_COMPACT),
    "padded": (encoded(HEADER) + b"=." + GOOD.partition(b".")[2], Flaw.NOT_COMPACT),
    "the other alphabet": (GOOD[:-4] + b"+/+/", Flaw.NOT_COMPACT),
    "a space in front": (b" " + GOOD, Flaw.NOT_COMPACT),
    "a line feed behind": (GOOD + b"\n", Flaw.NOT_COMPACT),
    "a line feed within": (GOOD[:40] + b"\n" + GOOD[40:], Flaw.NOT_COMPACT),
    "beyond ASCII": (GOOD[:-2] + "é".encode(), Flaw.NOT_COMPACT),
    "a signature in DER": (GOOD.rpartition(b".")[0] + b"." + encoded(IN_DER), Flaw.NOT_COMPACT),
    "a signature of 63 octets": (GOOD.rpartition(b".")[0] + b"." + encoded(SIGNATURE[:-1]), Flaw.NOT_COMPACT),
    "a signature of 65 octets": (GOOD.rpartition(b".")[0] + b"." + encoded(SIGNATURE + b"\0"), Flaw.NOT_COMPACT),
    "text for a payload": (with_payload(b"hello"), Flaw.NOT_JSON),
    "a list for a payload": (with_payload(b"[]"), Flaw.NOT_JSON),
    "a header that is no JSON": (signed(ALICE, b"{alg:ES256}", PAYLOAD), Flaw.NOT_JSON),
    "something behind the payload": (with_payload(PAYLOAD + b"{}"), Flaw.NOT_JSON),
    "UTF-16": (with_payload(PAYLOAD.decode().encode("utf-16")), Flaw.NOT_JSON),
    "a byte order mark": (with_payload(b"\xef\xbb\xbf" + PAYLOAD), Flaw.NOT_JSON),
    "octets that are no UTF-8": (with_payload(b'{"a":"\xff"}'), Flaw.NOT_JSON),
    "a lone surrogate": (with_payload(b'{"a":"\\ud800"}'), Flaw.NOT_JSON),
    "a lone surrogate as a key": (with_payload(b'{"\\ud800":1}'), Flaw.NOT_JSON),
    "NaN": (with_payload(b'{"a":NaN}'), Flaw.NOT_JSON),
    "a float": (with_payload(b'{"exp":1e400}'), Flaw.NOT_JSON),
    "an integer beyond 2^53": (with_payload(b'{"exp":9007199254740994}'), Flaw.NOT_JSON),
    "an integer of four thousand digits": (with_payload(b'{"exp":' + b"9" * 4_400 + b"}"), Flaw.NOT_JSON),
    "a comment": (with_payload(b"{/* */}"), Flaw.NOT_JSON),
}


@pytest.mark.parametrize(("octets", "flaw"), ATTACKS.values(), ids=ATTACKS)
def test_refuses_what_is_no_compact_jws_of_ours(octets: bytes, flaw: Flaw) -> None:
    with pytest.raises(StatementUnfit) as refused:
        read_compact(octets)
    assert refused.value.flaw is flaw
    assert len(str(refused.value)) < 400


def test_refuses_trailing_bits_that_the_last_character_does_not_need() -> None:
    """64 octets end in a character of which four bits count for nothing: sixteen spellings of one signature."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(GOOD[-1])
    others = [GOOD[:-1] + alphabet[last + more : last + more + 1] for more in range(1, 16)]
    for octets in others:
        with pytest.raises(StatementUnfit) as refused:
            read_compact(octets)
        assert refused.value.flaw is Flaw.NOT_COMPACT


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_refuses_it_cut_short_at_any_place(cut: int) -> None:
    with pytest.raises(StatementUnfit):
        read_compact(GOOD[:cut])


def test_brackets_within_text_are_no_depth() -> None:
    assert read_compact(with_payload(b'{"a":"[[[[[[[[[[\\"[[[["}')).claims == {"a": '[[[[[[[[[["[[[['}


def test_reads_what_is_one() -> None:
    read = read_compact(GOOD)
    assert (read.kid, read.typ) == (ALICE.kid, StatementKind.ORDER.typ)
    assert read.sha256 == hashlib.sha256(PAYLOAD).digest()
    assert read.claims == json.loads(PAYLOAD)
    assert read.compact == GOOD.decode()
