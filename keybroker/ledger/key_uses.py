"""How often was a key used here, for which requests, and which of them for its certificate? From the ledger.

What the destination of a transfer must know, what a source must not take for a proof (SEC G2.22G, G2.22I), and what
the transcript says of a key that a quorum held together (G2.44B).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, text
from keybroker.ledger.canonical_json import decode as read_record
from keybroker.ledger.reading import Reader
from keybroker.terms import KeyLabel, Operation

_record = tables.record.c
_DIGITS_OF_R = 64


def count_uses(ledger: Reader, label: KeyLabel) -> int:
    """Intents, whatever became of them. Reads every one of the ledger's. Raises: LedgerFault."""
    named = f'"key":{text(label)},"kind":"intent"'.encode()
    wanted = select(_record.octets).where(_record.kind == "intent")
    with ledger.read() as connection:
        return sum(named in row.octets for row in connection.execute(wanted))


def requests_signed(ledger: Reader, label: KeyLabel) -> frozenset[int]:
    """r of each signature over a Certificate Signing Request by this key. Raises: LedgerFault."""
    named = f'"key":{text(label)},"kind":"intent"'.encode()
    signs = f'"operation":{text(Operation.SIGN_CERTIFICATE_SIGNING_REQUEST.value)}'.encode()
    rows = select(_record.leaf_index, _record.octets).where(_record.kind == "intent")
    outcomes = select(_record.octets).where(_record.kind == "outcome", _record.octets != b"")
    with ledger.read() as connection:
        intents = {row.leaf_index for row in connection.execute(rows) if named in row.octets and signs in row.octets}
        read = (read_record(row.octets) for row in connection.execute(outcomes)) if intents else ()
        signatures = [each.get("signature") for each in read if each["intent"] in intents]
    return frozenset(int(each[:_DIGITS_OF_R], 16) for each in signatures if isinstance(each, str))


def requests_named(ledger: Reader, label: KeyLabel, prefix: str) -> list[dict[str, Json]]:
    """Whose id begins with ``prefix``, by intent: for which octets, and how each ended. Raises: LedgerFault."""
    table = tables.request.c
    wanted = select(table.name, table.sha256, table.state, table.intent_index, table.outcome_index)
    own = wanted.where(table.name.contains(f" {label} {prefix}", autoescape=True)).order_by(table.intent_index)
    with ledger.read() as connection:
        rows: list[Any] = list(connection.execute(own))
    return [
        {
            "intent": row.intent_index,
            "message_sha256": row.sha256.hex(),
            "outcome": row.outcome_index,
            "request": row.name,
            "state": row.state,
        }
        for row in rows
    ]
