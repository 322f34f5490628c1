"""What ListKeys tells of a key agrees with what the rules would say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from keybroker.gates.model import ClockStand
from keybroker.gates.readiness import Outlook
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.policy.settings import LifeSettings
from keybroker.policy.trust import RevocationList
from keybroker.server.key_service import lapse_warnings, own_warnings, why_unusable
from keybroker.statement.standing import Standing
from keybroker.terms import DeploymentKind, Finding, KeyLabel, KeyPurpose, KeyState, RuleName
from tests import evidence
from tests.situations import AT, USER_IDS, a_certificate, a_key, a_policy, good_standing

HELD = Finding(rule=RuleName("key-served"), clause="G2.44(f)", passed=True)
CA = bytes(32)
CURRENT = RevocationList(
    issuer_identity=CA, number=1, this_update=AT - timedelta(days=1), next_update=AT + timedelta(days=1), revoked={}
)


OUTLOOK = Outlook(
    deployment=DeploymentKind.TEST,
    module=evidence.MODULE,
    surroundings=evidence.SURROUNDINGS,
    standing=good_standing(),
    at=AT,
)


def why(
    key: RegisteredKey,
    served: Mapping[KeyLabel, Finding],
    lists: Mapping[bytes, RevocationList],
    outlook: Outlook = OUTLOOK,
) -> str:
    return why_unusable(key, served, lists, a_policy(), outlook)


def another(outlook: Outlook = OUTLOOK, **changes: Any) -> Outlook:
    return replace(outlook, **changes)


@pytest.mark.parametrize(
    ("outlook", "says"),
    [
        (another(module=replace(evidence.MODULE, firmware_version="9.9")), "gate information-classification-module"),
        (another(module=replace(evidence.MODULE, site="elsewhere")), "gate uk-location (G3.23)"),
        (
            another(surroundings=replace(evidence.SURROUNDINGS, node=replace(evidence.NODE, identity="another"))),
            "a location of node another, found none",
        ),
        (another(surroundings=replace(evidence.SURROUNDINGS, part="elsewhere")), "gate anomaly-threshold (G6.3)"),
        (
            another(surroundings=replace(evidence.SURROUNDINGS, clock=ClockStand(why_not="it is 9 s ahead"))),
            "9 s ahead",
        ),
        (another(surroundings=replace(evidence.SURROUNDINGS, rolled_back="5 records, not 9")), "5 records, not 9"),
        (another(standing=Standing()), "a check system of supplier-a"),
        (another(deployment=DeploymentKind.LIVE, at=AT + timedelta(days=500)), "gate uk-location"),
    ],
)
def test_a_key_whose_gates_are_shut_whatever_is_asked_is_told_to_be_unusable_and_by_which(
    outlook: Outlook, says: str
) -> None:
    key = a_key()
    assert says in why(key, {key.label: HELD}, {}, outlook)


def test_a_live_key_without_a_validated_module_is_told_to_be_unusable() -> None:
    purpose = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND
    key, policy = a_key(purpose), a_policy(purpose)
    live = another(deployment=DeploymentKind.LIVE)
    assert "gate validated-module (G2.44(f))" in why_unusable(key, {key.label: HELD}, {}, policy, live)
    validated = another(live, standing=evidence.with_validation(USER_IDS))
    assert why_unusable(key, {key.label: HELD}, {}, policy, validated) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": KeyState.SUSPENDED}, "its state is suspended"),
        ({"certificate": a_certificate(revoked_at=AT - timedelta(days=1))}, "revoked"),
        ({"certificate": a_certificate(revoked_at=AT + timedelta(days=1))}, "revoked"),
        ({"certificate": a_certificate(not_after=AT - timedelta(days=1))}, "valid from"),
    ],
    ids=["suspended", "revoked", "revoked by a moment that is yet to come", "expired"],
)
def test_a_key_that_the_rules_refuse_is_told_to_be_unusable(changes: dict[str, Any], says: str) -> None:
    key = a_key(**changes)
    assert says in why(key, {key.label: HELD}, {})


def test_a_key_whose_cryptoperiod_is_over_is_told_to_be_unusable() -> None:
    packaged, key = a_policy(), a_key(activated_at=AT - timedelta(days=7))
    policy = replace(packaged, settings=replace(packaged.settings, life=LifeSettings(cryptoperiod_days=7)))
    assert "its cryptoperiod ended" in why_unusable(key, {key.label: HELD}, {}, policy, another())


def test_a_good_key_is_usable_and_one_that_the_module_does_not_hold_is_not() -> None:
    key = a_key()
    assert why(key, {key.label: HELD}, {}) == ""
    assert "module" in why(key, {}, {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (None, "no revocation list"),
        ({"next_update": AT - timedelta(seconds=1)}, "a revocation list for"),
        ({"revoked": {7: AT}}, "serial 7 revoked"),
        ({"revoked": {8: AT}}, ""),
    ],
    ids=["none is held", "the one that is held has ended", "on the list", "another on the list"],
)
def test_a_key_without_a_current_list_of_its_chain_or_on_one_is_told_to_be_unusable(
    changes: dict[str, Any] | None, says: str
) -> None:
    key = a_key(certificate=a_certificate(serials=(7,), issuers=(CA,)))
    lists = {} if changes is None else {CA: replace(CURRENT, **changes)}
    told = why(key, {key.label: HELD}, lists)
    assert says in told
    assert bool(told) is bool(says)


@pytest.mark.parametrize(
    ("days", "says"), [(300, ""), (371, "location lapses in 2"), (394, "location lapses in 5 days")]
)
def test_warns_of_what_lapses_soon_thirty_days_before(days: int, says: str) -> None:
    line = SimpleNamespace(policies={KeyPurpose.SUPPLIER_PRE_COMMAND: a_policy()})
    outlook = another(at=AT + timedelta(days=days))
    told = lapse_warnings(line, KeyRegister(version=1, keys={}), outlook)  # type: ignore[arg-type]  # its policies alone
    assert any(says in each for each in told) if says else told == []


def test_warns_of_an_ending_revocation_list_and_of_a_certificate_to_its_own_key_alone() -> None:
    line, ending = SimpleNamespace(policies={}), replace(CURRENT, next_update=AT + timedelta(hours=1))
    register = KeyRegister(version=1, keys={}, lists={CA: ending})
    told = lapse_warnings(line, register, another(standing=Standing()))  # type: ignore[arg-type]  # its policies alone
    assert [each.split(" lapses")[0] for each in told] == ["revocation-list"]
    key = a_key(certificate=a_certificate(not_after=AT + timedelta(days=6)))
    assert ["certificate lapses in 6 days" in each for each in own_warnings(key, AT)] == [True]
    assert own_warnings(a_key(), AT) == []
