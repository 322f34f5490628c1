"""How is a report drawn? Numbers in, rectangles and arcs of an SVG out. Pure.

Coordinates are in the units of a view box; colours are classes, which the page fills for light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.gates.lapses import Lapse
from keybroker.ledger.report_model import CeremonyRow, Grain, RefusalRow, UseRow

COLOURS = 8
"""Purposes with a colour of their own; the rest are drawn together."""
OTHERS = "others"
WIDTH, HEIGHT = 1000.0, 260.0
_MOST_BARS = 400
_LABELS = 8
_CLOCK_DAYS = 90
_CLOCKS = 12
_CALLERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle; ``colour`` is the number of a class, ``title`` what one reads of it."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    boxes: tuple[Box, ...]
    times: tuple[Label, ...]
    counts: tuple[Label, ...]
    legend: tuple[tuple[int, str, int], ...]
    """Colour, purpose, uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """``rows``: a reason and its cells, each a count and its shade (0 to 5)."""

    callers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, int], ...], int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    boxes: tuple[Box, ...]
    names: tuple[Label, ...]
    times: tuple[Label, ...]
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """``path``: the arc of the time that is left, of 90 days; ``state``: over, soon or there-is-time."""

    path: str
    days: int
    state: str
    what: str
    subject: str
    until: str


def bars(uses: Sequence[UseRow], grain: Grain) -> Bars | None:
    """Uses over time, stacked by purpose; None where there are none."""
    if not uses:
        return None
    totals: dict[str, int] = {}
    for row in uses:
        totals[row.purpose] = totals.get(row.purpose, 0) + row.uses
    ranked = sorted(totals, key=lambda purpose: (-totals[purpose], purpose))
    colours = {purpose: min(place, COLOURS - 1) for place, purpose in enumerate(ranked)}
    whens = _whens(sorted({row.when for row in uses}), grain)
    stacks = _stacks(uses, colours)
    top = _round_up(max(sum(stack.values()) for stack in stacks.values()))
    pitch = WIDTH / len(whens)
    boxes = [box for at, when in enumerate(whens) for box in _stack(stacks.get(when, {}), when, at * pitch, pitch, top)]
    return Bars(
        boxes=tuple(boxes),
        times=tuple(_spread(whens, pitch)),
        counts=tuple(Label(0.0, HEIGHT * (1 - part / 4), _short(top * part / 4)) for part in range(5)),
        legend=tuple(_legend(ranked, totals)),
    )


def _stacks(uses: Sequence[UseRow], colours: dict[str, int]) -> dict[str, dict[int, int]]:
    stacks: dict[str, dict[int, int]] = {}
    for row in uses:
        stack, colour = stacks.setdefault(row.when, {}), colours[row.purpose]
        stack[colour] = stack.get(colour, 0) + row.uses
    return stacks


def _stack(stack: dict[int, int], when: str, x: float, pitch: float, top: float) -> Iterator[Box]:
    """A bar, from the bottom up."""
    y, width = HEIGHT, max(min(pitch * 0.8, 60.0), 0.5)
    for colour, count in sorted(stack.items()):
        height = HEIGHT * count / top
        y -= height
        left = x + (pitch - width) / 2
        yield Box(x=left, y=y, width=width, height=height, colour=colour, title=f"{when}: {count}")


def _legend(ranked: Sequence[str], totals: dict[str, int]) -> Iterator[tuple[int, str, int]]:
    named = ranked if len(ranked) <= COLOURS else ranked[: COLOURS - 1]
    for colour, purpose in enumerate(named):
        yield colour, purpose, totals[purpose]
    if len(named) < len(ranked):
        yield COLOURS - 1, OTHERS, sum(totals[purpose] for purpose in ranked[COLOURS - 1 :])


def _whens(found: Sequence[str], grain: Grain) -> list[str]:
    """With those in which nothing happened between them, where they are not too many."""
    if grain is Grain.MONTH:
        first, last = (12 * int(each[:4]) + int(each[5:7]) - 1 for each in (found[0], found[-1]))
        whole = [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(first, last + 1)]
    else:
        step = timedelta(days=1) if grain is Grain.DAY else timedelta(hours=1)
        first_at, last_at = (datetime.fromisoformat(each) for each in (found[0], found[-1]))
        count = min(int((last_at - first_at) / step) + 1, _MOST_BARS + 1)
        whole = [(first_at + at * step).isoformat()[: int(grain)] for at in range(count)]
    return whole if len(whole) <= _MOST_BARS else list(found)


