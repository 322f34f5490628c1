"""The clock is relied on while a reading that counts agrees, and not after a step, until the next reading heals it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.config.clock_watch import ClockWatch, Compared, Doubt, ask
from keybroker.config.clocks import Clocks, running_seconds
from keybroker.config.file import TimeTable
from keybroker.config.time_source import Reading
from tests.config.time_server import TimeServer, as_it_is, kiss, silent

LARGEST, COUNTS = 1.0, 300.0
SOURCE, NETWORK = Compared.SOURCE, Compared.NETWORK_TIME


class Machine:
    """An honest machine: time passes for both of its clocks, and the wall clock may be put."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, tzinfo=UTC)
        self.running = 1_000.0
        self.clocks = Clocks(wall=lambda: self.wall, running=lambda: self.running)

    def wait(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.running += seconds

    def step(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)

    def reading(self, offset: float = 0.0, *, round_trip: float = 0.02, root_distance: float = 0.01) -> Reading:
        return Reading(
            offset_seconds=offset,
            round_trip_seconds=round_trip,
            root_distance_seconds=root_distance,
            at=self.clocks.now(),
        )


def a_table(*, network_time: str | None = None, source: str = "time.example:123", timeout: float = 0.2) -> TimeTable:
    return TimeTable(
        source=source,
        network_time=network_time,
        largest_difference_seconds=LARGEST,
        read_every_seconds=60,
        reading_counts_seconds=COUNTS,
        timeout_seconds=timeout,
    )


class Watched:
    """A machine and its watch. ``read`` brings a reading of the true time, which ``true`` seconds must be added to."""

    def __init__(self, *, network_time: str | None = None) -> None:
        self.machine = Machine()
        self.watch = ClockWatch(a_table(network_time=network_time), self.machine.clocks)

    def read(self, offset: float = 0.0, compared: Compared = SOURCE, **said: float) -> None:
        self.watch.take(compared, self.machine.reading(offset, **said))

    @property
    def why_not(self) -> str:
        return self.watch.stand(self.machine.wall).why_not

    @property
    def doubt(self) -> Doubt | None:
        return self.watch.judge(self.machine.wall).doubt


def nothing(_watched: Watched) -> None:
    pass


def one_miss(watched: Watched) -> None:
    watched.watch.miss(SOURCE, "no answer in time")


def too_old(watched: Watched) -> None:
    watched.read()
    watched.machine.wait(COUNTS + 0.1)


def too_old_and_missed(watched: Watched) -> None:
    too_old(watched)
    one_miss(watched)


def unsaid(watched: Watched) -> None:
    watched.read(round_trip=2.2)


def differs(offset: float, *, round_trip: float = 0.02) -> Callable[[Watched], None]:
    return lambda watched: watched.read(offset, round_trip=round_trip)


def stepped(seconds: float, *, after: float = 1.0, offset: float = 0.0) -> Callable[[Watched], None]:
    def do(watched: Watched) -> None:
        watched.read(offset)
        watched.machine.wait(after)
        watched.machine.step(seconds)

    return do


REFUSED: dict[str, tuple[Callable[[Watched], None], Doubt, str]] = {
    "no reading yet": (nothing, Doubt.NOT_COMPARED, "no reading of time.source yet"),
    "no answer": (one_miss, Doubt.NOT_COMPARED, "yet: no answer in time"),
    "too old": (too_old, Doubt.NOT_COMPARED, "is 300 s old, and counts for 300 s"),
    "too old, and why": (too_old_and_missed, Doubt.NOT_COMPARED, "counts for 300 s: no answer in time"),
    "round trip too long": (unsaid, Doubt.NOT_COMPARED, "too long on its way to say"),
    "behind": (differs(1.1), Doubt.DIFFERS, "the clock is 1.100 s behind time.example:123"),
    "ahead": (differs(-1.1), Doubt.DIFFERS, "the clock is 1.100 s ahead of time.example:123"),
    "not surely within": (differs(0.985), Doubt.DIFFERS, "give or take 0.020 s; 1 s are allowed"),
    "surely beyond, however long": (differs(50, round_trip=4), Doubt.DIFFERS, "50.000 s behind"),
    "put forward": (stepped(1.1), Doubt.DIFFERS, "put forward by 1.100 s"),
    "put back": (stepped(-1.1), Doubt.DIFFERS, "put back by 1.100 s"),
    "put back by a year": (stepped(-31_536_000), Doubt.DIFFERS, "put back by"),
    "put by a little that is too much": (stepped(-0.6, offset=0.6), Doubt.DIFFERS, "1.200 s behind"),
    "put so that it may be right again": (stepped(5, offset=5), Doubt.DIFFERS, "put forward by 5.000 s"),
}


@pytest.mark.clause("G2.46", "G2.47", shows="refusal")
@pytest.mark.parametrize(("do", "doubt", "says"), REFUSED.values(), ids=REFUSED)
def test_refuses_a_clock_and_the_next_good_reading_heals_it(
    do: Callable[[Watched], None], doubt: Doubt, says: str
) -> None:
    watched = Watched()
    do(watched)
    assert says in watched.why_not
    assert watched.doubt is doubt
    watched.machine.wait(1)
    assert watched.why_not
    watched.read()
    assert watched.why_not == ""
    assert watched.doubt is None


@pytest.mark.clause("G2.46", "G2.47", shows="acceptance")
def test_relies_on_a_clock_that_agrees_for_as_long_as_the_reading_counts() -> None:
    watched = Watched()
    watched.read(0.5)
    for _ in range(10):
        assert watched.watch.stand(watched.machine.wall).told == "within 0.520 s of time.example:123"
        watched.machine.wait(COUNTS / 10)
    assert watched.why_not == ""


def test_a_miss_leaves_the_last_reading_standing() -> None:
    watched = Watched()
    watched.read()
    one_miss(watched)
    unsaid(watched)
    assert watched.why_not == ""


def test_the_sleep_of_a_machine_is_no_step_and_a_reading_grows_old_in_it() -> None:
    watched = Watched()
    watched.read()
    watched.machine.wait(COUNTS - 1)
    assert watched.why_not == ""
    watched.machine.wait(86_400)
    assert watched.doubt is Doubt.NOT_COMPARED


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(-3, 3)), max_size=6))
def test_steps_are_noticed_at_once_whatever_came_before(moves: list[tuple[float, float]]) -> None:
    watched = Watched()
    watched.read(0.0, round_trip=0.0, root_distance=0.0)
    total = 0.0
    for seconds, step in moves:
        watched.machine.wait(seconds)
        watched.machine.step(step)
        total += step
        if abs(abs(total) - LARGEST) > 1e-4:
            assert (watched.why_not != "") is (abs(total) > LARGEST)
    watched.machine.wait(1)
    watched.read()
    assert watched.why_not == ""


