"""Which keys does the register hold, in whatever state? One that has no public key yet too."""

from __future__ import annotations

from sqlalchemy import Connection, select

from keybroker.keys.known_key import KnownKey
from keybroker.ledger import tables
from keybroker.terms import KeyPurpose, KeyState, Provenance


def every_key(connection: Connection) -> dict[str, KnownKey]:
    """By label. Raises: what reading raises."""
    key = tables.key.c
    columns = select(key.label, key.purpose, key.party, key.state, key.provenance, key.public_key)
    return {
        row.label: KnownKey(
            label=row.label,
            purpose=KeyPurpose(row.purpose),
            party=row.party,
            state=KeyState(row.state),
            provenance=Provenance(row.provenance or Provenance.GENERATED),
            public_key=row.public_key or b"",
        )
        for row in connection.execute(columns)
    }