def _spread(whens: Sequence[str], pitch: float) -> Iterator[Label]:
    step = max(1, math.ceil(len(whens) / _LABELS))
    for at in range(0, len(whens), step):
        yield Label((at + 0.5) * pitch, HEIGHT, whens[at].replace("T", " "))


def _round_up(most: int) -> float:
    """1, 2 or 5 times a power of ten, and at least 4."""
    scale = 10 ** max(math.floor(math.log10(max(most, 1))), 0)
    return float(max(next(step * scale for step in (1, 2, 5, 10) if step * scale >= most), 4))


def _short(number: float) -> str:
    if number >= 1_000_000:
        return f"{number / 1_000_000:g}M"
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


def heat(refusals: Sequence[RefusalRow]) -> Heat | None:
    """Reasons by callers; the most frequent first, the callers beyond some together."""
    if not refusals:
        return None
    by_caller: dict[str, int] = {}
    cells: dict[str, dict[str, int]] = {}
    for row in refusals:
        caller = row.caller or "nobody known"
        by_caller[caller] = by_caller.get(caller, 0) + row.count
        of_reason = cells.setdefault(row.reason, {})
        of_reason[caller] = of_reason.get(caller, 0) + row.count
    ranked = sorted(by_caller, key=lambda caller: (-by_caller[caller], caller))
    named, rest = ranked[:_CALLERS], ranked[_CALLERS:]
    most = max(max(each.values()) for each in cells.values())
    rows = []
    for reason, of_reason in sorted(cells.items(), key=lambda each: (-sum(each[1].values()), each[0])):
        counts = [of_reason.get(caller, 0) for caller in named]
        counts += [sum(of_reason.get(caller, 0) for caller in rest)] if rest else []
        rows.append((reason, tuple((count, _shade(count, most)) for count in counts), sum(of_reason.values())))
    return Heat(callers=(*named, *((OTHERS,) if rest else ())), rows=tuple(rows))


def _shade(count: int, most: int) -> int:
    """0 for none, 5 for the most, in between by the logarithm: one is not lost beside a thousand."""
    return 0 if count == 0 else max(1, math.ceil(5 * math.log(count + 1) / math.log(most + 1)))


_ROW = 34.0
_LEFT = 260.0


def timeline(ceremonies: Sequence[CeremonyRow], at: datetime) -> Timeline | None:
    """From when until when each was held; one that is open, until now."""
    if not ceremonies:
        return None
    spans = [(_moment(each.begun), _moment(each.ended) if each.ended else at) for each in ceremonies]
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    whole = max((last - first).total_seconds(), 60.0)
    scale = (WIDTH - _LEFT - 10) / whole
    colours = {"done": 2, "aborted": 1, "open": 0}
    boxes = [
        Box(
            x=_LEFT + (begun - first).total_seconds() * scale,
            y=place * _ROW + 6,
            width=max((ended - begun).total_seconds() * scale, 4.0),
            height=_ROW - 12,
            colour=colours.get(each.state, 0),
            title=f"{each.name}: {each.state}, {begun:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M}",
        )
        for place, (each, (begun, ended)) in enumerate(zip(ceremonies, spans, strict=True))
    ]
    names = [Label(0.0, place * _ROW + 22, f"{each.name} ({each.kind})") for place, each in enumerate(ceremonies)]
    bottom = len(ceremonies) * _ROW
    ends = [
        Label(_LEFT, bottom + 18, f"{first:%Y-%m-%d %H:%M}"),
        Label(WIDTH - 10, bottom + 18, f"{last:%Y-%m-%d %H:%M}"),
    ]
    return Timeline(boxes=tuple(boxes), names=tuple(names), times=tuple(ends), height=bottom + 28)


def clocks(lapses: Sequence[Lapse]) -> tuple[Clock, ...]:
    """Of what lapses first; a full circle is 90 days or more."""
    return tuple(_clock(each) for each in lapses[:_CLOCKS])


def _clock(lapse: Lapse) -> Clock:
    part = min(max(lapse.days, 0) / _CLOCK_DAYS, 0.9999)
    angle = 2 * math.pi * part
    x, y = 50 + 42 * math.sin(angle), 50 - 42 * math.cos(angle)
    path = f"M 50 8 A 42 42 0 {int(part > 0.5)} 1 {x:.2f} {y:.2f}" if part else ""
    state = "over" if lapse.days < 0 else "soon" if lapse.warned_days is not None else "time"
    return Clock(
        path=path,
        days=lapse.days,
        state=state,
        what=lapse.what,
        subject=lapse.subject,
        until=f"{lapse.until:%Y-%m-%d %H:%M} UTC",
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
