"""On which systems was this person engaged, as what, from when to when? As others told of him, lapsed words too.

An exclusion of 24 months outlives any statement of it: what was said of an engagement counts until somebody says
otherwise of the same one (its system, its activity, its beginning), or the statement is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from keybroker.clause import clause
from keybroker.gates.people.asked import Asked, told
from keybroker.gates.people.word import is_doubted
from keybroker.statement.payloads import Engagement, Person
from keybroker.statement.said import moment
from keybroker.terms import RelevantSystem

PRIVILEGED, DEVELOPMENT = "privileged-person", "bespoke-development"

_Told = Mapping[tuple[str, str, int], Engagement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One engagement. ``until`` is None while it lasts and nobody said until when; it never ends before it began."""

    system: RelevantSystem
    activity: str
    since: datetime
    until: datetime | None

    def lasts(self, at: datetime) -> bool:
        """Over from the moment of ``until`` on."""
        return self.since <= at and (self.until is None or at < self.until)

    def told(self) -> str:
        """For findings."""
        end = "" if self.until is None else f" until {told(self.until)}"
        return f"{self.activity} on {self.system} since {told(self.since)}{end}"


@clause("G2.22B(c)", "G2.22B(d)", "G2.23", "G2.24", "G3.12", "G3.13")
def engagements_of(asked: Asked) -> tuple[Stay, ...]:
    """Every engagement that anybody but the person told of, once each."""
    held = [(statement, said) for statement, said in asked.standing.ever(Person) if said.person == asked.name]
    # In the order in which they came, so that of two of one second the later says how it is.
    others = sorted((each for each in reversed(held) if each[0].attester != asked.name), key=lambda each: each[1].iat)
    believed = [said for statement, said in others if not is_doubted(asked.standing, statement)]
    doubted = [said for statement, said in others if is_doubted(asked.standing, statement)]
    # What is doubted frees nobody, and is no reason to forget: it stands where nobody who is believed says otherwise.
    of_doubted = _longest(chain.from_iterable(said.engagements for said in doubted))
    of_believed: dict[tuple[str, str, int], Engagement] = {}
    for said in believed:
        of_believed |= _longest(said.engagements)
    return tuple(_stay(each) for each in {**of_doubted, **of_believed}.values())


def _longest(engagements: Iterable[Engagement]) -> _Told:
    """By system, activity and beginning: of several the one that ends last."""
    in_order = sorted(engagements, key=lambda each: (each.until is None, each.until or 0))
    return {(each.system, each.activity, each.since): each for each in in_order}


def _stay(engagement: Engagement) -> Stay:
    until = None if engagement.until is None else moment(max(engagement.since, engagement.until))
    return Stay(
        system=RelevantSystem(engagement.system),
        activity=engagement.activity,
        since=moment(engagement.since),
        until=until,
    )
