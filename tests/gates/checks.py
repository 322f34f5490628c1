"""A User, its check system and a good Supply Sensitive Check of a Pre-Command, to be spoilt by one argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.gates.supply_sensitive_check import supply_sensitive_check
from keybroker.policy.model import GateRequirement
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import SupplySensitiveCheck
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, KeyPurpose
from tests import evidence, messages
from tests.evidence import AT, attests
from tests.situations import a_decision, a_policy, evidence_of

PARTY, CALLER, CHECK, BILLING = "supplier-a", "supplier-a/head-end", "supplier-a/check", "supplier-a/billing"
CHAIN = (CHECK, BILLING, CALLER, evidence.NODE.name)
CODE = messages.OPEN_LOAD_SWITCH
"""0x0050, Disable Supply: 7.2, which is supply sensitive."""
GATE = GateRequirement(gate="supply-sensitive-check", clause="G3.25")


def a_pre_command(code: int = CODE, **changes: Any) -> Content:
    return decode(ContentKind.PRE_COMMAND, messages.compose_command(code, **changes))


@cache
def a_standing() -> Standing:
    """The party's module, node and systems in the United Kingdom; its check system, and people."""
    return evidence.standing_of(evidence.a_scene(systems={PARTY: ("head-end", "billing")}))


def standing_with(*more: Statement, **changes: Any) -> Standing:
    """The same with these statements too; ``changes`` are of the evidence as a whole."""
    return replace(with_more(a_standing(), *more), **changes)


def with_more(held: Standing, *more: Statement) -> Standing:
    return replace(held, statements=(*held.statements, *more))


def claims(content: Content | None = None, **changes: Any) -> dict[str, Any]:
    """What a good check says of ``content``, in the payload's own words."""
    content = content or a_pre_command()
    at = int(AT.timestamp())
    said = {
        "check_system": CHECK,
        "user": str(messages.SUPPLIER),
        "request_id": f"{messages.SUPPLIER}:{messages.DEVICE}:1000",
        "octets_sha256": sha256(content.octets).hexdigest(),
        "variant": "7.2",
        "device": str(messages.DEVICE),
        "intended": True,
        "confirmed_by": "rule: asked by the customer",
        "checked": at - 10,
        "chain": [{"system": system} for system in CHAIN],
    }
    given = evidence.in_common(
        StatementKind.SUPPLY_SENSITIVE_CHECK, at=AT - timedelta(seconds=9), last=timedelta(minutes=5)
    )
    return given | said | changes


def a_check(content: Content | None = None, *, by: str = CHECK, **changes: Any) -> bytes:
    """A good check by the check system, but for ``changes`` of what it says."""
    return attests(by).state(SupplySensitiveCheck.model_validate(claims(content, **changes)))


def through(systems: Iterable[str]) -> list[dict[str, str]]:
    """A chain, as the statement has it."""
    return [{"system": system} for system in systems]


def look_at(
    offered: Sequence[bytes] = (),
    *,
    content: Content | None = None,
    standing: Standing | None = None,
    purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND,
    within_seconds: int = 300,
    **changes: Any,
) -> Looked:
    """What the gate finds; ``changes`` are of the evidence."""
    policy = a_policy(purpose)
    settings = policy.settings.supply_sensitive_check
    assert settings is not None
    policy = replace(
        policy,
        settings=replace(policy.settings, supply_sensitive_check=replace(settings, within_seconds=within_seconds)),
    )
    decision = replace(a_decision(purpose), content=content or a_pre_command(), policy=policy)
    found = evidence_of(decision.key, standing=standing or a_standing(), **changes)
    return supply_sensitive_check(Look(use=decision, requirement=GATE, evidence=found, offered=tuple(offered)))
