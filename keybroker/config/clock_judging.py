"""May this clock be relied on? Judged by the last readings of other clocks, and by steps since then.

SEC G2.46, G2.47. What one reading says, it says of the instant when it was taken; from there on the seconds since the
machine started carry it, so that a step of the wall clock is seen by whoever asks next, without another reading.
Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keybroker.clause import clause
from keybroker.config.clocks import Instant
from keybroker.config.file import TimeTable
from keybroker.config.time_source import Reading
from keybroker.gates.model import ClockStand

_UNCOMPARED_STEP_SECONDS = 2.0
"""What a test deployment that compares its clock with nothing takes for a step: more than a leap second."""
_LONGEST_LAG_SECONDS = 30.0
"""How old the moment of a batch may be when the clock is judged: ledger and module are asked in between. A moment that
is older was read of a clock that stood elsewhere."""


class Compared(StrEnum):
    """What the clock is compared with; the value is the configuration's word."""

    SOURCE = "source"
    NETWORK_TIME = "network_time"


class Doubt(StrEnum):
    """Why the clock is not relied on."""

    NOT_COMPARED = "not compared"
    """There is no reading, or none that counts any more, or none that could say."""
    DIFFERS = "differs"
    """From its source; or the Network Time from the source; or it was stepped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``doubt`` is None where the clock may be relied on. ``stand`` is what the gates look at."""

    doubt: Doubt | None
    stand: ClockStand


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """``begun``: when the watch began; ``now``: when it is asked. ``missed`` says why a newer reading is not there."""

    begun: Instant
    now: Instant
    readings: Mapping[Compared, Reading]
    missed: Mapping[Compared, str]


class _Doubted(Exception):
    def __init__(self, doubt: Doubt, why: str) -> None:
        super().__init__(why)
        self.doubt = doubt
        self.why = why


@clause("G2.46", "G2.47")
def judge(table: TimeTable | None, seen: Seen, at: datetime) -> Judgement:
    """``at`` is the moment by which the gates judge, read of the same clock a while ago. ``table`` None: compared with
    nothing, and only a step is noticed."""
    try:
        told = _check_steps_alone(seen) if table is None else _check_readings(table, seen)
        _check_moment(at, seen.now, largest_step(table))
    except _Doubted as found:
        return Judgement(doubt=found.doubt, stand=ClockStand(why_not=found.why))
    return Judgement(doubt=None, stand=ClockStand(why_not="", told=told))


def largest_step(table: TimeTable | None) -> float:
    """In seconds."""
    return _UNCOMPARED_STEP_SECONDS if table is None else table.largest_difference_seconds


def why_unsaid(reading: Reading, largest: float) -> str:
    """Why a reading neither agrees nor differs: its answer was so long on its way. Empty where it says something."""
    if reading.margin_seconds <= largest or abs(reading.offset_seconds) - reading.margin_seconds > largest:
        return ""
    return f"the answer was too long on its way to say: it may be wrong by {reading.margin_seconds:.3f} s"


def offset_now(reading: Reading, now: Instant) -> float:
    """What must be added to the clock now: a step since the reading counts."""
    return reading.offset_seconds - reading.at.stepped_until(now)


def _check_steps_alone(seen: Seen) -> str:
    _check_step(seen.begun, seen.now, _UNCOMPARED_STEP_SECONDS, "only a start of the broker tells it anew")
    return "compared with nothing (test deployment)"


def _check_readings(table: TimeTable, seen: Seen) -> str:
    """What agrees with what. Raises: _Doubted."""
    largest = table.largest_difference_seconds
    source = _find_reading(Compared.SOURCE, seen, table.reading_counts_seconds)
    # A step first: it tells an operator more than the difference that it made; and one that happens to make up for a
    # difference waits for the reading that says so.
    _check_step(source.at, seen.now, largest, "the next reading tells")
    offset = offset_now(source, seen.now)
    _check_agrees(f"the clock is {_way(offset)} {table.source}", offset, source.margin_seconds, largest)
    told = f"within {abs(offset) + source.margin_seconds:.3f} s of {table.source}"
    if table.network_time is None:
        return told
    # SEC G2.47(a): "capable of detecting any instance in which the Network Time materially differs from the
    # Independent Time Source".
    network = _find_reading(Compared.NETWORK_TIME, seen, table.reading_counts_seconds)
    apart, margin = offset - offset_now(network, seen.now), source.margin_seconds + network.margin_seconds
    _check_agrees(f"the Network Time ({table.network_time}) is {_way(apart)} {table.source}", apart, margin, largest)
    return f"{told}, and the Network Time within {abs(apart) + margin:.3f} s of it"


def _find_reading(compared: Compared, seen: Seen, counts: float) -> Reading:
    """Raises: _Doubted where there is none that counts."""
    because = f": {seen.missed[compared]}" if compared in seen.missed else ""
    reading = seen.readings.get(compared)
    if reading is None:
        raise _Doubted(Doubt.NOT_COMPARED, f"no reading of time.{compared} yet{because}")
    age = seen.now.running - reading.at.running
    if not 0 <= age <= counts:
        told = f"the last reading of time.{compared} is {age:.0f} s old, and counts for {counts:g} s{because}"
        raise _Doubted(Doubt.NOT_COMPARED, told)
    return reading


def _check_step(since: Instant, now: Instant, largest: float, then: str) -> None:
    step = since.stepped_until(now)
    if abs(step) > largest:
        way = "forward" if step > 0 else "back"
        raise _Doubted(Doubt.DIFFERS, f"the clock was put {way} by {abs(step):.3f} s; {then}")


def _check_agrees(differs: str, offset: float, margin: float, largest: float) -> None:
    if abs(offset) + margin > largest:
        raise _Doubted(Doubt.DIFFERS, f"{differs}, give or take {margin:.3f} s; {largest:g} s are allowed")


def _check_moment(at: datetime, now: Instant, largest: float) -> None:
    lag = (now.wall - at).total_seconds()
    if not -largest <= lag <= _LONGEST_LAG_SECONDS:
        way = "before" if lag > 0 else "after"
        told = f"the moment that is judged by lies {abs(lag):.3f} s {way} the clock: it was put, or we were held up"
        raise _Doubted(Doubt.DIFFERS, told)


def _way(offset: float) -> str:
    """``offset`` is what must be added to what is told of."""
    return f"{abs(offset):.3f} s {'behind' if offset > 0 else 'ahead of'}"
