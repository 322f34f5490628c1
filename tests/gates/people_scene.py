"""A person who may act: who is enrolled, what is stated of him, and the scene of ``keybroker.gates.people``.

Whether a statement verifies is for ``tests.statement``: here they are held as they stand, and what they say counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from keybroker.gates.people import ActDemand, PeopleSettings, judge_person
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import KINDS, CommitteeOpinion
from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import Finding, RelevantSystem
from tests.situations import AT
from tests.statement.attested import a_location, a_person, common

ALEX, OFFICER, CLERK = "alex", "officer", "clerk"
USERS, DCC_A, DCC_B, DCC_C = RelevantSystem
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
COOLING_OFF = 90 * DAY
PRIVILEGED, DEVELOPMENT, ENGAGED = "privileged-person", "bespoke-development", "engaged"
FOREVER = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp())

Engaged = dict[str, Any]


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def stay(
    system: RelevantSystem, activity: str, *, since: datetime = AT - 400 * DAY, until: datetime | None = None
) -> Engaged:
    """As a person statement says it."""
    end = None if until is None else seconds(until)
    return {"system": system.value, "activity": activity, "since": seconds(since), "until": end}


def shortened(until: datetime | None, *, at: datetime = AT, **changes: Any) -> CommitteeOpinion:
    """The Security Sub-Committee approved that the exclusion of alex ends then."""
    said = {
        "committee": "security-sub-committee",
        "about": "exclusion-shortened",
        "subject": ALEX,
        "reference": "SSC 2026-01",
        "until": None if until is None else seconds(until),
    }
    return CommitteeOpinion.model_validate(common(StatementKind.COMMITTEE_OPINION, at=at) | said | changes)


def an_attester(name: str, **changes: Any) -> Attester:
    given: dict[str, Any] = {
        "kid": sha256(name.encode()).hexdigest(),
        "name": name,
        "party": "supplier-a",
        "certificate": b"",
        "kinds": frozenset({StatementKind.ORDER}) if name == ALEX else frozenset(StatementKind) - {StatementKind.ORDER},
        "since": AT - 900 * DAY,
        "until": AT + 900 * DAY,
    }
    return Attester(**(given | changes))


def held(said: Said, by: str = OFFICER) -> Statement:
    return Statement(
        kind=KINDS[type(said)],
        attester=by,
        kid=sha256(by.encode()).hexdigest(),
        payload=said,
        compact="",
        sha256=sha256(said.model_dump_json().encode()).digest(),
    )


def alex(*engagements: Engaged, at: datetime = AT - DAY, by: str = OFFICER, **changes: Any) -> Statement:
    """A person statement: all is well, but for what is said otherwise."""
    return held(a_person(ALEX, at=at, **({"engagements": list(engagements)} | changes)), by)


def located(country: str = "GB", *, at: datetime = AT - DAY, by: str = OFFICER, **changes: Any) -> Statement:
    return held(a_location(ALEX, at=at, country=country, **changes), by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who acts where, and what is held of him; as it stands he may."""

    system: RelevantSystem = USERS
    attesters: Sequence[Attester] = (an_attester(ALEX), an_attester(OFFICER), an_attester(CLERK))
    statements: Sequence[Statement] = field(default_factory=lambda: (alex(), located()))
    restored_at: datetime | None = None
    roles: frozenset[str] = frozenset({"administrator", "key-custodian"})
    in_united_kingdom: bool = True
    privileged: bool = True
    cooling_off: timedelta = COOLING_OFF
    at: datetime = AT

    def asked(self) -> Mapping[str, Any]:
        """As ``judge_person`` and ``check_may_act`` take it."""
        act = ActDemand(roles=self.roles, in_united_kingdom=self.in_united_kingdom, privileged=self.privileged)
        return {
            "act": act,
            "standing": Standing(
                attesters={each.kid: each for each in self.attesters},
                statements=tuple(self.statements),
                restored_at=self.restored_at,
            ),
            "settings": PeopleSettings(system=self.system, cooling_off=self.cooling_off),
            "at": self.at,
        }

    def findings(self) -> tuple[Finding, ...]:
        return judge_person(ALEX, **self.asked())

    def refusing(self) -> dict[str, Finding]:
        return {finding.rule: finding for finding in self.findings() if not finding.passed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is wrong with the scene, and the one finding that tells it."""

    scene: Scene
    rule: str
    clause: str
    reason: str
    found: str

    def __str__(self) -> str:
        return f"{self.scene.system}: {self.reason} ({self.clause}): {self.found}"


WITHDRAWN_OFFICER = (an_attester(ALEX), an_attester(OFFICER, withdrawn_at=AT - SECOND), an_attester(CLERK))


def until_of(finding: Finding) -> datetime | None:
    """The moment that a refusal names, None where the engagement lasts."""
    named = re.search(r"excluded until (\S+)Z", finding.found)
    return None if named is None else datetime.fromisoformat(named[1]).replace(tzinfo=UTC)
