"""What ListKeys tells of a key agrees with what the rules would say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keybroker.policy.trust import RevocationList
from keybroker.server.key_service import why_unusable
from keybroker.terms import Finding, KeyState, RuleName
from tests.situations import AT, a_certificate, a_key

HELD = Finding(rule=RuleName("key-served"), clause="G2.44(f)", passed=True)
CA = bytes(32)
CURRENT = RevocationList(
    issuer_identity=CA, number=1, this_update=AT - timedelta(days=1), next_update=AT + timedelta(days=1), revoked={}
)


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
    assert says in why_unusable(key, {key.label: HELD}, {}, AT)


def test_a_good_key_is_usable_and_one_that_the_module_does_not_hold_is_not() -> None:
    key = a_key()
    assert why_unusable(key, {key.label: HELD}, {}, AT) == ""
    assert "module" in why_unusable(key, {}, {}, AT)


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
    told = why_unusable(key, {key.label: HELD}, lists, AT)
    assert says in told
    assert bool(told) is bool(says)
