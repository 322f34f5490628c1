"""Good cases of the DCC's uses beside Commands (SMETS1, TLS): a key, a caller, a situation, and what is decided."""

from __future__ import annotations

from typing import Any

from keybroker.content.contents import Content
from keybroker.policy import decide
from keybroker.policy.model import Decision, RegisteredKey, Situation
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyState,
    PartyName,
    Provenance,
    SystemName,
)
from tests.situations import AT, ORIGIN, a_point, packaged_policies

SMETS1_EUI = EntityIdentifier.from_text("90-B3-D5-1F-30-0C-00-01")
"""Our system title."""


def a_dcc_key(purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    """An active key without a certificate; a symmetric one is known by 20 octets and has our system title."""
    symmetric = purpose in (KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1)
    given: dict[str, Any] = {
        "label": KeyLabel(purpose.value),
        "purpose": purpose,
        "party": PartyName("dcc"),
        "state": KeyState.ACTIVE,
        "provenance": Provenance.GENERATED,
        "public_key": bytes(range(20)) if symmetric else a_point(2),
        "eui": SMETS1_EUI if symmetric else None,
        "certificate": None,
    }
    return RegisteredKey(**given | changes)


def a_dcc_caller(*labels: KeyLabel) -> Caller:
    """One of the DCC's services, which may use these keys in every way that a request has."""
    return Caller(
        identity="uri:urn:keybroker:dcc:head-end",
        party=PartyName("dcc"),
        system=SystemName("head-end"),
        kind=CallerKind.DCC_SERVICE,
        user_roles=frozenset(),
        euis=frozenset(),
        operations=frozenset(OPERATIONS.values()),
        keys=frozenset(labels),
    )


def a_dcc_situation(kind: ContentKind, **changes: Any) -> Situation:
    given: dict[str, Any] = {
        "deployment": DeploymentKind.TEST,
        "ledger_origin": ORIGIN,
        "operation": OPERATIONS[kind],
        "at": AT,
    }
    return Situation(**given | changes)


def decided(content: Content, key: RegisteredKey, **changes: Any) -> Decision:
    """Raises: NotPermitted. ``changes`` take the place of policy or situation."""
    given: dict[str, Any] = {
        "key": key,
        "caller": a_dcc_caller(key.label),
        "policy": packaged_policies()[key.purpose],
        "situation": a_dcc_situation(content.kind),
    }
    return decide(content, **given | changes)
