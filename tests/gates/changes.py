"""What may change at a deployment, as Hypothesis draws it: how things are seen and reported, what is stated and for how
long, who is enrolled and withdrawn, who acts, and time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER, common
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, ModuleClassification, Person, ThresholdNotification
from tests import evidence
from tests.gates.asked import MESSAGES
from tests.gates.doings import BEGIN, CHECK_SYSTEM, CLERK, LONG, Doings
from tests.gates.facts import ACCESS_CONTROL_BROKER, CALLER, DAY, DCC, PARTY, USER
from tests.gates.looks import LOCATION
from tests.situations import ORIGIN

LATEST = BEGIN + 3 * 365 * DAY
"""Keys and certificates of the tests last longer."""
MODULE, OTHER_MODULE = evidence.MODULE.serial, "FAKE-0009"
REPORTED: Mapping[str, tuple[object, object]] = {
    # as in the beginning, and changed
    "firmware_version": (evidence.MODULE.firmware_version, "9.9"),
    "hardware_version": (evidence.MODULE.hardware_version, "9.9"),
    "serial": (MODULE, OTHER_MODULE),
    "site": (evidence.MODULE.site, "another-site"),
    "level": (evidence.MODULE.level, 2),
    "node": (evidence.NODE.identity, "test-node.new"),
    "node_site": (evidence.NODE.site, "another-site"),
}
THINGS = (
    ("module", MODULE),
    ("node", evidence.NODE.identity),
    ("system", CALLER),
    ("system", CHECK_SYSTEM),
    ("system", f"{PARTY}/billing"),
    ("module", OTHER_MODULE),
)


# ---- how things are seen


def time_passes(doings: Doings, *, seconds: int) -> None:
    """Or the clock is stepped back."""
    doings.world.now = min(max(BEGIN, doings.world.now + seconds), LATEST)


def what_is_around(doings: Doings, *, which: str, good: bool) -> None:
    """The clock agrees with its source; the ledger extends what is remembered; the module's keys are strong."""
    setattr(doings.world, which, good)


def module_or_node_reports(doings: Doings, *, fact: str, changed: bool) -> None:
    value = REPORTED[fact][changed]
    if fact in doings.world.module:
        doings.world.module[fact] = str(value)
    else:
        setattr(doings.world, fact, value)


# ---- what is stated


def _common(doings: Doings, kind: StatementKind, last: timedelta | None) -> dict[str, Any]:
    return dict(common(ORIGIN, doings.at, kind, last=last))


def a_validation(doings: Doings, *, by: str, last: timedelta | None, otherwise: dict[str, Any]) -> None:
    doings.state(doings.a_validation(last=last, **otherwise), by)


def a_classification(doings: Doings, *, by: str, last: timedelta | None, otherwise: dict[str, Any]) -> None:
    said = {"module": doings.names(**otherwise), "scheme": "ICS 4", "classification": "SECRET"}
    given = _common(doings, StatementKind.MODULE_CLASSIFICATION, last)
    doings.state(ModuleClassification.model_validate(given | said), by)


def a_location(
    doings: Doings, *, by: str, last: timedelta | None, thing: tuple[str, str], secure: int, otherwise: dict[str, Any]
) -> None:
    environment = {**LOCATION["environment"], "expires": doings.world.now + secure}
    said = {
        **LOCATION,
        "of": thing[0],
        "subject": thing[1],
        "people": list(ADMINISTRATORS),
        "environment": environment,
    }
    doings.state(Location.model_validate(_common(doings, StatementKind.LOCATION, last) | said | otherwise), by)


def a_persons_location(doings: Doings, *, by: str, last: timedelta | None, name: str, country: str) -> None:
    said = {"of": "person", "subject": name, "party": "operator", "country": country, "site": "office", "people": []}
    doings.state(Location.model_validate(_common(doings, StatementKind.LOCATION, last) | said), by)


