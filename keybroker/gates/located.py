"""Is this in the United Kingdom, in a secure environment, and are the people who run it? SEC G3.23, G3.24, G5.17.

The newest Location about a subject counts, whether it still counts or not: one that says another country shuts,
although an older one is still in force. Where parties share a thing (in a test deployment alone), each states it, and
the newest of any of them that says another country shuts it for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from keybroker.clause import clause
from keybroker.gates.shortfall import Shortfall, void
from keybroker.statement.payloads import Location, SecurityCertificate
from keybroker.statement.said import moment
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

Subject = Literal["module", "node", "system", "person"]
_Stated = tuple[Statement, Location]
UNITED_KINGDOM = "GB"
"""ISO 3166-1."""

_ENVIRONMENT_CLAUSE = "G3.24, G5.17"
_GIVE = "have its location stated (docs/operations/location.md), and give it: keybroker evidence add location FILE"
_GIVE_PERSON = "have the person located, or stated anew who runs it, and give it: keybroker evidence add location FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is looked for. ``site`` is where the configuration says it is, None where it says nothing of such a thing.

    ``acted_on`` are the subjects of acts (``PersonAct.subject``) on it: whoever acted since its location was stated is
    one of its people.
    """

    of: Subject
    subject: str
    site: str | None = None
    acted_on: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.of} {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The newest Location of every subject by anybody, and of those that are the party's (``own``)."""

    party: str
    standing: Standing
    at: datetime
    newest: Mapping[tuple[str, str], _Stated]
    own: Mapping[tuple[str, str], _Stated]

    @classmethod
    def of(cls, standing: Standing, *, party: str, at: datetime) -> Self:
        # Nobody vouches for himself: what a person or a system says of its own location neither helps nor harms.
        said = tuple(each for each in standing.ever(Location) if each[0].attester != each[1].subject)
        own = (each for each in said if each[1].party == party)
        return cls(party=party, standing=standing, at=at, newest=_newest(said), own=_newest(own))

    # SEC G3.23: what is "located, operated, configured, tested and maintained in the United Kingdom by User Personnel
    # who are located in the United Kingdom". G3.24: "operated from a sufficiently secure environment in accordance with
    # the provisions of Section G5.17", which names ISO/IEC 27001.
    @clause("G3.23", "G3.24")
    def why_not(self, place: Place) -> Shortfall | None:
        """The first thing that is not as it must be: the place, its site and environment, then its people by name."""
        own, newest = (held.get((place.of, place.subject)) for held in (self.own, self.newest))
        if newest is None:
            return Shortfall(
                expected=f"a location of {place}", found="none", reason="LOCATION_EVIDENCE_MISSING", remedy=_GIVE
            )
        if newest[1].country != UNITED_KINGDOM:
            return _abroad(str(place), newest[1], "LOCATION_ABROAD", _GIVE)
        if own is None:
            return Shortfall(
                expected=f"a location of {place} as {self.party}'s",
                found=f"one as {newest[1].party}'s",
                reason="LOCATION_OF_ANOTHER_PARTY",
                remedy=_GIVE,
            )
        return next(self._shortfalls(place, *own), None)

    def until(self, place: Place) -> datetime:
        """Of a place of which nothing is amiss: the first moment at which something it rests on lapses."""
        said = self.own[place.of, place.subject][1]
        ends = [said.expires, *(self.newest["person", person][1].expires for person in self._people(place, said))]
        if said.environment is not None:
            ends.append(moment(said.environment.expires))
        return min(ends)

    def _shortfalls(self, place: Place, statement: Statement, said: Location) -> Iterator[Shortfall]:
        if unfit := self.standing.why_void(statement, self.at):
            yield void(unfit, about=f"a location of {place}", lapsed="LOCATION_LAPSED", remedy=_GIVE)
        if said.country != UNITED_KINGDOM:
            yield _abroad(str(place), said, "LOCATION_ABROAD", _GIVE)
        if place.site is not None and said.site != place.site:
            yield Shortfall(
                expected=f"{place} at {said.site}, as stated",
                found=place.site or "no site configured",
                reason="SITE_DIFFERS",
                remedy="configure the site where it is, or have its location stated anew",
            )
        yield from self._of_environment(place, said.environment)
        for person in self._people(place, said):
            yield from self._of_person(person, place)

    def _of_environment(self, place: Place, environment: SecurityCertificate | None) -> Iterator[Shortfall]:
        if environment is not None and self.at < moment(environment.expires):
            return
        told = f"{environment.reference} until {moment(environment.expires).isoformat()}" if environment else "none"
        yield Shortfall(
            expected=f"{place} in an environment with a current ISO/IEC 27001 certificate",
            found=told,
            reason="ENVIRONMENT_CERTIFICATE_EXPIRED",
            remedy="have its location stated anew, with the environment's renewed certificate",
            clause=_ENVIRONMENT_CLAUSE,
        )

    def _people(self, place: Place, said: Location) -> tuple[str, ...]:
        """Those who are stated, and those who acted on it since; by name."""
        acted = (act for act in self.standing.acts if act.subject in place.acted_on and act.at >= said.issued)
        return tuple(sorted({*said.people, *(act.person for act in acted)}))

    def _of_person(self, person: str, place: Place) -> Iterator[Shortfall]:
        found, told = self.newest.get(("person", person)), f"{person} (of {place})"
        if found is None:
            yield Shortfall(
                expected=f"a location of {told}", found="none", reason="PERSON_NOT_LOCATED", remedy=_GIVE_PERSON
            )
            return
        if unfit := self.standing.why_void(found[0], self.at):
            yield void(unfit, about=f"a location of {told}", lapsed="PERSON_NOT_LOCATED", remedy=_GIVE_PERSON)
        if found[1].country != UNITED_KINGDOM:
            yield _abroad(told, found[1], "PERSON_ABROAD", _GIVE_PERSON)


def _newest(said: Iterable[_Stated]) -> Mapping[tuple[str, str], _Stated]:
    """By subject; ``said`` is in the order of ``Standing.ever``, so of one second the first is the newest."""
    newest: dict[tuple[str, str], _Stated] = {}
    for each in said:
        about = (each[1].of, each[1].subject)
        if about not in newest or each[1].iat > newest[about][1].iat:
            newest[about] = each
    return newest


def _abroad(told: str, said: Location, reason: str, remedy: str) -> Shortfall:
    return Shortfall(expected=f"{told} in {UNITED_KINGDOM}", found=f"in {said.country}", reason=reason, remedy=remedy)


@clause("G3.25(b)", "G3.25(c)")
def why_not_in_united_kingdom(
    of: Subject,
    subject: str,
    *,
    party: str,
    standing: Standing,
    at: datetime,
    site: str | None = None,
) -> Shortfall | None:
    """Why ``subject`` is not shown to be in the United Kingdom at this moment; None where it is.

    Who acted on ``of:subject`` since its location was stated counts among its people.
    """
    place = Place(of=of, subject=subject, site=site, acted_on=frozenset({f"{of}:{subject}"}))
    return Whereabouts.of(standing, party=party, at=at).why_not(place)
