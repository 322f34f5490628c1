"""A time server's answer: what is none, or none that can be relied on, raises NoReading and nothing else."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.config.sntp import Answer, NoReading, question, read_answer, timestamp
from tests.config.time_server import compose_answer, kiss, with_octets

NONCE = bytes(range(1, 9))
AT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
WAITED = 0.04


def an_answer(*, offset: float = 0.0, held: float = 0.02, root_distance: float = 0.01) -> bytes:
    """Half of the way is there, half is back."""
    arrives = AT + timedelta(seconds=offset + (WAITED - held) / 2)
    return compose_answer(question(NONCE), arrives, held=held, root_distance=root_distance)


def read(octets: bytes, *, waited: float = WAITED) -> Answer:
    return read_answer(octets, nonce=NONCE, sent=AT, waited=waited)


GOOD = an_answer()


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "0 octets"),
        (GOOD[:-1], "47 octets"),
        (GOOD + bytes(4), "52 octets"),
        (with_octets(24, bytes(8))(GOOD)[0], "not asked"),
        (with_octets(31, b"\0")(GOOD)[0], "not asked"),
        (with_octets(0, b"\x23")(GOOD)[0], "mode 3 of version 4"),
        (with_octets(0, b"\x25")(GOOD)[0], "mode 5 of version 4"),
        (with_octets(0, b"\x1c")(GOOD)[0], "mode 4 of version 3"),
        (with_octets(0, b"\xe4")(GOOD)[0], "leap indicator 3"),
        (with_octets(1, b"\x10")(GOOD)[0], "stratum 16"),
        (with_octets(1, b"\xff")(GOOD)[0], "stratum 255"),
        (kiss(b"RATE")(GOOD)[0], "left alone (RATE)"),
        (kiss(b"\x1b[2J")(GOOD)[0], "left alone (1b5b324a)"),
        (an_answer(root_distance=1.01), "wrong by 1.010 s"),
        (with_octets(4, struct.pack("!I", 3 << 16))(GOOD)[0], "wrong by 1.510 s"),
        (with_octets(32, bytes(8))(GOOD)[0], "without a time"),
        (with_octets(40, bytes(8))(GOOD)[0], "without a time"),
        (an_answer(held=-0.001), "held our question for -0.001 s"),
        (an_answer(held=0.06), "held our question for 0.060 s"),
    ],
)
def test_refuses_what_is_no_answer_to_rely_on(octets: bytes, says: str) -> None:
    with pytest.raises(NoReading) as refused:
        read(octets)
    assert says in refused.value.why


def test_tells_what_is_no_answer_to_our_question_from_what_is() -> None:
    for octets, foreign, kissed in (
        (GOOD[:-1], True, ""),
        (with_octets(24, bytes(8))(GOOD)[0], True, ""),
        (kiss(b"DENY")(GOOD)[0], False, "DENY"),
        (with_octets(1, b"\x10")(GOOD)[0], False, ""),
    ):
        with pytest.raises(NoReading) as refused:
            read(octets)
        assert (refused.value.foreign, refused.value.kiss) == (foreign, kissed)


def test_a_stranger_who_did_not_see_the_question_cannot_kiss() -> None:
    with pytest.raises(NoReading) as refused:
        read(with_octets(24, bytes(8))(kiss(b"DENY")(GOOD)[0])[0])
    assert refused.value.kiss == ""


def test_reads_an_honest_answer() -> None:
    answer = read(GOOD)
    assert answer.offset == pytest.approx(0, abs=1e-5)
    assert answer.round_trip == pytest.approx(0.02, abs=1e-5)
    assert answer.root_distance == pytest.approx(0.01, abs=1e-4)


@given(st.floats(-86_400 * 365 * 60, 86_400 * 365 * 60), st.floats(0, WAITED))
def test_the_offset_is_what_the_server_is_ahead_by(offset: float, held: float) -> None:
    answer = read(an_answer(offset=offset, held=held))
    assert answer.offset == pytest.approx(offset, abs=1e-5)
    assert answer.round_trip == pytest.approx(WAITED - held, abs=1e-5)


@pytest.mark.parametrize("offset", [-3.0, 3.0])
def test_the_year_2036_is_no_edge(offset: float) -> None:
    """The era of the timestamps ends on 2036-02-07 at 06:28:16 (RFC 5905 section 6)."""
    end = datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC)
    assert (timestamp(end), timestamp(end - timedelta(seconds=1)) >> 32) == (0, 0xFFFFFFFF)
    for ours in (end - timedelta(seconds=1), end + timedelta(seconds=1)):
        octets = compose_answer(question(NONCE), ours + timedelta(seconds=offset))
        assert read_answer(octets, nonce=NONCE, sent=ours, waited=0.0).offset == pytest.approx(offset, abs=1e-5)


@given(st.binary(max_size=60))
def test_any_octets_read_or_raise_no_reading(octets: bytes) -> None:
    _read_or_refuse(octets)


@given(st.lists(st.tuples(st.integers(0, 47), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_answer_reads_or_raises_no_reading(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(GOOD)
    for place, octet in changes:
        octets[place] = octet
    _read_or_refuse(bytes(octets))


def test_every_octet_of_the_question_that_comes_back_counts() -> None:
    for place in range(24, 32):
        for bit in range(8):
            octets = bytearray(GOOD)
            octets[place] ^= 1 << bit
            with pytest.raises(NoReading, match="not asked"):
                read(bytes(octets))


@pytest.mark.parametrize("length", range(48))
def test_refuses_an_answer_cut_short(length: int) -> None:
    with pytest.raises(NoReading):
        read(GOOD[:length])


def _read_or_refuse(octets: bytes) -> None:
    with suppress(NoReading):
        answer = read(octets)
        assert 0 <= answer.round_trip <= WAITED
        assert 0 <= answer.root_distance <= 1