def a_person(
    doings: Doings, *, by: str, last: timedelta | None, name: str, role: str, reviewed: int, until: int | None
) -> None:
    """``reviewed``: how many seconds ago; ``until``: how many from now he is engaged elsewhere, 0 for never."""
    now = doings.world.now
    stay = {
        "system": "dcc-live-systems-a",
        "activity": "engaged",
        "since": BEGIN,
        "until": None if until is None else now + until,
    }
    said = {
        "person": name,
        "party": "operator",
        "roles": [role],
        "clearance": {"level": "SC", "reviewed": now - reviewed},
        "screening": {"standard": "BS 7858:2019", "passed": BEGIN},
        "engagements": [] if until == 0 else [stay],
    }
    doings.state(Person.model_validate(_common(doings, StatementKind.PERSON, last) | said), by)


def thresholds(
    doings: Doings,
    *,
    by: str,
    last: timedelta | None,
    whose: str | None,
    on: Sequence[str],
    period: int,
    most: int,
    step: int,
    consulted: bool,
) -> None:
    """The DCC's after the Security Sub-Committee was ``consulted``, or not."""
    newest = doings.world.newest(whose or DCC)
    guidance = doings.consult(of_these=whose is None and consulted)
    counts = {"measure": "critical", "period_seconds": period, "warning": most, "quarantine": most}
    said = {
        "user": whose,
        "part": "test",
        "sequence": max(1, (0 if newest is None else newest[1].sequence) + step),
        "guidance": guidance,
        "thresholds": [{**counts, "variant": each} for each in on],
    }
    given = _common(doings, StatementKind.THRESHOLD_NOTIFICATION, last)
    doings.state(ThresholdNotification.model_validate(given | said), by)


# ---- who is heard, and who acts


def a_statement_is_withdrawn(doings: Doings, *, which: int, by: str) -> None:
    held = [each for each in doings.world.told if not each.withdrawn]
    doings.withdraw(held[-1 - which % len(held)], by)


def an_attester_is_withdrawn(doings: Doings, *, name: str, by: str) -> None:
    doings.withdraw_attester(name, by)


def an_attester_is_renewed(doings: Doings, *, name: str, last: timedelta | None, by: str) -> None:
    until = LONG if last is None else doings.world.now + int(last.total_seconds())
    doings.enrol(name, until, by)


def the_node_is_configured(doings: Doings, *, by: str) -> None:
    doings.reload(by)


def what_is_quarantined_is_released(doings: Doings, *, message: str, by: str) -> None:
    doings.release(MESSAGES[message], by)


@dataclass(frozen=True, slots=True)
class Change:
    """One of the above, to be done to a deployment."""

    what: Callable[..., None]
    given: dict[str, Any]

    def __call__(self, doings: Doings) -> None:
        self.what(doings, **self.given)

    def __repr__(self) -> str:
        return f"{self.what.__name__}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"


HOUR, MONTH = timedelta(hours=1), timedelta(days=30)
_people, _renewed = st.sampled_from(ADMINISTRATORS), st.sampled_from((CLERK, CHECK_SYSTEM))
_said = {"by": st.sampled_from((OFFICER, CLERK)), "last": st.sampled_from((None, MONTH, HOUR))}
_seconds = st.one_of(
    st.sampled_from((1, 59, 60, 61, 300, 301, 3_600, DAY)), st.integers(1, 200).map(lambda days: days * DAY)
)
_validations: tuple[dict[str, Any], ...] = (
    {},
    {"status": "revoked"},
    {"status": "historical"},
    {"standard": "FIPS 140-2"},
    {"level": 2},
    {"approved_mode": False},
)
_classifications: tuple[dict[str, Any], ...] = (
    {},
    {"model": "EM-4"},
    {"members": [MODULE, OTHER_MODULE]},
    {"members": [OTHER_MODULE]},
)
_places: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"country": "IE"},
    {"site": "another-site"},
    {"party": "supplier-b"},
    {"party": "supplier-b", "country": "IE"},
    {"people": ["nobody"]},
)
_variants = (("7.2",), ("6.11", "8.1.1"), ("7.2", "6.11", "8.1.1"), ("7.2", "6.15.1", "6.21", "6.11", "8.1.1"))


