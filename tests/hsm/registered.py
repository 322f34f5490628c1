"""A registered key of any purpose, without a certificate: what a module is asked to hold it against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, PartyName, Provenance


def a_bare_key(label: str, identity: bytes, purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    """``identity`` is a public point (65 octets) or a secret key's CKA_ID (20)."""
    key = RegisteredKey(
        label=KeyLabel(label),
        purpose=purpose,
        party=PartyName("dcc"),
        state=KeyState.ACTIVE,
        provenance=Provenance.GENERATED,
        public_key=identity,
        eui=None,
        certificate=None,
    )
    return replace(key, **changes)
