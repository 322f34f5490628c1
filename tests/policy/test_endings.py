"""Which keys are near an end: of their cryptoperiod, of their certificate, of their uses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keybroker.policy.endings import KeyEnding, key_endings
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.policy.settings import LifeSettings
from keybroker.terms import KeyPurpose, KeyState
from tests.situations import AT, a_certificate, a_key, a_policy

PURPOSE = KeyPurpose.SUPPLIER_PRE_COMMAND
LIFE = LifeSettings(cryptoperiod_days=100, uses=100)
FAR = a_certificate(not_after=AT + timedelta(days=400))


def endings(*keys: RegisteredKey, life: LifeSettings | None = LIFE, uses: int = 0) -> tuple[KeyEnding, ...]:
    policy = a_policy()
    policy = replace(policy, settings=replace(policy.settings, life=life))
    register = KeyRegister(version=1, keys={key.label: key for key in keys})
    return key_endings(register, {PURPOSE: policy}, {key.label: uses for key in keys}, AT)


def held(**changes: Any) -> RegisteredKey:
    return a_key(**{"certificate": FAR, "activated_at": AT, **changes})


@pytest.mark.parametrize(
    ("key", "uses", "near"),
    [
        (held(), 0, ""),
        (held(activated_at=AT - timedelta(days=69)), 0, ""),
        (held(activated_at=AT - timedelta(days=70)), 0, "cryptoperiod"),
        (held(activated_at=AT - timedelta(days=101)), 0, "cryptoperiod"),
        (held(certificate=a_certificate(not_after=AT + timedelta(days=30))), 0, "certificate"),
        (held(certificate=a_certificate(not_after=AT + timedelta(days=31))), 0, ""),
        (held(), 89, ""),
        (held(), 90, "uses"),
        (held(uses_before=50), 40, "uses"),
        (held(activated_at=None, certificate=None), 0, ""),
        (held(activated_at=AT - timedelta(days=99)), 100, "cryptoperiod, uses"),
    ],
)
def test_says_which_end_is_near(key: RegisteredKey, uses: int, near: str) -> None:
    (found,) = endings(key, uses=uses)
    assert (found.near, found.uses) == (near, uses + key.uses_before)
    assert (found.party, found.purpose, found.state) == (key.party, key.purpose, key.state)


def test_a_policy_without_figures_has_no_such_end() -> None:
    (found,) = endings(held(), life=None, uses=10_000)
    assert (found.cryptoperiod_ends, found.uses_limit, found.near) == (None, None, "")


def test_a_key_of_which_nothing_is_counted_was_never_used() -> None:
    register = KeyRegister(version=1, keys={held().label: held()})
    (found,) = key_endings(register, {PURPOSE: replace(a_policy())}, {}, AT)
    assert found.uses == 0


def test_what_never_comes_into_use_again_is_left_out() -> None:
    assert endings(held(state=KeyState.RETIRED), held(state=KeyState.DESTROYED)) == ()


def test_those_near_an_end_stand_first_and_the_soonest_before_the_others() -> None:
    keys = [
        held(label="far"),
        held(label="near", activated_at=AT - timedelta(days=90)),
        held(label="nearer", activated_at=AT - timedelta(days=95)),
    ]
    assert [each.label for each in endings(*keys)] == ["nearer", "near", "far"]