@given(st.floats(-5, 5), st.floats(0, 4))
def test_never_relies_on_a_clock_that_may_be_further_off_than_configured(offset: float, round_trip: float) -> None:
    """The truth lies anywhere within half of the round trip."""
    watched = Watched()
    watched.read(offset, round_trip=round_trip, root_distance=0.0)
    worst = abs(offset) + round_trip / 2
    assert (watched.why_not == "") is (worst <= LARGEST)


# ---- the moment that the gates judge by


@pytest.mark.parametrize(("lag", "says"), [(30.5, "30.500 s before the clock"), (-1.5, "1.500 s after the clock")])
def test_refuses_a_moment_that_the_clock_did_not_show_a_while_ago(lag: float, says: str) -> None:
    """The clock was put and put back between the look at it and now."""
    watched = Watched()
    watched.read()
    stand = watched.watch.stand(watched.machine.wall - timedelta(seconds=lag))
    assert says in stand.why_not
    assert watched.watch.stand(watched.machine.wall - timedelta(seconds=10)).why_not == ""


# ---- the Network Time


def apart(network: float, source: float = 0.0) -> Callable[[Watched], None]:
    def do(watched: Watched) -> None:
        watched.read(source)
        watched.machine.wait(2)
        watched.read(network, NETWORK)

    return do


def network_grew_old(watched: Watched) -> None:
    watched.read(0, NETWORK)
    watched.machine.wait(COUNTS + 1)
    watched.read()


