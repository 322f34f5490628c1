"""Do a person's engagements exclude him here, and until when? SEC G2.22B(c), (d), G2.24, G3.13, G4.8.

Who acts here is engaged here. An engagement excludes from its beginning to the end of a period that follows it:
excluded until that moment, free from it on. Another engagement only ever adds to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from keybroker.clause import clause
from keybroker.gates.people.asked import Asked, passed, refused, told
from keybroker.gates.people.engagements import DEVELOPMENT, PRIVILEGED, Stay, engagements_of
from keybroker.gates.people.months import months_after
from keybroker.gates.people.shortening import shortening_of
from keybroker.terms import Finding, RelevantSystem

PRIVILEGED_MONTHS = 6
DEVELOPMENT_MONTHS = 24

_USERS, _A, _B, _C = RelevantSystem
_OTHER: Mapping[RelevantSystem, RelevantSystem] = {_B: _C, _C: _B}
"""SEC G2.22A: the parts of paragraphs (b) and (c) are each "a 'relevant system'"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One engagement that excludes. ``ends`` is None where the engagement lasts and nobody said until when."""

    stay: Stay
    ends: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.stay.since <= at and (self.ends is None or at < self.ends)


Bars = Callable[[datetime], tuple[Bar, ...]]
"""All that hold at a moment."""
_Stays = tuple[Stay, ...]


def excluded(asked: Asked) -> tuple[Finding, ...]:
    """A finding for each clause that binds this deployment's system."""
    stays = engagements_of(asked)
    match asked.settings.system:
        case RelevantSystem.USER_SYSTEMS:
            return (_independent(asked, stays),)
        case RelevantSystem.DCC_LIVE_SYSTEMS_A:
            return (_independent(asked, stays), _separated(asked, stays))
        case RelevantSystem.DCC_LIVE_SYSTEMS_B | RelevantSystem.DCC_LIVE_SYSTEMS_C:
            relevant = _privileged_elsewhere(asked, stays), _developed_elsewhere(asked, stays)
            return (*relevant, _independent(asked, stays), _separated(asked, stays))
        case system:
            assert_never(system)


@clause("G2.22B(d)", "G2.23", "G2.24", "G3.12", "G3.13")
def free_from(bars: Bars, at: datetime) -> datetime | None:
    """The first moment from ``at`` on at which none holds, as things are known now; None while one has no end."""
    while holding := bars(at):
        ends = [bar.ends for bar in holding if bar.ends is not None]
        if not ends:
            return None
        at = min(ends)
    return at


# SEC G2.22B(d): "any person that is authorised as a Privileged Person in relation to a relevant system is not,
# including for a period of a least six months following the date on which they cease to be authorised as such [...],
# authorised as a Privileged Person in relation to the other relevant system". Nothing shortens it.
@clause("G2.22B(d)")
def _privileged_elsewhere(asked: Asked, stays: _Stays) -> Finding:
    other = _OTHER[asked.settings.system]
    concerned = [stay for stay in stays if stay.system is other and stay.activity == PRIVILEGED]

    def bars(at: datetime) -> tuple[Bar, ...]:
        every = (Bar(stay=stay, ends=_months_after(stay, PRIVILEGED_MONTHS)) for stay in concerned)
        return tuple(bar for bar in every if bar.holds(at))

    return _finding(
        asked,
        bars,
        ("person-privileged-elsewhere", "G2.22B(d)", "PERSON_PRIVILEGED_ELSEWHERE"),
        expected=f"nobody who is a Privileged Person for {other}, or was within {PRIVILEGED_MONTHS} months",
        period=f"{PRIVILEGED_MONTHS} months",
    )


