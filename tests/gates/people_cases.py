"""A person who may act, spoilt one fact at a time: the cases of ``keybroker.gates.people``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import Statement
from keybroker.terms import RelevantSystem
from tests.gates.people_scene import (
    ALEX,
    CLERK,
    DAY,
    DCC_A,
    DCC_B,
    DCC_C,
    DEVELOPMENT,
    ENGAGED,
    FOREVER,
    OFFICER,
    PRIVILEGED,
    SECOND,
    USERS,
    WITHDRAWN_OFFICER,
    Case,
    Engaged,
    Scene,
    alex,
    an_attester,
    held,
    located,
    seconds,
    shortened,
    stay,
)
from tests.gates.people_scene import COOLING_OFF as COOLING_OFF
from tests.situations import AT
from tests.statement.attested import a_location, a_person


def with_engagements(system: RelevantSystem, *engagements: Engaged, **changes: Any) -> Scene:
    return Scene(system=system, **({"statements": (alex(*engagements), located())} | changes))


def saying(system: RelevantSystem = USERS, **changes: Any) -> Scene:
    """A person statement that says something otherwise."""
    return Scene(system=system, statements=(alex(**changes), located()))


def _enrolment(attester: Attester | None, reason: str, found: str, system: RelevantSystem = USERS) -> Case:
    others = (an_attester(OFFICER), an_attester(CLERK))
    return Case(
        scene=Scene(system=system, attesters=others if attester is None else (attester, *others)),
        rule="person-enrolled",
        clause="G5.22(b)" if system is USERS else "G5.9(d)",
        reason=reason,
        found=found,
    )


def _vouching(reason: str, found: str, *statements: Statement, **changes: Any) -> Case:
    return Case(
        scene=Scene(statements=(*statements, located(by=CLERK)), **changes),
        rule="person-vouched-for",
        clause="G4.1(a), G5.22(c)",
        reason=reason,
        found=found,
    )


def _vetting(rule: str, clause: str, reason: str, found: str, scene: Scene) -> Case:
    return Case(scene=scene, rule=rule, clause=clause, reason=reason, found=found)


_NO_ORDERS = frozenset({StatementKind.PERSON})
_REVIEWED, _SCREENED = "person-cleared", "person-screened"
_LONG_AGO = {"level": "SC", "reviewed": seconds(AT - 366 * DAY)}
_TO_COME = {"level": "SC", "reviewed": seconds(AT + SECOND)}
_COMPARABLE = {"standard": "NF X50-777", "passed": seconds(AT - DAY)}
_OUTDATED = {"standard": "BS 7858:2006", "passed": seconds(AT - DAY)}
_ALIKE = {"standard": "BS 78580", "passed": seconds(AT - DAY)}
_NOT_YET = {"standard": "BS 7858:2019", "passed": seconds(AT + SECOND)}


VETTED = (
    _enrolment(None, "PERSON_NOT_ENROLLED", "nobody of the name alex"),
    _enrolment(None, "PERSON_NOT_ENROLLED", "nobody of the name alex", DCC_A),
    _enrolment(an_attester(ALEX, kinds=_NO_ORDERS), "PERSON_NOT_ENROLLED", "nobody of the name alex"),
    _enrolment(an_attester(ALEX, withdrawn_at=AT - DAY), "PERSON_WITHDRAWN", "alex, withdrawn"),
    _enrolment(an_attester(ALEX, until=AT), "PERSON_LAPSED", "until 2026-01-15T12:00:00Z"),
    _enrolment(an_attester(ALEX, since=AT + DAY), "PERSON_LAPSED", "from 2026-01-16T12:00:00Z"),
    _vouching("PERSON_NOT_VOUCHED_FOR", "none"),
    _vouching("PERSON_NOT_VOUCHED_FOR", "none", held(a_person("sam"))),
    _vouching("PERSON_VOUCHES_FOR_HIMSELF", "only what alex said of himself", alex(by=ALEX)),
    _vouching("STATEMENT_LAPSED", "until 2026-01-15T12:00:00", alex(exp=seconds(AT))),
    _vouching("STATEMENT_LAPSED", "by clerk", alex(at=AT - 2 * DAY), alex(exp=seconds(AT), by=CLERK)),
    _vouching("STATEMENT_LAPSED", "by clerk", alex(exp=seconds(AT), by=CLERK), alex(at=AT - 2 * DAY)),
    _vouching("ATTESTER_WITHDRAWN", "officer, withdrawn", alex(), attesters=WITHDRAWN_OFFICER),
    _vouching("ATTESTER_WITHDRAWN", "officer, withdrawn", alex(by=ALEX), alex(), attesters=WITHDRAWN_OFFICER),
    _vouching("PERSON_OF_ANOTHER_PARTY", "a person of supplier-b, enrolled for supplier-a", alex(party="supplier-b")),
    _vetting("person-has-role", "G5.22(a)", "PERSON_WITHOUT_ROLE", "witness", saying(roles=["witness"])),
    _vetting("person-has-role", "G5.9(a)", "PERSON_WITHOUT_ROLE", "witness", saying(DCC_B, roles=["witness"])),
    _vetting(_REVIEWED, "G4.1(b)", "CLEARANCE_NOT_REVIEWED", "reviewed 2025-01-14", saying(clearance=_LONG_AGO)),
    _vetting(_REVIEWED, "G4.4(b)", "CLEARANCE_NOT_REVIEWED", "reviewed 2025", saying(DCC_A, clearance=_LONG_AGO)),
    _vetting(_REVIEWED, "G4.1(b)", "CLEARANCE_REVIEW_AHEAD", "T12:00:01Z", saying(clearance=_TO_COME)),
    _vetting(_SCREENED, "G4.3(a)", "SCREENING_NOT_BS_7858", "NF X50-777", saying(screening=_COMPARABLE)),
    _vetting(_SCREENED, "G4.6(a)", "SCREENING_NOT_BS_7858", "NF X50-777", saying(DCC_C, screening=_COMPARABLE)),
    _vetting(_SCREENED, "G4.3(a)", "SCREENING_NOT_BS_7858", "BS 7858:2006", saying(screening=_OUTDATED)),
    _vetting(_SCREENED, "G4.3(a)", "SCREENING_NOT_BS_7858", "BS 78580", saying(screening=_ALIKE)),
    _vetting(_SCREENED, "G4.3(a)", "SCREENING_AHEAD", "T12:00:01Z", saying(screening=_NOT_YET)),
    _vetting(
        _SCREENED,
        "G4.3(b)",
        "SCREENING_AHEAD",
        "T12:00:01Z",
        Scene(in_united_kingdom=False, statements=(alex(screening=_NOT_YET), located("FR"))),
    ),
    _vetting(
        _SCREENED,
        "G4.3(a)",
        "SCREENING_NOT_BS_7858",
        "NF X50-777",
        Scene(in_united_kingdom=False, statements=(alex(screening=_COMPARABLE), located("FR", exp=seconds(AT)))),
    ),
    _vetting("person-security-checked", "G4.7", "SECURITY_CHECK_MISSING", "none", saying(DCC_A, security_check=None)),
    _vetting(
        "person-security-checked",
        "G4.7",
        "SECURITY_CHECK_AHEAD",
        "T12:00:01Z",
        saying(DCC_B, security_check=seconds(AT + SECOND)),
    ),
    _vetting(
        "person-security-checked",
        "G4.7",
        "SECURITY_CHECK_MISSING",
        "none",
        Scene(
            system=DCC_A, privileged=False, statements=(alex(stay(DCC_A, PRIVILEGED), security_check=None), located())
        ),
    ),
)


def _where(reason: str, found: str, *statements: Statement, **changes: Any) -> Case:
    return Case(
        scene=Scene(statements=(alex(by=CLERK), *statements), **changes),
        rule="person-in-united-kingdom",
        clause="G3.23",
        reason=reason,
        found=found,
    )


_ENVIRONMENT = {"standard": "ISO/IEC 27001", "reference": "27001-A", "expires": FOREVER}
_NODE = held(a_location(ALEX, of="node", environment=_ENVIRONMENT, people=[ALEX]))
"""A node of the same name."""

LOCATED = (
    _where("PERSON_LOCATION_NOT_SHOWN", "none", _NODE),
    _where("PERSON_LOCATION_NOT_SHOWN", "none"),
    _where("PERSON_LOCATION_NOT_SHOWN", "none", held(a_location("sam"))),
    _where("PERSON_VOUCHES_FOR_HIMSELF", "only what alex said", located(by=ALEX)),
    _where("STATEMENT_LAPSED", "2026-01-15T12:00:00", located(exp=seconds(AT))),
    _where("ATTESTER_WITHDRAWN", "officer, withdrawn", located(), attesters=WITHDRAWN_OFFICER),
    _where("PERSON_NOT_IN_UNITED_KINGDOM", "in FR", located("FR")),
    _where("PERSON_NOT_IN_UNITED_KINGDOM", "in FR", located("FR"), located(at=AT - 2 * DAY)),
    _where("STATEMENT_LAPSED", "2026-01-15T12:00:00", located(at=AT - 2 * DAY), located("FR", exp=seconds(AT))),
)


def _excluded(rule: str, clause: str, reason: str, found: str, scene: Scene) -> Case:
    return Case(scene=scene, rule=rule, clause=clause, reason=reason, found=found)


_LASTING = "while that lasts"
_ENDED = AT - 30 * DAY
"""2025-12-16."""
EXCLUDED = (
    _excluded(
        "person-privileged-elsewhere",
        "G2.22B(d)",
        "PERSON_PRIVILEGED_ELSEWHERE",
        "excluded until 2026-06-16T12:00:00Z",
        with_engagements(DCC_B, stay(DCC_C, PRIVILEGED, until=_ENDED)),
    ),
    _excluded(
        "person-privileged-elsewhere",
        "G2.22B(d)",
        "PERSON_PRIVILEGED_ELSEWHERE",
        "excluded until 2026-06-16T12:00:00Z",
        Scene(
            system=DCC_C,
            statements=(alex(stay(DCC_B, PRIVILEGED, until=_ENDED)), located(), held(shortened(AT - DAY, at=AT - DAY))),
        ),
    ),
    _excluded(
        "person-developed-elsewhere",
        "G2.22B(c)",
        "PERSON_DEVELOPED_ELSEWHERE",
        f"excluded {_LASTING} and 24 months after",
        with_engagements(DCC_B, stay(DCC_C, DEVELOPMENT)),
    ),
    _excluded(
        "person-developed-elsewhere",
        "G2.22B(c)",
        "PERSON_DEVELOPED_ELSEWHERE",
        "excluded until 2028-06-15T12:00:00Z",
        with_engagements(DCC_B, stay(DCC_C, DEVELOPMENT, until=datetime(2026, 6, 15, 12, tzinfo=UTC))),
    ),
    _excluded(
        "person-developed-elsewhere",
        "G2.22B(c)",
        "PERSON_DEVELOPED_ELSEWHERE",
        "excluded until 2027-12-16T12:00:00Z",
        with_engagements(DCC_C, stay(DCC_B, DEVELOPMENT, until=_ENDED)),
    ),
    _excluded(
        "person-independent",
        "G2.24(a)",
        "PERSON_ENGAGED_THERE",
        f"engaged on user-systems since 2024-12-11T12:00:00Z: excluded {_LASTING} and 90 days after",
        with_engagements(DCC_A, stay(USERS, ENGAGED)),
    ),
    _excluded(
        "person-independent",
        "G2.24(b)",
        "PERSON_COOLING_OFF",
        "excluded until 2026-03-16T12:00:00Z",
        with_engagements(DCC_B, stay(USERS, DEVELOPMENT, until=_ENDED)),
    ),
    _excluded(
        "person-independent",
        "G3.13(a)",
        "PERSON_ENGAGED_THERE",
        _LASTING,
        with_engagements(USERS, stay(DCC_A, ENGAGED)),
    ),
    _excluded(
        "person-independent",
        "G3.13(a)",
        "PERSON_ENGAGED_THERE",
        "excluded until 2026-04-15T12:00:01Z",
        with_engagements(USERS, stay(DCC_C, PRIVILEGED, until=AT + SECOND)),
    ),
    _excluded(
        "person-independent",
        "G3.13(b)",
        "PERSON_COOLING_OFF",
        "excluded until 2026-04-15T12:00:00Z",
        with_engagements(USERS, stay(DCC_B, DEVELOPMENT, until=AT)),
    ),
    _excluded(
        "person-separated",
        "G4.8(a)",
        "PERSON_PRIVILEGED_TWICE",
        f"privileged-person on dcc-live-systems-b since 2024-12-11T12:00:00Z: excluded {_LASTING}",
        with_engagements(DCC_A, stay(DCC_B, PRIVILEGED)),
    ),
    _excluded(
        "person-separated",
        "G4.8(a)",
        "PERSON_PRIVILEGED_TWICE",
        "excluded until 2026-01-16T12:00:00Z",
        with_engagements(DCC_A, stay(DCC_A, PRIVILEGED), stay(DCC_B, PRIVILEGED, until=AT + DAY), privileged=False),
    ),
    _excluded(
        "person-separated",
        "G4.8(a)",
        "PERSON_PRIVILEGED_TWICE",
        "excluded until 2026-01-16T12:00:00Z",
        with_engagements(
            DCC_A,
            stay(DCC_B, PRIVILEGED, until=AT + DAY),
            stay(DCC_C, PRIVILEGED, until=AT + 2 * DAY),
            privileged=False,
        ),
    ),
    _excluded(
        "person-separated",
        "G4.8(a)",
        "PERSON_PRIVILEGED_TWICE",
        "privileged-person on dcc-live-systems-b since 2024-12-11T12:00:00Z until 2026-01-16T12:00:00Z: excluded until",
        with_engagements(DCC_A, stay(DCC_A, PRIVILEGED), stay(DCC_B, PRIVILEGED, until=AT + DAY)),
    ),
    _excluded(
        "person-independent",
        "G2.24(a)",
        "PERSON_ENGAGED_THERE",
        "privileged-person on user-systems",
        Scene(
            system=DCC_A, privileged=False, statements=(alex(stay(USERS, PRIVILEGED), security_check=None), located())
        ),
    ),
    _excluded(
        "person-developed-elsewhere",
        "G2.22B(c)",
        "PERSON_DEVELOPED_ELSEWHERE",
        "excluded until 2027-12-16T12:00:00Z",
        Scene(
            system=DCC_B,
            attesters=WITHDRAWN_OFFICER,
            statements=(
                alex(stay(DCC_C, DEVELOPMENT, until=_ENDED), by=CLERK),
                located(by=CLERK),
                held(shortened(AT, at=AT - DAY)),
            ),
        ),
    ),
)

REFUSALS = (*VETTED, *LOCATED, *EXCLUDED)

ACCEPTED: Mapping[str, Scene] = {
    **{f"good on {system}": Scene(system=system) for system in RelevantSystem},
    "no role is asked": Scene(roles=frozenset(), statements=(alex(roles=["witness"]), located())),
    "a renewed certificate": Scene(
        attesters=(an_attester(ALEX, until=AT), an_attester(ALEX, kid="ab" * 32), an_attester(OFFICER))
    ),
    "reviewed a year less a second ago": saying(
        clearance={"level": "SC", "reviewed": seconds(AT - 366 * DAY + SECOND)}
    ),
    "reviewed, screened and checked this very second": saying(
        DCC_A,
        clearance={"level": "SC", "reviewed": seconds(AT)},
        screening={"standard": "BS 7858", "passed": seconds(AT)},
        security_check=seconds(AT),
    ),
    "the edition of 2012": saying(screening={"standard": "BS 7858:2012", "passed": seconds(AT)}),
    "an amended edition": saying(screening={"standard": "BS 7858:2019+A1:2023", "passed": seconds(AT)}),
    "a comparable standard abroad": Scene(
        in_united_kingdom=False, statements=(alex(screening=_COMPARABLE), located("FR"))
    ),
    "abroad, for an act that may be done there": Scene(in_united_kingdom=False, statements=(alex(), located("FR"))),
    "no Security Check, for a User": saying(security_check=None),
    "no Security Check, for what needs no Privileged Person": Scene(
        system=DCC_A, privileged=False, statements=(alex(security_check=None), located())
    ),
    "no Security Check, for what needs none of who was a Privileged Person once": Scene(
        system=DCC_A,
        privileged=False,
        statements=(alex(stay(DCC_A, PRIVILEGED, until=AT), security_check=None), located()),
    ),
    "the word of an attester who stands, before that of one who was withdrawn": Scene(
        attesters=WITHDRAWN_OFFICER,
        statements=(alex(at=AT - 2 * DAY, by=CLERK), located(at=AT - 2 * DAY, by=CLERK), alex(), located("FR")),
    ),
    "engaged here": with_engagements(USERS, stay(USERS, PRIVILEGED), stay(USERS, DEVELOPMENT)),
    "a Privileged Person here": with_engagements(DCC_B, stay(DCC_B, PRIVILEGED), stay(DCC_B, DEVELOPMENT)),
    "to be engaged there from now on by the next second": with_engagements(
        DCC_B, stay(DCC_C, PRIVILEGED, since=AT + SECOND), stay(USERS, ENGAGED, since=AT + SECOND)
    ),
    "engaged on the other relevant system, in neither way": with_engagements(DCC_B, stay(DCC_C, ENGAGED)),
    "a Privileged Person there, not a developer": with_engagements(
        DCC_B, stay(DCC_C, PRIVILEGED, until=datetime(2025, 7, 15, 12, tzinfo=UTC))
    ),
    "part (a) is no relevant system": with_engagements(DCC_A, stay(DCC_B, DEVELOPMENT)),
    "nor is it to the others": with_engagements(DCC_B, stay(DCC_A, DEVELOPMENT)),
    "a Privileged Person of one system, who acts as none here": with_engagements(
        DCC_A, stay(DCC_B, PRIVILEGED), privileged=False
    ),
    "no cooling off is configured": with_engagements(USERS, stay(DCC_B, ENGAGED, until=AT), cooling_off=timedelta()),
    "shortened by the Security Sub-Committee": Scene(
        system=DCC_B,
        statements=(alex(stay(DCC_C, DEVELOPMENT, until=AT - DAY)), located(), held(shortened(AT, at=AT - DAY))),
    ),
}
