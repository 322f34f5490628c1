"""What is asked of a person, of whom, where and when? And how is it said what was found?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.statement.standing import Standing
from keybroker.terms import Finding, RelevantSystem, RuleName


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDemand:
    """What an act demands of who acts.

    ``roles``: one of them, or none where it is empty. ``in_united_kingdom``: acts on keys and modules in scope of SEC
    G3.23. ``privileged``: it could Compromise the System, so who does it acts as a Privileged Person (SEC G2.22B(d),
    G4.7, G4.8; the DCC alone).
    """

    roles: frozenset[str]
    in_united_kingdom: bool
    privileged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """``system``: what this deployment is part of. ``cooling_off``: the "period of time which the DCC [or the User]
    reasonably considers to be appropriate" (SEC G2.24(b), G3.13(b)).
    """

    system: RelevantSystem
    cooling_off: timedelta

    def __post_init__(self) -> None:
        if self.cooling_off < timedelta():
            raise ValueError(f"cooling_off: expected no time or more, found {self.cooling_off}")

    @property
    def is_of_the_dcc(self) -> bool:
        return self.system is not RelevantSystem.USER_SYSTEMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """May ``name`` do this, by what is held, here, at this moment?"""

    name: str
    act: ActDemand
    standing: Standing
    settings: PeopleSettings
    at: datetime

    def clause(self, *, user: str, dcc: str) -> str:
        """Sections G2 and G3 say much the same: the clause that binds whoever has this deployment."""
        return dcc if self.settings.is_of_the_dcc else user


def passed(rule: str, clause: str, found: str) -> Finding:
    """``found`` says what the pass rests on, and no more of a person than that."""
    return Finding(rule=RuleName(rule), clause=clause, passed=True, found=found)


def refused(rule: str, clause: str, *, expected: str, found: str, reason: str, remedy: str) -> Finding:
    """``reason`` is stable and upper case, one for each way to fail."""
    return Finding(
        rule=RuleName(rule),
        clause=clause,
        passed=False,
        expected=expected,
        found=found,
        reason=reason,
        remedy=remedy,
    )


def told(moment: datetime) -> str:
    """A moment as findings write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
