"""A back-up that was changed, cut, lengthened or put together otherwise is refused; else it gives what was put in."""

from __future__ import annotations

import io
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.errors import LedgerBroken
from keybroker.ledger.backup_form import CHUNK, MAGIC, Header, opened_chunks, read_header, sealed_chunks

KEY = bytes(range(32))
TAG = 16


def a_header(database: bytes) -> Header:
    return Header(
        origin="keybroker.example/tests/TEST",
        deployment="test",
        at="2026-01-15T12:00:00.000000Z",
        tree_size=7,
        root_hash="00" * 32,
        octets=len(database),
        sha256=sha256(database).hexdigest(),
        recipients=((sha256(b"certificate").hexdigest(), b"envelope"),),
    )


def sealed(database: bytes) -> bytes:
    header = a_header(database)
    return header.encoded() + b"".join(sealed_chunks(io.BytesIO(database), header, KEY))


def opened(back_up: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO(back_up)
    return b"".join(opened_chunks(file, read_header(file), key))


SMALL = sealed(b"a database")
LARGE = bytes(range(251)) * (2 * CHUNK // 251 + 1)
BEGIN = len(a_header(LARGE).encoded())


@settings(max_examples=300)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_refuses_any_octet_that_was_changed(at: int, by: int) -> None:
    changed = bytearray(SMALL)
    changed[at] ^= by
    with pytest.raises(LedgerBroken):
        opened(bytes(changed))


def test_refuses_a_file_that_was_cut() -> None:
    """At each length."""
    for length in range(len(SMALL)):
        with pytest.raises(LedgerBroken):
            opened(SMALL[:length])


@given(st.binary(min_size=1))
def test_refuses_a_file_that_was_lengthened(more: bytes) -> None:
    with pytest.raises(LedgerBroken, match="nothing behind the last chunk"):
        opened(SMALL + more)


@given(st.binary(max_size=200))
def test_reads_nothing_else_as_a_back_up(octets: bytes) -> None:
    for each in (octets, MAGIC + octets):
        with pytest.raises(LedgerBroken):
            opened(each)


def test_refuses_chunks_that_were_exchanged_left_out_or_cut_at_their_bounds() -> None:
    whole, step = sealed(LARGE), CHUNK + TAG
    first, second, last = whole[BEGIN : BEGIN + step], whole[BEGIN + step : BEGIN + 2 * step], whole[BEGIN + 2 * step :]
    for chunks in ((second, first, last), (first, last), (first, second), (first,), (first, first, last), ()):
        with pytest.raises(LedgerBroken):
            opened(whole[:BEGIN] + b"".join(chunks))


def test_refuses_another_header_over_the_same_chunks() -> None:
    database = b"a database"
    chunks = SMALL[len(a_header(database).encoded()) :]
    for changes in ({"origin": "other/TEST"}, {"tree_size": 8}, {"root_hash": "11" * 32}, {"recipients": ()}):
        with pytest.raises(LedgerBroken, match="chunk 0 as it was sealed"):
            opened(replace(a_header(database), **changes).encoded() + chunks)


def test_refuses_another_key_and_another_recipient() -> None:
    with pytest.raises(LedgerBroken, match="chunk 0 as it was sealed"):
        opened(SMALL, bytes(32))
    with pytest.raises(LedgerBroken, match="expected a recipient"):
        a_header(b"x").envelope_for(b"another certificate")
    assert a_header(b"x").envelope_for(b"certificate") == b"envelope"


@pytest.mark.parametrize("octets", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_gives_what_was_put_in(octets: int) -> None:
    assert opened(sealed(LARGE[:octets])) == LARGE[:octets]


def test_no_two_chunks_of_a_file_are_sealed_alike() -> None:
    header = a_header(bytes(3 * CHUNK))
    chunks = list(sealed_chunks(io.BytesIO(bytes(3 * CHUNK)), header, KEY))
    assert len(chunks) == 3
    assert len(set(chunks)) == 3
