"""The audit checkpoint: three lines, or a refusal."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.content.decoding import decode
from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind

ROOT = bytes(range(32))
ROOT_LINE = b64encode(ROOT)
GOOD = b"keybroker.example/dev\n42\n" + ROOT_LINE + b"\n"
SIZE = 22
HASH = 25

REFUSALS = [
    ("nothing at all", b"", 0),
    ("two lines", b"o\n1\n", 0),
    ("no last line end", GOOD[:-1], 0),
    ("an extension line", GOOD + b"more\n", 0),
    ("a signature block", GOOD + b"\n\xe2\x80\x94 origin AAAA\n", 0),
    ("carriage returns", GOOD.replace(b"\n", b"\r\n"), 21),
    ("an empty origin", b"\n42\n" + ROOT_LINE + b"\n", 0),
    ("an origin that is no UTF-8", b"a\xff\n42\n" + ROOT_LINE + b"\n", 1),
    ("an origin with a tab", b"a\tb\n42\n" + ROOT_LINE + b"\n", 1),
    ("an origin with DEL", b"ab\x7f\n42\n" + ROOT_LINE + b"\n", 2),
    ("no tree size", GOOD.replace(b"42", b""), SIZE),
    ("a leading zero", GOOD.replace(b"42", b"042"), SIZE),
    ("a sign", GOOD.replace(b"42", b"+42"), SIZE),
    ("a negative tree size", GOOD.replace(b"42", b"-1"), SIZE),
    ("a space", GOOD.replace(b"42", b"42 "), SIZE),
    ("an underscore", GOOD.replace(b"42", b"4_2"), SIZE),
    ("digits that are not ASCII", GOOD.replace(b"42", "\u0664".encode()), SIZE),
    ("a tree size of 2**64", GOOD.replace(b"42", b"18446744073709551616"), SIZE),
    ("a tree size of 5,000 digits", GOOD.replace(b"42", b"1" * 5_000), SIZE),
    ("no root hash", GOOD.replace(ROOT_LINE, b""), HASH),
    ("a root hash of 31 octets", GOOD.replace(ROOT_LINE, b64encode(ROOT[:31])), HASH),
    ("a root hash of 33 octets", GOOD.replace(ROOT_LINE, b64encode(ROOT + b"!")), HASH),
    ("base64 without padding", GOOD.replace(ROOT_LINE, ROOT_LINE.rstrip(b"=")), HASH),
    ("base64 with other last bits", GOOD.replace(b"Hh8=", b"Hh9="), HASH),
    ("URL-safe base64", GOOD.replace(ROOT_LINE, b"-" + ROOT_LINE[1:]), HASH),
    ("octets that are not ASCII in the root hash", GOOD.replace(ROOT_LINE, b"\xff" + ROOT_LINE[1:]), HASH),
]


@pytest.mark.parametrize(("octets", "offset"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refuses(octets: bytes, offset: int) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(ContentKind.AUDIT_CHECKPOINT, octets)
    assert caught.value.offset == offset
    assert caught.value.source == "C2SP tlog-checkpoint"


@pytest.mark.parametrize(
    ("origin", "tree_size", "root_hash"),
    [("", 1, ROOT), ("a\nb", 1, ROOT), ("a\udcff", 1, ROOT), ("a", -1, ROOT), ("a", 2**64, ROOT), ("a", 1, b"")],
)
def test_refuses_to_write_what_it_could_not_read(origin: str, tree_size: int, root_hash: bytes) -> None:
    with pytest.raises(ContentMalformed):
        encode_checkpoint(origin, tree_size, root_hash)


def test_refuses_truncation_at_every_length() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(ContentMalformed):
            decode(ContentKind.AUDIT_CHECKPOINT, GOOD[:length])


def test_every_field_is_read() -> None:
    assert decode(ContentKind.AUDIT_CHECKPOINT, GOOD) == AuditCheckpoint(
        kind=ContentKind.AUDIT_CHECKPOINT,
        octets=GOOD,
        sha256=hashlib.sha256(GOOD).digest(),
        origin="keybroker.example/dev",
        tree_size=42,
        root_hash=ROOT,
    )


ORIGINS = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1)


@given(ORIGINS, st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_encoded_is_decoded(origin: str, tree_size: int, root_hash: bytes) -> None:
    octets = encode_checkpoint(origin, tree_size, root_hash)
    content = decode(ContentKind.AUDIT_CHECKPOINT, octets)
    assert isinstance(content, AuditCheckpoint)
    assert (content.origin, content.tree_size, content.root_hash) == (origin, tree_size, root_hash)
