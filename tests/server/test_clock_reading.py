"""The reader asks its servers in turn, and tells an operator when the clock's standing changes, not each time."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from keybroker.config.clock_watch import ClockWatch
from keybroker.config.clocks import Clocks, running_seconds
from keybroker.config.file import TimeTable
from keybroker.server.clock_reading import ClockReading
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from tests.config.time_server import TimeServer, kiss, silent


@dataclass(slots=True, kw_only=True)
class Place:
    """A reader with its server, this machine's clock put by ``put`` seconds, and what was logged and measured."""

    server: TimeServer
    network: TimeServer
    registry: CollectorRegistry
    out: io.StringIO
    put: float = 0.0

    def wall(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.put)

    def reading(self, *, network: bool = False) -> ClockReading:
        table = TimeTable(
            source=self.server.place,
            network_time=self.network.place if network else None,
            largest_difference_seconds=1,
            read_every_seconds=60,
            reading_counts_seconds=300,
            timeout_seconds=0.3,
        )
        watch = ClockWatch(table, Clocks(wall=self.wall, running=running_seconds))
        return ClockReading(watch, Metrics(self.registry), self.log)

    @property
    def log(self) -> Logger:
        logger: Logger = structlog.wrap_logger(
            structlog.WriteLogger(self.out),
            processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        )
        return logger

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def place() -> Iterator[Place]:
    with TimeServer() as server, TimeServer(address="127.0.0.2") as network:
        yield Place(server=server, network=network, registry=CollectorRegistry(), out=io.StringIO())


async def test_tells_of_a_clock_that_differs_once_and_of_its_healing_once(place: Place) -> None:
    reading = place.reading()
    place.server.offset = 90
    await reading.read()
    await reading.read()
    assert place.metric("keybroker_clock_reliable") == 0
    assert place.metric("keybroker_clock_offset_seconds", of="source") == pytest.approx(90, abs=0.5)
    place.server.offset = 0
    await reading.read()
    await reading.read()
    assert [event["event"] for event in place.events] == [
        "clock differs from its source",
        "clock agrees with its source",
    ]
    assert place.events[0]["level"] == "error"
    assert "behind" in place.events[0]["why"]
    assert place.metric("keybroker_clock_reliable") == 1


async def test_tells_of_a_clock_that_is_not_compared(place: Place) -> None:
    reading = place.reading()
    place.server.spoil = silent
    await reading.read()
    await reading.read()
    assert [event["event"] for event in place.events] == ["clock not compared"]
    assert "no answer in time" in place.events[0]["why"]
    assert place.metric("keybroker_clock_reliable") == 0
    assert place.metric("keybroker_clock_offset_seconds", of="source") is None


@pytest.mark.parametrize("step", [-40, 40])
async def test_a_look_notices_a_step_without_asking_anybody(place: Place, step: float) -> None:
    reading = place.reading()
    await reading.read()
    place.put = step
    reading.look()
    assert [event["event"] for event in place.events] == ["clock differs from its source"]
    assert place.server.questions == 1
    assert place.metric("keybroker_clock_offset_seconds", of="source") == pytest.approx(-step, abs=0.5)
    place.server.offset = step
    await reading.read()
    assert place.events[-1]["event"] == "clock agrees with its source"


async def test_the_network_time_is_read_beside_the_source(place: Place) -> None:
    reading = place.reading(network=True)
    place.network.offset = -30
    await reading.read()
    assert "the Network Time" in place.events[0]["why"]
    assert place.metric("keybroker_clock_offset_seconds", of="network_time") == pytest.approx(-30, abs=0.5)


async def test_a_server_that_asks_to_be_left_alone_is_asked_less_often(place: Place) -> None:
    reading = place.reading()
    place.server.spoil = kiss(b"RATE")
    asked = []
    for _ in range(16):
        await reading.read()
        asked.append(place.server.questions)
    # In the first round, two later, four later, eight later.
    assert asked == [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4]


async def test_without_a_source_there_is_nobody_to_ask(place: Place) -> None:
    watch = ClockWatch(None, Clocks(wall=place.wall, running=running_seconds))
    reading = ClockReading(watch, Metrics(place.registry), place.log)
    await reading.read()
    assert reading.every_seconds is None
    assert (place.events, place.metric("keybroker_clock_reliable")) == ([], 1)
