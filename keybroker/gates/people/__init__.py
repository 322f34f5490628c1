"""May this person act, now, here? SEC G2.22B(b)-(d), G2.23-G2.24, G3.12-G3.13, G3.23, G4.1-G4.8.

A person is an enrolled attester whose orders are taken. What is known of him (roles, clearance, screening, engagements,
where he is) others stated: nobody vouches for himself. Statements, a demand and a moment in; findings out. G2.22B(b)
and G4.8(b) ask for controls beyond this: what the deployer adds, the broker cannot see.
"""

from __future__ import annotations

from datetime import datetime

from keybroker.clause import clause
from keybroker.errors import PersonMayNotAct
from keybroker.gates.people.asked import ActDemand, Asked, PeopleSettings
from keybroker.gates.people.engagements import Stay, engagements_of
from keybroker.gates.people.exclusions import excluded
from keybroker.gates.people.location import in_united_kingdom
from keybroker.gates.people.vetting import enrolled, person_of, vetted
from keybroker.gates.people.word import NoWord, Word
from keybroker.statement.standing import Standing
from keybroker.terms import Finding

__all__ = [
    "ActDemand",
    "Asked",
    "NoWord",
    "PeopleSettings",
    "Stay",
    "Word",
    "check_may_act",
    "engagements_of",
    "judge_person",
    "person_of",
]


def judge_person(
    name: str, *, act: ActDemand, standing: Standing, settings: PeopleSettings, at: datetime
) -> tuple[Finding, ...]:
    """Every finding, passed ones too; only of clauses that bind this deployment's system, and of what the act demands.

    ``found`` of an exclusion names the moment from which it excludes no more, where one is known.
    """
    asked = Asked(name=name, act=act, standing=standing, settings=settings, at=at)
    where = (in_united_kingdom(asked),) if act.in_united_kingdom else ()
    return (enrolled(asked), *vetted(asked), *excluded(asked), *where)


@clause("G4.1", "G4.4")
def check_may_act(name: str, *, act: ActDemand, standing: Standing, settings: PeopleSettings, at: datetime) -> None:
    """Raises: PersonMayNotAct with every finding; its sentence tells the first that refuses and counts the others."""
    findings = judge_person(name, act=act, standing=standing, settings=settings, at=at)
    refusing = [finding for finding in findings if not finding.passed]
    if refusing:
        raise PersonMayNotAct(_sentence(name, refusing), findings=findings)


def _sentence(name: str, refusing: list[Finding]) -> str:
    first, more = refusing[0], len(refusing) - 1
    others = "" if not more else " (1 more finding refuses)" if more == 1 else f" ({more} more findings refuse)"
    told = f"{first.rule}: expected {first.expected}, found {first.found} ({first.clause})"
    return f"{name} may not act: {told}; {first.remedy}{others}"
