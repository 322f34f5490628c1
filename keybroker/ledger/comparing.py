"""Did the module use its keys as often as the ledger tells? For modules that count by themselves. SEC G2.27, G2.29."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.ledger.anomalies import differing_uses
from keybroker.ledger.following import bodies
from keybroker.ledger.journal import Journal
from keybroker.ledger.message_queue import enqueue
from keybroker.ledger.model import RecordKind
from keybroker.ledger.reading import Reader
from keybroker.ledger.record import SIGNED
from keybroker.ledger.turn import Turn
from keybroker.ledger.watching import Event, append_event


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesTold:
    """By key: intents, and those of which a signature is recorded; in ``records`` records."""

    intents: Mapping[str, int]
    signed: Mapping[str, int]
    records: int


def uses_told(ledger: Reader, at: datetime) -> UsesTold:
    """Reads every record. Raises: LedgerFault."""
    size = ledger.head(at).tree_size
    intents, signed, keys = Counter[str](), Counter[str](), dict[int, str]()
    for index, body in bodies(ledger, 0, size):
        if body["kind"] == RecordKind.INTENT:
            keys[index] = str(body["key"])
            intents[keys[index]] += 1
        elif body["kind"] in (RecordKind.OUTCOME, RecordKind.CLOSED):
            key = keys.pop(int(str(body["intent"])), "")
            signed[key] += body["state"] == SIGNED
    return UsesTold(intents=intents, signed=signed, records=size)


def record_differences(
    journal: Journal, told: UsesTold, modules: Mapping[str, int], at: datetime, *, messages: bool
) -> list[Event]:
    """An Anomalous Event for each key that differs; ``messages``: one is sent on each. Raises: LedgerFault."""
    found = differing_uses(told.intents, told.signed, modules, record=told.records - 1)

    def work(turn: Turn) -> list[Event]:
        events = [append_event(turn, journal, each, at) for each in found]
        if messages:
            enqueue(turn.connection, [each.leaf_index for each in events], at)
        return events

    return journal.ledger.transact(work) if found else []