# SEC G2.22B(c): "any person engaged in the development or customisation of any bespoke firmware or software relating to
# a relevant system is not, including for a period of at least 24 months (or such shorter period as may be approved by
# the Security Sub-Committee) following the date on which they cease to be so engaged [...], engaged in the development
# or customisation of bespoke firmware or software relating to the other relevant system".
@clause("G2.22B(c)")
def _developed_elsewhere(asked: Asked, stays: _Stays) -> Finding:
    other, shortening = _OTHER[asked.settings.system], shortening_of(asked)
    concerned = [stay for stay in stays if stay.system is other and stay.activity == DEVELOPMENT]

    def bars(at: datetime) -> tuple[Bar, ...]:
        full = (Bar(stay=stay, ends=_months_after(stay, DEVELOPMENT_MONTHS)) for stay in concerned)
        every = (Bar(stay=bar.stay, ends=shortening.end(bar.stay, bar.ends, at)) for bar in full)
        return tuple(bar for bar in every if bar.holds(at))

    return _finding(
        asked,
        bars,
        ("person-developed-elsewhere", "G2.22B(c)", "PERSON_DEVELOPED_ELSEWHERE"),
        expected=f"nobody who develops bespoke software or firmware for {other}, or did within"
        f" {DEVELOPMENT_MONTHS} months or what the Security Sub-Committee approved",
        period=f"{DEVELOPMENT_MONTHS} months",
        rests_on=shortening.told(asked.at) if concerned else "",
    )


# SEC G2.24, and G3.13 with the systems exchanged: an individual "(a) is not at the same time also engaged in [...] any
# User Systems; and (b) has not been engaged in any activity described in paragraph (a) for a period of time which the
# DCC reasonably considers to be appropriate".
@clause("G2.23", "G2.24", "G3.12", "G3.13")
def _independent(asked: Asked, stays: _Stays) -> Finding:
    of_the_dcc, period = asked.settings.is_of_the_dcc, asked.settings.cooling_off
    concerned = [stay for stay in stays if (stay.system is _USERS) is of_the_dcc]

    def bars(at: datetime) -> tuple[Bar, ...]:
        every = (Bar(stay=stay, ends=stay.until and stay.until + period) for stay in concerned)
        return tuple(bar for bar in every if bar.holds(at))

    now = any(stay.lasts(asked.at) for stay in concerned)
    paragraph = "(a)" if now else "(b)" if bars(asked.at) else ""
    clause = asked.clause(user="G3.13", dcc="G2.24") + paragraph
    there = "User Systems" if of_the_dcc else "DCC Live Systems"
    return _finding(
        asked,
        bars,
        ("person-independent", clause, "PERSON_ENGAGED_THERE" if now else "PERSON_COOLING_OFF"),
        expected=f"nobody who is engaged on {there}, or was within {period.days} days",
        period=f"{period.days} days",
    )


# SEC G4.8: "Where the DCC is required to ensure that any two Systems [...] are Separated" (G2.20(c)), it shall "(a)
# ensure that no person is a Privileged Person in relation to both of those Systems; or (b) [...] establishes additional
# controls". The broker has none of (b) to offer, so it holds to (a).
@clause("G4.8")
def _separated(asked: Asked, stays: _Stays) -> Finding:
    privileged = [stay for stay in stays if stay.activity == PRIVILEGED and stay.system is not _USERS]
    here = {asked.settings.system} if asked.act.privileged else set()

    def bars(at: datetime) -> tuple[Bar, ...]:
        holding = [stay for stay in privileged if stay.lasts(at)]
        if len({stay.system for stay in holding} | here) < 2:
            return ()
        return tuple(Bar(stay=stay, ends=stay.until) for stay in holding if stay.system not in here)

    return _finding(
        asked,
        bars,
        ("person-separated", "G4.8(a)", "PERSON_PRIVILEGED_TWICE"),
        expected="nobody who is a Privileged Person for two Separated Systems; there are no controls of (b) here",
        period="",
    )


def _finding(
    asked: Asked, bars: Bars, named: tuple[str, str, str], *, expected: str, period: str, rests_on: str = ""
) -> Finding:
    """``named``: rule, clause and reason. ``period``: what follows the engagement."""
    (rule, clause, reason), holding = named, bars(asked.at)
    if not holding:
        return passed(rule, clause, rests_on)
    worst = max(holding, key=lambda bar: (bar.ends is None, bar.ends or bar.stay.since))
    free = free_from(bars, asked.at)
    if free is not None:
        until, remedy = f"until {told(free)}", f"another person acts; this one may from {told(free)}"
    else:
        until = "while that lasts" + (f" and {period} after" if period else "")
        remedy = "another person acts; when it ended: a new person statement, by another attester, with the same since"
    found = f"{worst.stay.told()}: excluded {until}"
    return refused(rule, clause, expected=expected, found=found, reason=reason, remedy=remedy)


def _months_after(stay: Stay, months: int) -> datetime | None:
    return None if stay.until is None else months_after(stay.until, months)