def drawn(what: Callable[..., None], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.fixed_dictionaries(given).map(partial(Change, what))


_rarely, _mostly = st.sampled_from((False, False, True)), st.sampled_from((True, True, False))
of_time = st.one_of(drawn(time_passes, seconds=_seconds), drawn(time_passes, seconds=st.integers(-600, 600)))
of_what_is_seen = st.one_of(
    drawn(what_is_around, which=st.sampled_from(("clock_agrees", "remembered", "strong")), good=_rarely),
    drawn(module_or_node_reports, fact=st.sampled_from(tuple(REPORTED)), changed=_mostly),
)
of_module = st.one_of(
    drawn(a_validation, **_said, otherwise=st.sampled_from(_validations)),
    drawn(a_classification, **_said, otherwise=st.sampled_from(_classifications)),
)
_secure = st.sampled_from((400 * DAY, 400 * DAY, 3_600, 0))
of_place = st.one_of(
    drawn(a_location, **_said, thing=st.sampled_from(THINGS), secure=_secure, otherwise=st.sampled_from(_places)),
    drawn(a_persons_location, **_said, name=_people, country=st.sampled_from(("GB", "FR"))),
    drawn(the_node_is_configured, by=_people),
)
of_a_person = drawn(
    a_person,
    **_said,
    name=_people,
    role=st.sampled_from(("administrator", "administrator", "witness")),
    reviewed=st.sampled_from((0, 366 * DAY - 3_600, 366 * DAY)),
    until=st.sampled_from((0, None, 3_600)),
)
of_people = st.one_of(of_a_person, drawn(the_node_is_configured, by=_people))
of_who_is_heard = st.one_of(
    drawn(a_statement_is_withdrawn, which=st.integers(0, 20), by=_people),
    drawn(an_attester_is_withdrawn, name=_renewed, by=_people),
    drawn(an_attester_is_renewed, name=_renewed, last=st.sampled_from((None, HOUR)), by=_people),
)
of_thresholds = drawn(
    thresholds,
    **_said,
    whose=st.sampled_from((USER, USER, None, ACCESS_CONTROL_BROKER)),
    on=st.sampled_from(_variants),
    period=st.sampled_from((60, 600, 3_600, DAY)),
    most=st.integers(0, 3),
    step=st.sampled_from((1, 1, 5, 0)),
    consulted=st.sampled_from((True, True, False)),
)
of_quarantine = drawn(what_is_quarantined_is_released, message=st.sampled_from(tuple(MESSAGES)), by=_people)
_for_an_hour, _by_the_clerk = {**_said, "last": st.just(HOUR)}, {"by": st.just(CLERK), "last": st.just(MONTH)}


def _of_what_is_good(**said: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    """Said once more: by whom and for how long is ``said``."""
    return st.one_of(
        drawn(a_validation, **said, otherwise=st.just({})),
        drawn(a_classification, **said, otherwise=st.just({})),
        drawn(a_location, **said, thing=st.sampled_from(THINGS), secure=st.just(400 * DAY), otherwise=st.just({})),
        drawn(a_persons_location, **said, name=_people, country=st.just("GB")),
        drawn(
            thresholds,
            **said,
            whose=st.sampled_from((USER, None)),
            on=st.just(_variants[-1]),
            period=st.just(60),
            most=st.just(9),
            step=st.just(1),
            consulted=st.just(True),
        ),
    )


of_what_the_clerk_says = _of_what_is_good(**_by_the_clerk)
_environment = {"secure": st.just(3_600), "otherwise": st.just({})}
of_what_lapses = st.one_of(
    _of_what_is_good(**_for_an_hour),
    drawn(a_location, **_said, thing=st.sampled_from(THINGS[:2]), **_environment),
    drawn(a_location, **_said, thing=st.sampled_from(THINGS[2:4]), **_environment),
    drawn(an_attester_is_renewed, name=st.just(CHECK_SYSTEM), last=st.just(HOUR), by=_people),
)
"""In an hour; where nobody says it anew."""
of_evidence = st.one_of(of_module, of_place, of_people, of_who_is_heard)
of_anything = st.one_of(of_time, of_what_is_seen, of_evidence, of_thresholds, of_quarantine)
