"""Asking a time server over UDP: silence, strangers and liars give no reading; an honest one gives the difference."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from keybroker.config.clocks import Clocks, running_seconds
from keybroker.config.time_source import NoReading, Reading, read_offset
from tests.config.time_server import Spoil, TimeServer, kiss, silent, with_octets

CLOCKS = Clocks(wall=lambda: datetime.now(UTC), running=running_seconds)


def read(server: TimeServer, *, timeout: float = 0.3, clocks: Clocks = CLOCKS) -> Reading:
    return read_offset(server.host, server.port, timeout=timeout, clocks=clocks)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (silent, "no answer in time"),
        (with_octets(24, b"\x5a" * 8), "not asked"),
        (kiss(b"RATE"), "RATE"),
        (with_octets(1, b"\x10"), "no time itself"),
        (lambda answer: [answer[:40]], "40 octets"),
        (lambda answer: [answer + bytes(2000)], "512 octets"),
        (lambda answer: [answer[:0]] * 100, "0 octets"),
    ],
    ids=["silence", "wrong originate", "kiss-o'-death", "no time", "short", "long", "a flood of nothing"],
)
def test_refuses_a_server_that_does_not_answer_the_question(spoil: Spoil, says: str) -> None:
    with TimeServer(spoil=spoil) as server, pytest.raises(NoReading) as refused:
        read(server)
    assert says in refused.value.why


def test_refuses_a_place_where_nobody_listens_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port = end.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(NoReading, match="cannot be asked"):
        read_offset("127.0.0.1", port, timeout=5, clocks=CLOCKS)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", ""])
def test_refuses_a_host_without_an_address(host: str) -> None:
    with pytest.raises(NoReading):
        read_offset(host, 9, timeout=0.2, clocks=CLOCKS)


def test_silence_costs_no_more_than_the_timeout() -> None:
    with TimeServer(spoil=silent) as server:
        begun = time.monotonic()
        with pytest.raises(NoReading):
            read(server, timeout=0.25)
        assert 0.2 < time.monotonic() - begun < 1


def test_an_answer_from_another_place_is_not_heard() -> None:
    """The stranger knows the question, and answers from another port."""
    with TimeServer(spoil=silent) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

        def pass_on(answer: bytes) -> list[bytes]:
            asker = server.last_asker
            assert asker is not None
            stranger.sendto(answer, asker)
            return []

        server.spoil = pass_on
        with pytest.raises(NoReading, match="no answer in time"):
            read(server)
        assert server.questions == 1


def test_a_guess_that_comes_first_does_not_keep_the_answer_from_being_heard() -> None:
    def guess_first(answer: bytes) -> list[bytes]:
        return [b"x", answer[:24] + bytes(8) + answer[32:], answer]

    with TimeServer(offset=7, spoil=guess_first) as server:
        assert read(server).offset_seconds == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize("offset", [-90_000.0, -0.5, 0.0, 0.5, 90_000.0])
def test_reads_what_an_honest_server_is_ahead_by(offset: float) -> None:
    with TimeServer(offset=offset) as server:
        reading = read(server, timeout=2)
    assert abs(reading.offset_seconds - offset) <= reading.margin_seconds
    assert 0 <= reading.round_trip_seconds < 2
    assert reading.root_distance_seconds == pytest.approx(0.01, abs=1e-4)


def test_every_question_is_another() -> None:
    seen: list[bytes] = []

    def remember(answer: bytes) -> list[bytes]:
        seen.append(answer[24:32])
        return [answer]

    with TimeServer(spoil=remember) as server:
        for _ in range(3):
            read(server, timeout=2)
    assert len(set(seen)) == 3


def test_a_step_while_the_answer_is_under_way_stands_in_the_reading_as_a_step_since() -> None:
    """Our clock is put forward by an hour between question and answer: the reading speaks of the instant before."""
    stepped = threading.Event()

    def wall() -> datetime:
        return datetime.now(UTC) + timedelta(hours=1 if stepped.is_set() else 0)

    def step(answer: bytes) -> list[bytes]:
        stepped.set()
        return [answer]

    clocks = Clocks(wall=wall, running=running_seconds)
    with TimeServer(spoil=step) as server:
        reading = read(server, timeout=2, clocks=clocks)
    assert abs(reading.offset_seconds) <= reading.margin_seconds
    assert reading.at.stepped_until(clocks.now()) == pytest.approx(3600, abs=0.5)
