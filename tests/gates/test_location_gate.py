"""The gate of location: every way in which it shuts, with its reason and clause; and the one way to pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.gates.located import why_not_in_united_kingdom
from keybroker.gates.uk_location import uk_location
from keybroker.keys.reload import SUBJECT as CONFIGURATION
from keybroker.keys.restore import SUBJECTS as RESTORE
from keybroker.keys.standing import read_standing
from keybroker.ledger.upkeep_form import SUBJECT as RETENTION
from keybroker.statement.standing import PersonAct, Standing
from keybroker.statement.statement import Statement
from keybroker.terms import Finding, KeyLabel, SystemName
from tests import evidence
from tests.gates.looks import (
    DAY,
    LOCATION,
    SUPPLIER,
    a_classification,
    a_location,
    a_look,
    a_standing,
    live,
    named,
)
from tests.keys.made_in_ceremony import make_in_ceremony
from tests.ledger import books
from tests.situations import AT, a_caller, a_decision

MODULE = ("module", evidence.MODULE.serial)
NODE = ("node", evidence.NODE.identity)
SYSTEM = ("system", "supplier-a/head-end")
ALICE = ("person", "alice")
PLACES = (MODULE, NODE, SYSTEM, ALICE)
THINGS = PLACES[:3]
SUBJECTS_OF_ACTS = (
    f"module:{evidence.MODULE.serial}",
    f"node:{evidence.NODE.identity}",
    "key:supplier-a",
    "key:supplier-a:second",
    CONFIGURATION,
    *sorted({RETENTION, *RESTORE}),
    "system:supplier-a/head-end",
)


def held(*spoilt: tuple[tuple[str, str], dict[str, Any] | None]) -> tuple[Statement, ...]:
    """Good evidence but for these: changed, or left out."""
    changes = dict(spoilt)
    wanted = [(place, changes.get(place, {})) for place in PLACES]
    return tuple(a_location(*place, **said) for place, said in wanted if said is not None)


def found_by(standing: Standing, **changes: Any) -> Finding:
    return uk_location(a_look(a_decision(), "uk-location", standing, **changes)).finding


def environment(expires: timedelta) -> dict[str, Any]:
    return {"environment": LOCATION["environment"] | {"expires": int((AT + expires).timestamp())}}


@dataclass(frozen=True, kw_only=True)
class Case:
    reason: str
    spoilt: dict[str, Any] | None
    clause: str = "G3.23"
    things: tuple[tuple[str, str], ...] = THINGS

    def __str__(self) -> str:
        return f"{self.reason} {self.spoilt}"


OF_THINGS = (
    Case(reason="LOCATION_EVIDENCE_MISSING", spoilt=None),
    Case(reason="LOCATION_LAPSED", spoilt={"ago": 2 * DAY, "last": DAY}),
    Case(reason="LOCATION_LAPSED", spoilt={"ago": DAY, "last": DAY}),
    Case(reason="LOCATION_ABROAD", spoilt={"country": "IE"}),
    Case(reason="LOCATION_OF_ANOTHER_PARTY", spoilt={"party": "supplier-b"}),
    Case(reason="SITE_DIFFERS", spoilt={"site": "another"}, things=(MODULE, NODE)),
    Case(reason="ENVIRONMENT_CERTIFICATE_EXPIRED", spoilt=environment(timedelta(0)), clause="G3.24, G5.17"),
    Case(reason="PERSON_NOT_LOCATED", spoilt={"people": ["alice", "bob"]}),
)
CASES = [(case, thing) for case in OF_THINGS for thing in case.things]


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
@pytest.mark.parametrize(("case", "thing"), CASES, ids=str)
def test_refuses_a_thing_that_is_not_shown_to_be_in_the_united_kingdom(case: Case, thing: tuple[str, str]) -> None:
    finding = found_by(a_standing(*held((thing, case.spoilt))))
    check_refused(finding, case.reason)
    assert finding.clause == case.clause
    assert thing[1] in finding.expected


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
@pytest.mark.parametrize(
    ("reason", "spoilt"),
    [
        ("PERSON_NOT_LOCATED", None),
        ("PERSON_NOT_LOCATED", {"ago": 2 * DAY, "last": DAY}),
        ("PERSON_ABROAD", {"country": "FR"}),
    ],
)
def test_refuses_people_who_are_not_shown_to_be_in_the_united_kingdom(
    reason: str, spoilt: dict[str, Any] | None
) -> None:
    finding = found_by(a_standing(*held((ALICE, spoilt))))
    check_refused(finding, reason)
    assert "alice" in finding.expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_newer_location_abroad_shuts_although_an_older_is_in_force(
    place: tuple[str, str], newest_first: bool
) -> None:
    newer = a_location(*place, ago=timedelta(hours=1), country="IE")
    standing = a_standing(newer, *held()) if newest_first else a_standing(*held(), newer)
    check_refused(found_by(standing), "PERSON_ABROAD" if place is ALICE else "LOCATION_ABROAD")


def test_a_newer_location_by_another_party_shuts_where_it_is_abroad_and_else_takes_nothing_away() -> None:
    newer: dict[str, Any] = {"ago": timedelta(hours=1), "party": "supplier-b"}
    assert found_by(a_standing(*held(), a_location(*MODULE, **newer))).passed
    check_refused(found_by(a_standing(*held(), a_location(*MODULE, **newer, country="IE"))), "LOCATION_ABROAD")


def test_what_another_party_says_later_does_not_bring_home_what_its_own_says_is_abroad() -> None:
    newer = a_location(*MODULE, ago=timedelta(hours=1), party="supplier-b")
    check_refused(found_by(a_standing(*held((MODULE, {"country": "IE"})), newer)), "LOCATION_ABROAD")


@pytest.mark.parametrize("place", [SYSTEM, ALICE])
def test_nobody_vouches_for_himself(place: tuple[str, str]) -> None:
    own = replace(a_location(*place, ago=timedelta(hours=1)), attester=place[1])
    reason = "PERSON_NOT_LOCATED" if place is ALICE else "LOCATION_EVIDENCE_MISSING"
    check_refused(found_by(a_standing(*held((place, None)), own)), reason)
    abroad = replace(a_location(*place, ago=timedelta(hours=1), country="IE"), attester=place[1])
    assert found_by(a_standing(*held(), abroad)).passed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"module": replace(evidence.MODULE, serial="FAKE-0002")}, "LOCATION_EVIDENCE_MISSING"),
        ({"module": replace(evidence.MODULE, site="manchester-b")}, "SITE_DIFFERS"),
        ({"module": replace(evidence.MODULE, site="")}, "SITE_DIFFERS"),
        (
            {"surroundings": replace(evidence.SURROUNDINGS, node=replace(evidence.NODE, identity="test-node.new"))},
            "LOCATION_EVIDENCE_MISSING",
        ),
        (
            {"surroundings": replace(evidence.SURROUNDINGS, node=replace(evidence.NODE, site="manchester-b"))},
            "SITE_DIFFERS",
        ),
    ],
)
def test_a_new_serial_identity_or_site_shuts_until_new_evidence_is_given(changes: dict[str, Any], reason: str) -> None:
    check_refused(found_by(a_standing(*held()), **changes), reason)


def test_refuses_a_member_behind_the_slot_of_which_nothing_is_known() -> None:
    members = a_classification(**named(members=[evidence.MODULE.serial, "FAKE-0002"]))
    finding = found_by(a_standing(*held(), members))
    check_refused(finding, "LOCATION_EVIDENCE_MISSING")
    assert "FAKE-0002" in finding.expected
    assert found_by(a_standing(*held(), members, a_location("module", "FAKE-0002"))).passed


def test_refuses_another_system_of_the_caller() -> None:
    decision = a_decision(caller=a_caller(system=SystemName("batch")))
    finding = uk_location(a_look(decision, "uk-location", a_standing(*held()))).finding
    check_refused(finding, "LOCATION_EVIDENCE_MISSING")
    assert "supplier-a/batch" in finding.expected


def acted(subject: str, at: timedelta = timedelta(0)) -> tuple[PersonAct, ...]:
    """Bob, a day after everything was stated but for ``at``."""
    return (PersonAct(person="bob", subject=subject, at=AT - DAY + at),)


@pytest.mark.parametrize("subject", SUBJECTS_OF_ACTS)
def test_refuses_once_somebody_acted_who_is_not_shown_to_be_in_the_united_kingdom(subject: str) -> None:
    standing = a_standing(*held(), acts=acted(subject))
    check_refused(found_by(standing), "PERSON_NOT_LOCATED")
    abroad = a_standing(*held(), a_location("person", "bob", country="IN"), acts=acted(subject))
    check_refused(found_by(abroad), "PERSON_ABROAD")
    assert found_by(a_standing(*held(), a_location("person", "bob"), acts=acted(subject))).passed


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_refuses_once_a_ceremony_acted_on_the_key_whose_people_are_not_shown_to_be_there(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        make_in_ceremony(journal, KeyLabel("supplier-a"), performers=("alice", "bob"), others=("carol",))
        with journal.ledger.read() as connection:
            acts = read_standing(connection).acts
    unknown = found_by(a_standing(*held(), acts=acts))
    check_refused(unknown, "PERSON_NOT_LOCATED")
    assert "bob (of module" in unknown.expected
    check_refused(found_by(a_standing(*held(), a_location("person", "bob", country="FR"), acts=acts)), "PERSON_ABROAD")
    # Carol signed for other steps alone; and whoever acted before a thing was stated anew is asked for no more.
    assert found_by(a_standing(*held(), a_location("person", "bob"), acts=acts)).passed
    anew = a_location(*MODULE, ago=timedelta(seconds=-1))
    assert found_by(a_standing(*held(), anew, acts=acts)).passed


@pytest.mark.parametrize(
    "act",
    [
        *(acted(subject, -timedelta(seconds=1)) for subject in SUBJECTS_OF_ACTS),
        acted("module:FAKE-0002"),
        acted("node:another"),
        acted("key:another"),
    ],
)
def test_acts_before_the_evidence_or_on_other_things_ask_for_nobody(act: tuple[PersonAct, ...]) -> None:
    assert found_by(a_standing(*held(), acts=act)).passed


def test_what_was_stated_before_a_restore_is_void() -> None:
    check_refused(found_by(a_standing(*held(), restored_at=AT)), "STATEMENT_BEFORE_RESTORE")


@pytest.mark.clause("G3.23", "G3.24", shows="acceptance")
@pytest.mark.parametrize("decision", [a_decision(), live(SUPPLIER)])
def test_accepts_when_all_is_in_the_united_kingdom_and_says_until_when(decision: Any) -> None:
    standing = a_standing(*held((ALICE, {"last": 3 * DAY})))
    finding = uk_location(a_look(decision, "uk-location", standing)).finding
    assert finding.passed
    assert finding.found == (
        "module FAKE-0001, node test-node.0123456789abcdef, system supplier-a/head-end in GB,"
        " until 2026-01-17T12:00:00Z"
    )


def test_tells_the_end_of_the_environments_certificate_where_that_is_the_soonest() -> None:
    assert "until 2026-01-16T12:00:00Z" in found_by(a_standing(*held((NODE, environment(DAY))))).found


def test_what_holds_for_the_batch_is_looked_for_once_per_key_and_caller() -> None:
    look = a_look(a_decision(), "uk-location", a_standing(*held()))
    first = uk_location(look).finding
    assert uk_location(look).finding is first
    other = a_decision(caller=a_caller(system=SystemName("batch")))
    assert not uk_location(replace(look, use=other)).finding.passed


def why_not(standing: Standing, subject: str = SYSTEM[1], **changes: Any) -> str:
    given: dict[str, Any] = {"party": "supplier-a", "standing": standing, "at": AT}
    found = why_not_in_united_kingdom("system", subject, **given | changes)
    return "" if found is None else found.reason


def test_a_system_by_itself_is_looked_at_as_the_gate_looks_at_it() -> None:
    assert why_not(a_standing(*held())) == ""
    assert why_not(a_standing(*held()), site="another") == "SITE_DIFFERS"
    assert why_not(a_standing(*held()), at=AT + 100 * DAY) == "ENVIRONMENT_CERTIFICATE_EXPIRED"
    assert why_not(a_standing(*held()), party="supplier-b") == "LOCATION_OF_ANOTHER_PARTY"
    assert why_not(a_standing(*held()), "supplier-a/check") == "LOCATION_EVIDENCE_MISSING"
    assert why_not(a_standing(*held(), acts=acted(f"system:{SYSTEM[1]}"))) == "PERSON_NOT_LOCATED"


def check_refused(finding: Finding, reason: str) -> None:
    assert not finding.passed
    assert finding.reason == reason
    assert finding.expected
    assert finding.found
    assert finding.remedy
