"""What ListKeys tells of a key agrees with what the rules would say of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from keybroker.server.key_service import why_unusable
from keybroker.terms import Finding, KeyState, RuleName
from tests.situations import AT, a_certificate, a_key

HELD = Finding(rule=RuleName("key-served"), clause="G2.44(f)", passed=True)


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
    assert says in why_unusable(key, {key.label: HELD}, AT)


def test_a_good_key_is_usable_and_one_that_the_module_does_not_hold_is_not() -> None:
    key = a_key()
    assert why_unusable(key, {key.label: HELD}, AT) == ""
    assert "module" in why_unusable(key, {}, AT)
