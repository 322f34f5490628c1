"""How is a read recorded? Every look at keys, records and rules is a record itself, written before the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from keybroker.errors import Refusal
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import Entry, RecordKind
from keybroker.server.authn import Identities
from keybroker.server.standing import Standing
from keybroker.terms import Caller, Operation, PartyName

T = TypeVar("T")
Facts = dict[str, Json]
"""What was looked at, for the record."""


def recorded(standing: Standing, caller: Caller, operation: Operation, facts: Facts, look: Callable[[], T]) -> T:
    """Look, write down who looked at what and whether it was refused, then answer. Runs on the signer thread.

    Raises: what ``look`` raises; LedgerFault, and then nothing is answered.
    """
    try:
        answer = look()
    except Refusal as refusal:
        _write(standing, _read(caller, operation, {**facts, "refused": refusal.reason}))
        raise
    _write(standing, _read(caller, operation, facts))
    return answer


def record_refusal(
    standing: Standing, caller: Caller | None, identities: Identities, operation: str, refusal: Refusal, items: int
) -> None:
    """Write down a request that never became an Ask: a stranger's, or one of the wrong form. Raises: LedgerFault."""
    body: Facts = {
        "caller": _known(caller) if caller is not None else None,
        "items": items,
        "operation": operation,
        "peer": list(identities),
        "reason": refusal.reason,
        "sentence": refusal.sentence,
    }
    party = PartyName("") if caller is None else caller.party
    _write(standing, Entry(kind=RecordKind.REFUSAL, party=party, body=body))


def _read(caller: Caller, operation: Operation, facts: Facts) -> Entry:
    body: Facts = {"caller": _known(caller), "looked_at": facts, "operation": operation.value}
    return Entry(kind=RecordKind.READ, party=caller.party, body=body)


def _known(caller: Caller) -> Json:
    return {"identity": caller.identity, "kind": caller.kind.value, "system": caller.system}


def _write(standing: Standing, entry: Entry) -> None:
    standing.line.journal.write([entry], at=standing.clock.now())
