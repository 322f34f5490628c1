"""The gates of the module: every way in which they shut, with its reason and clause; and the one way to pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keybroker.gates.classified_module import classified_module
from keybroker.gates.lapses import lapses
from keybroker.gates.module_evidence import modules
from keybroker.gates.validated_module import validated_module
from keybroker.policy.model import Policy
from keybroker.policy.settings import DatedStandard, ModuleValidationSettings
from keybroker.terms import Finding
from tests import evidence
from tests.gates.looks import (
    ACB,
    DAY,
    NAMES,
    SUPPLIER,
    Spoilt,
    a_classification,
    a_location,
    a_look,
    a_standing,
    a_validation,
    live,
    named,
)
from tests.situations import AT, a_decision, packaged_policies

HISTORICAL_FROM = datetime(2026, 9, 21, tzinfo=UTC)
OLD: dict[str, Any] = {"standard": "FIPS 140-2", "certificate": "4090"}
HISTORICAL: dict[str, Any] = {"status": "historical"}
SOFTHSM: dict[str, Any] = {
    "manufacturer": "SoftHSM project",
    "model": "SoftHSM v2",
    "firmware_version": "2.6",
    "hardware_version": "2.6",
}


def dated(*, accepted: datetime | None = None, **dates: Any) -> Policy:
    """The packaged policy, with these dates of FIPS 140-2."""
    policy = packaged_policies()[ACB]
    assert policy.settings.module_validation is not None
    new = policy.settings.module_validation.dates_of("FIPS 140-3")
    old = policy.settings.module_validation.dates_of("FIPS 140-2")
    assert new is not None
    assert old is not None
    standards = (replace(old, **dates), new)
    validation = ModuleValidationSettings(standards=standards, historical_accepted_until=accepted)
    return replace(policy, settings=replace(policy.settings, module_validation=validation))


def without_table() -> Policy:
    policy = packaged_policies()[ACB]
    return replace(policy, settings=replace(policy.settings, module_validation=None))


ONLY_OLD = ModuleValidationSettings(
    standards=(DatedStandard(standard="FIPS 140-2", since=datetime(2001, 5, 25, tzinfo=UTC)),)
)
WITHDRAWN = {
    kid: replace(attester, withdrawn_at=AT - timedelta(hours=1)) for kid, attester in evidence.attesters().items()
}

EITHER_GATE: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # reason, changes of the statement, of the module's report, of the standing
    ("MODULE_EVIDENCE_LAPSED", {"ago": 2 * DAY, "last": DAY}, {}, {}),
    ("MODULE_EVIDENCE_LAPSED", {"ago": DAY, "last": DAY}, {}, {}),
    ("STATEMENT_BEFORE_RESTORE", {}, {}, {"restored_at": AT}),
    ("ATTESTER_WITHDRAWN", {}, {}, {"attesters": WITHDRAWN}),
    ("MODULE_SERIAL_DIFFERS", {}, {"serial": "FAKE-0002"}, {}),
    ("MODULE_SERIAL_DIFFERS", named(members=["FAKE-0002", "FAKE-0003"]), {}, {}),
    ("MODULE_SERIAL_DIFFERS", named(serial="GROUP-1", members=["FAKE-0001", "FAKE-0002"]), {}, {}),
    ("MODULE_FIRMWARE_DIFFERS", {}, {"firmware_version": "7.5"}, {}),
    ("MODULE_HARDWARE_DIFFERS", {}, {"hardware_version": "2.1"}, {}),
    ("MODULE_LIBRARY_DIFFERS", named(library="Example Modules Cryptoki 2.9"), {}, {}),
    ("MODULE_LIBRARY_DIFFERS", named(library=evidence.MODULE.library), {"library": "Example Modules Cryptoki 3.1"}, {}),
    ("MODULE_MODEL_DIFFERS", {}, {"model": "EM-4"}, {}),
    ("MODULE_MANUFACTURER_DIFFERS", {}, {"manufacturer": "Example"}, {}),
    ("MODULE_EVIDENCE_MISSING", {}, {"serial": "FAKE-0002", "model": "EM-4"}, {}),
]


@pytest.mark.clause("G2.44", "G2.44(f)", "G2.45", "G3.22", "G3.23(a)(iii)", shows="refusal")
@pytest.mark.parametrize(("reason", "said", "reported", "standing"), EITHER_GATE)
@pytest.mark.parametrize("gate", ["validated-module", "information-classification-module"])
def test_refuses_evidence_that_is_not_about_the_module_as_it_is_now(
    gate: str, reason: str, said: dict[str, Any], reported: dict[str, Any], standing: dict[str, Any]
) -> None:
    module = replace(evidence.MODULE, **reported)
    if gate == "validated-module":
        held = a_standing(a_validation(**said), **standing)
        finding = validated_module(a_look(live(ACB), gate, held, module=module)).finding
    else:
        held = a_standing(a_classification(**said), **standing)
        finding = classified_module(a_look(a_decision(), gate, held, module=module)).finding
    check_refused(finding, reason)
    assert finding.clause == ("G2.44(f)" if gate == "validated-module" else "G3.22")


@pytest.mark.clause("G2.45", shows="refusal")
def test_refuses_evidence_of_the_other_kind() -> None:
    look = a_look(live(ACB), "validated-module", a_standing(a_classification()))
    check_refused(validated_module(look).finding, "MODULE_EVIDENCE_MISSING")
    look = a_look(a_decision(), "information-classification-module", a_standing(a_validation()))
    check_refused(classified_module(look).finding, "MODULE_EVIDENCE_MISSING")


SPOILT = [
    Spoilt(reason="CERTIFICATE_REVOKED", held=(a_validation(status="revoked"),)),
    Spoilt(reason="CERTIFICATE_REVOKED", held=(a_validation(), a_validation(status="revoked"))),
    Spoilt(
        reason="CERTIFICATE_REVOKED",
        held=(a_validation(status="revoked"), a_validation(ago=2 * DAY)),
        found="4962",
    ),
    Spoilt(reason="MODULE_EVIDENCE_LAPSED", held=(a_validation(ago=3 * DAY), a_validation(ago=2 * DAY, last=DAY))),
    Spoilt(reason="MODULE_LEVEL_TOO_LOW", held=(a_validation(level=2),), found="Level 2 stated"),
    Spoilt(reason="MODULE_LEVEL_TOO_LOW", held=(a_validation(),), module={"level": 2}, found="Level 2 by the device"),
    Spoilt(reason="MODULE_NOT_IN_APPROVED_MODE", held=(a_validation(approved_mode=False),)),
    Spoilt(reason="MODULE_CHECKED_IN_THE_FUTURE", held=(a_validation(checked=int(AT.timestamp()) + 1),)),
    Spoilt(reason="CERTIFICATE_HISTORICAL", held=(a_validation(**HISTORICAL),)),
    Spoilt(reason="CERTIFICATE_HISTORICAL", held=(a_validation(**HISTORICAL),), policy=dated(accepted=AT)),
    Spoilt(reason="CERTIFICATE_HISTORICAL", held=(a_validation(**OLD),), policy=dated(historical_from=AT)),
    Spoilt(reason="STANDARD_SUPERSEDED", held=(a_validation(**OLD),), policy=dated(until=AT), clause="G1.3"),
    Spoilt(
        reason="STANDARD_NOT_IN_FORCE_YET",
        held=(a_validation(**OLD),),
        policy=dated(since=AT + DAY),
        clause="G1.3",
    ),
    Spoilt(
        reason="STANDARD_NOT_LISTED",
        held=(a_validation(),),
        policy=replace(dated(), settings=replace(packaged_policies()[ACB].settings, module_validation=ONLY_OLD)),
        clause="G1.3",
        found="FIPS 140-3",
    ),
    Spoilt(reason="STANDARD_NOT_LISTED", held=(a_validation(),), policy=without_table(), clause="G1.3", found="none"),
    Spoilt(reason="MODULE_IS_SOFTWARE", held=(a_validation(),), module={"level": 0}, clause="G2.44"),
    Spoilt(
        reason="MODULE_IS_SOFTWARE",
        held=(a_validation(module=NAMES | SOFTHSM),),
        module=SOFTHSM | {"library": "SoftHSM Implementation of PKCS11 2.6"},
        clause="G2.44",
    ),
    Spoilt(reason="MODULE_IS_SOFTWARE", held=(a_validation(),), module={"library": "SoftHSM 2.6"}, clause="G2.44"),
]


@pytest.mark.clause("G1.2", "G1.3", "G2.44", "G2.44(f)", shows="refusal")
@pytest.mark.parametrize("case", SPOILT, ids=str)
def test_refuses_a_validation_that_does_not_show_level_3(case: Spoilt) -> None:
    decision = live(ACB)
    if case.policy is not None:
        decision = replace(decision, policy=case.policy)
    module = replace(evidence.MODULE, **(case.module or {}))
    finding = validated_module(a_look(decision, "validated-module", a_standing(*case.held), module=module)).finding
    check_refused(finding, case.reason)
    assert finding.clause == (case.clause or "G2.44(f)")
    assert case.found in finding.found


ACCEPTED: list[tuple[dict[str, Any], Policy, str]] = [
    ({}, dated(), "FIPS 140-3 Level 3, certificate 4962, counts until 2027-02-18 (statement)"),
    ({"level": 4}, dated(), "FIPS 140-3 Level 4"),
    (OLD, dated(), "FIPS 140-2 Level 3, certificate 4090, counts until 2026-09-21 (historical)"),
    (OLD, dated(until=AT + DAY), "counts until 2026-01-16 (standard)"),
    (HISTORICAL, dated(accepted=AT + 2 * DAY), "counts until 2026-01-17 (historical)"),
    (OLD | HISTORICAL, dated(historical_from=AT, accepted=AT + DAY), "counts until 2026-01-16 (historical)"),
]


@pytest.mark.clause("G1.2", "G1.3", "G2.44", "G2.44(f)", shows="acceptance")
@pytest.mark.parametrize(("said", "policy", "found"), ACCEPTED)
def test_accepts_a_validation_in_force_and_says_until_when_it_counts(
    said: dict[str, Any], policy: Policy, found: str
) -> None:
    held = a_validation(**said)
    look = a_look(replace(live(ACB), policy=policy), "validated-module", a_standing(held))
    finding = validated_module(look).finding
    assert finding.passed
    assert found in finding.found
    assert held.sha256.hex()[:16] in finding.found


def test_a_test_deployment_relaxes_the_validation_and_says_so() -> None:
    look = a_look(a_decision(ACB), "validated-module", a_standing())
    finding = validated_module(look).finding
    assert (finding.passed, finding.found) == (True, "relaxed (test deployment)")


@pytest.mark.clause("G3.22", "G3.23(a)(iii)", shows="acceptance")
@pytest.mark.parametrize("decision", [live(SUPPLIER), a_decision()])
def test_accepts_a_classification_in_force_and_names_it(decision: Any) -> None:
    held = a_classification()
    look = a_look(decision, "information-classification-module", a_standing(held))
    finding = classified_module(look).finding
    assert finding.passed
    assert finding.found == f"SECRET under ICS 4; {held.told()}"


def test_accepts_a_module_that_stands_before_others() -> None:
    names = named(members=["FAKE-0001", "FAKE-0002"])
    look = a_look(live(ACB), "validated-module", a_standing(a_validation(**names)))
    assert validated_module(look).finding.passed


@pytest.mark.clause("G2.44", "G2.45", "G3.22", shows="acceptance")
@pytest.mark.parametrize("stated", [{"library": evidence.MODULE.library}, {"library": None}, {}])
def test_compares_the_library_only_where_it_is_stated(stated: dict[str, Any]) -> None:
    module = evidence.MODULE if stated.get("library") else replace(evidence.MODULE, library="another 9.9")
    held = a_standing(a_validation(**named(**stated)), a_classification(**named(**stated)))
    for look_at, purpose, gate in (
        (validated_module, ACB, "validated-module"),
        (classified_module, SUPPLIER, "information-classification-module"),
    ):
        assert look_at(a_look(live(purpose), gate, held, module=module)).finding.passed


def test_what_holds_for_the_batch_is_looked_for_once_per_purpose() -> None:
    look = a_look(live(ACB), "validated-module", a_standing(a_validation()))
    assert validated_module(look).finding is validated_module(look).finding
    other = replace(look, use=replace(look.use, policy=replace(dated(until=AT), sha256=bytes(32))))
    assert validated_module(other).finding.passed


@pytest.mark.clause("G1.2", "G1.3", shows="acceptance")
def test_lists_modules_with_the_clock_of_each() -> None:
    standing = a_standing(
        a_validation(ago=2 * DAY, **OLD), a_validation(**OLD), a_classification(), a_validation(**named(serial="B"))
    )
    b, fake = modules(standing, packaged_policies(), AT)
    assert (b.serial, fake.serial) == ("B", "FAKE-0001")
    (clock,) = fake.clocks
    assert (clock.ends[0].what, clock.ends[0].at) == ("historical", HISTORICAL_FROM)
    assert set(clock.purposes) == {
        purpose for purpose, policy in packaged_policies().items() if policy.module.requirement == "fips-level-3"
    }
    assert clock.counts(AT)
    assert not clock.counts(HISTORICAL_FROM)
    assert fake.classification is not None
    assert b.classification is None


def test_tells_what_lapses_the_soonest_first_and_of_each_subject_the_newest() -> None:
    standing = a_standing(
        a_validation(ago=DAY, last=3 * DAY, **OLD),
        a_validation(**OLD),
        a_classification(ago=DAY, last=8 * DAY),
        a_location("node", "n", last=2 * DAY),
    )
    found = [
        (each.what, each.subject, each.clause, each.days, each.warned_days)
        for each in lapses(standing, packaged_policies(), AT)
        if each.what != "attester"
    ]
    assert found == [
        ("location", "node n of supplier-a", "G3.23", 1, 7),
        ("module-classification", "FAKE-0001", "G2.45, G3.22", 7, 7),
        ("environment-certificate", "node n of supplier-a", "G3.24, G5.17", 100, None),
        ("historical", "FAKE-0001, FIPS 140-2, certificate 4090", "G2.44", 248, None),
        ("module-validation", "FAKE-0001", "G2.44", 399, None),
    ]


@pytest.mark.clause("G6.10", shows="acceptance")
@pytest.mark.parametrize(("left", "days", "warned"), [(31, 30, 30), (32, 31, None), (8, 7, 7), (9, 8, 30), (-1, -2, 7)])
def test_warns_30_and_7_days_before(left: int, days: int, warned: int | None) -> None:
    held = a_classification(ago=3 * DAY, last=(left + 3) * DAY)
    found = lapses(a_standing(held), {}, AT + timedelta(seconds=1))
    (own,) = (each for each in found if each.what == "module-classification")
    assert (own.days, own.warned_days) == (days, warned)


def check_refused(finding: Finding, reason: str) -> None:
    assert not finding.passed
    assert finding.reason == reason
    assert finding.expected
    assert finding.found
    assert finding.remedy
