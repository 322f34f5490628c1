"""Which keys does the register hold, in whatever state? One that has no public key yet too."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.terms import KeyPurpose, KeyState, Provenance


class KeyFacts(NamedTuple):
    """``public_key``: the point (65 octets) or a secret key's CKA_ID (20); empty while it is only ordered."""

    label: str
    purpose: KeyPurpose
    party: str
    state: KeyState
    provenance: Provenance
    public_key: bytes


def every_key(connection: Connection) -> dict[str, KeyFacts]:
    """By label. Raises: what reading raises."""
    key = tables.key.c
    columns = select(key.label, key.purpose, key.party, key.state, key.provenance, key.public_key)
    return {
        row.label: KeyFacts(
            label=row.label,
            purpose=KeyPurpose(row.purpose),
            party=row.party,
            state=KeyState(row.state),
            provenance=Provenance(row.provenance or Provenance.GENERATED),
            public_key=row.public_key or b"",
        )
        for row in connection.execute(columns)
    }
