"""A wrapped key's octets are read strictly: nothing but what we would write, and whole."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ContentMalformed
from keybroker.hsm.profile_sections import Payload
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey, encode_wrapped_key, read_wrapped_key
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose

PAIR = WrappedKey(
    label=KeyLabel("recovery-a"),
    purpose=KeyPurpose.RECOVERY_COMMAND,
    algorithm=KeyAlgorithm.ECDSA,
    identity=b"\x04" + bytes(64),
    blob=bytes(80),
    wrapped_wrapping_key=bytes(384),
    authentication=b"",
    check=b"",
    key_wrap="AES_KEY_WRAP_PAD",
    oaep=WrapMechanism.RSA_OAEP_SHA1,
    payload=Payload.PKCS8_ZERO_PADDED,
    source_serial="0123456789abcdef",
)
SECRET = dataclasses.replace(
    PAIR,
    purpose=KeyPurpose.DCO_SMETS1,
    algorithm=KeyAlgorithm.AES_GCM,
    identity=bytes(20),
    blob=bytes(24),
    authentication=bytes(24),
    check=bytes(27),
    payload=Payload.RAW,
)
GOOD = encode_wrapped_key(PAIR)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        (PAIR, {"identity": bytes(20)}),
        (PAIR, {"identity": b""}),
        (PAIR, {"payload": Payload.RAW}),
        (PAIR, {"check": bytes(27)}),
        (PAIR, {"authentication": bytes(24)}),
        (PAIR, {"blob": b""}),
        (PAIR, {"blob": bytes(81)}),
        (PAIR, {"blob": bytes(8)}),
        (PAIR, {"wrapped_wrapping_key": b""}),
        (PAIR, {"oaep": WrapMechanism.AES_KEY_WRAP_PAD}),
        (PAIR, {"key_wrap": "AES_CBC"}),
        (PAIR, {"label": KeyLabel("")}),
        (PAIR, {"source_serial": "\n"}),
        (SECRET, {"identity": b"\x04" + bytes(64)}),
        (SECRET, {"check": b""}),
        (SECRET, {"payload": Payload.PKCS8}),
        (SECRET, {"authentication": bytes(23)}),
    ],
)
def test_refuses_a_key_with_one_thing_wrong(key: WrappedKey, changes: dict[str, Any]) -> None:
    with pytest.raises(ContentMalformed):
        read_wrapped_key(encode_wrapped_key(dataclasses.replace(key, **changes)))


@pytest.mark.parametrize("name", sorted(json.loads(GOOD)))
@pytest.mark.parametrize("value", [None, 1.5, True, [], {}, "\n"])
def test_refuses_every_field_left_out_or_mistyped(name: str, value: object) -> None:
    changed = {**json.loads(GOOD), name: value}
    with pytest.raises(ContentMalformed):
        read_wrapped_key(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())
    del changed[name]
    with pytest.raises(ContentMalformed):
        read_wrapped_key(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"null",
        GOOD + b"\n",
        GOOD + b" ",
        b" " + GOOD,
        GOOD.replace(b",", b", ", 1),
        GOOD.replace(b'"v":1', b'"v":1,"v":1'),
        GOOD.replace(b'"v":1', b'"v":1,"w":1'),
        GOOD.replace(b"0123456789abcdef", b"0123456789\\u0061bcdef"),
        GOOD.replace(b"recovery-a", "recovery-\u00e4".encode()),
        b"[" * 100_000,
    ],
)
def test_refuses_what_is_not_written_canonically(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        read_wrapped_key(octets)


def test_refuses_every_truncation() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(ContentMalformed):
            read_wrapped_key(GOOD[:length])


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_an_octet_changed_is_refused_or_is_another_key(place: int, change: int) -> None:
    octets = bytearray(GOOD)
    octets[place] ^= change
    try:
        read = read_wrapped_key(bytes(octets))
    except ContentMalformed:
        return
    assert (read != PAIR, read.sha256 != PAIR.sha256, encode_wrapped_key(read) == octets) == (True, True, True)


@pytest.mark.parametrize("key", [PAIR, SECRET])
def test_reads_what_it_wrote(key: WrappedKey) -> None:
    assert read_wrapped_key(encode_wrapped_key(key)) == key