@pytest.mark.clause("G2.46", "G2.47", shows="refusal")
@pytest.mark.parametrize(
    ("do", "doubt", "says"),
    [
        (lambda watched: watched.read(), Doubt.NOT_COMPARED, "no reading of time.network_time yet"),
        (network_grew_old, Doubt.NOT_COMPARED, "time.network_time is 301 s old"),
        (apart(2), Doubt.DIFFERS, "the Network Time (dcc.example:123) is 2.000 s ahead of time.example:123"),
        (apart(-2), Doubt.DIFFERS, "the Network Time (dcc.example:123) is 2.000 s behind time.example:123"),
        (apart(-0.7, 0.7), Doubt.DIFFERS, "is 1.400 s behind"),
        (apart(-0.97), Doubt.DIFFERS, "give or take 0.040 s"),
    ],
)
def test_refuses_a_network_time_that_differs_from_the_independent_time_source(
    do: Callable[[Watched], None], doubt: Doubt, says: str
) -> None:
    watched = Watched(network_time="dcc.example:123")
    do(watched)
    assert says in watched.why_not
    assert watched.doubt is doubt
    watched.read()
    watched.read(0.1, NETWORK)
    assert watched.why_not == ""


@pytest.mark.clause("G2.46", "G2.47", shows="acceptance")
def test_tells_how_near_the_network_time_is() -> None:
    watched = Watched(network_time="dcc.example:123")
    apart(0.5, 0.2)(watched)
    told = watched.watch.stand(watched.machine.wall).told
    assert told == "within 0.220 s of time.example:123, and the Network Time within 0.340 s of it"


def test_a_step_of_our_own_clock_is_none_of_the_network_times() -> None:
    """The Network Time was read before the step, the source after it."""
    watched = Watched(network_time="dcc.example:123")
    watched.read(3, NETWORK)
    watched.machine.step(3)
    watched.read()
    assert watched.why_not == ""
    assert watched.watch.offsets() == {NETWORK: pytest.approx(0), SOURCE: pytest.approx(0)}


# ---- without a source, or without a clock that runs


@pytest.mark.parametrize("step", [-2.5, 2.5])
def test_refuses_a_step_even_where_nothing_is_compared(step: float) -> None:
    machine = Machine()
    watch = ClockWatch(None, machine.clocks)
    machine.wait(100_000)
    assert watch.stand(machine.wall).told == "compared with nothing (test deployment)"
    assert watch.servers == ()
    machine.step(step)
    assert "only a start of the broker" in watch.stand(machine.wall).why_not
    machine.step(-step)
    assert watch.stand(machine.wall).why_not == ""


def test_a_clock_that_stands_still_is_not_watched() -> None:
    machine = Machine()
    watch = ClockWatch(None, machine.clocks, stands_still=True)
    machine.running += 1_000
    assert watch.stand(machine.wall).told == "stands still (test deployment)"


# ---- asked of real servers, from many threads


def test_asks_its_servers_and_says_why_it_could_not() -> None:
    machine_time = Clocks(wall=lambda: datetime.now(UTC), running=running_seconds)
    with TimeServer() as source, TimeServer(address="127.0.0.2", offset=5) as network:
        watch = ClockWatch(a_table(source=source.place, network_time=network.place), machine_time)
        first, second = watch.servers
        source.spoil = silent
        assert ask(watch, first) == ""
        assert "no answer in time" in watch.stand(datetime.now(UTC)).why_not
        source.spoil = kiss(b"RATE")
        assert ask(watch, first) == "RATE"
        assert "left alone (RATE)" in watch.stand(datetime.now(UTC)).why_not
        source.spoil = as_it_is
        assert (ask(watch, first), ask(watch, second)) == ("", "")
        assert "the Network Time" in watch.stand(datetime.now(UTC)).why_not
        network.offset = 0
        assert ask(watch, second) == ""
        assert watch.stand(datetime.now(UTC)).why_not == ""


def test_concurrent_readers_and_askers_never_see_half_a_reading() -> None:
    watched = Watched()
    watched.read()
    begin, failed = threading.Barrier(5), []

    def bring() -> None:
        begin.wait()
        for _ in range(500):
            watched.read(0.2)
            watched.watch.miss(SOURCE, "no answer in time")

    def look() -> None:
        begin.wait()
        for _ in range(500):
            if watched.why_not:
                failed.append(watched.why_not)

    threads = [threading.Thread(target=each) for each in (bring, bring, look, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
