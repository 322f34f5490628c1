"""Keys for one TLS session with one SMETS1 Device: which are there, and what became of them? Reading alone.

SEC G2.44A(d). ``session_acts`` says when one may be made; whoever makes and destroys them is the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from keybroker.ledger import tables
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import from_seconds
from keybroker.policy.model import SessionFacts
from keybroker.terms import EntityIdentifier, KeyLabel, KeyState, Operation, PartyName, RequestId

_session, _key = tables.session_key, tables.key


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSession:
    """A session key as the ledger has it. ``made`` and ``destroyed`` are the leaf indexes of the acts that say so.

    ``request`` is the name of the request that made it; ``broker`` and ``worker`` are who did.
    """

    label: KeyLabel
    party: PartyName
    state: KeyState
    public_key: bytes
    facts: SessionFacts
    parent_state: KeyState
    request: str
    caller: str
    sha256: bytes
    broker: str
    worker: str
    made: int | None
    destroyed: int | None


def session_label(parent: KeyLabel, handshake: int) -> KeyLabel:
    """A label of the session's own: as a handshake serves one session, so is its leaf index in a label."""
    return KeyLabel(f"{parent}-session-{handshake}")


def request_name(parent: KeyLabel, request_id: RequestId) -> str:
    return f"{Operation.BEGIN_SMETS1_SESSION} {parent} {request_id}"


def find_by_request(ledger: Reader, name: str) -> HeldSession | None:
    """The session that a request made. Raises: LedgerFault."""
    return _one(ledger, _sessions().where(_session.c.request == name))


def find_by_label(ledger: Reader, label: KeyLabel) -> HeldSession | None:
    """Raises: LedgerFault."""
    return _one(ledger, _sessions().where(_session.c.label == label))


def not_destroyed(ledger: Reader) -> list[HeldSession]:
    """Every session key that the module holds, or may. Raises: LedgerFault."""
    with ledger.read() as connection:
        return [_held(row) for row in connection.execute(_sessions().where(_session.c.destroyed_index.is_(None)))]


def facts_of_sessions(connection: Connection) -> Mapping[str, SessionFacts]:
    """By label, what is told of the session keys that are not destroyed."""
    rows = connection.execute(select(_session).where(_session.c.destroyed_index.is_(None)))
    return {row.label: _facts(row) for row in rows}


def keys_but_ended_sessions() -> Select[Any]:
    """The rows of the register, those left out whose session has ended: nobody asks for them any more, and the module
    is not searched for them at every change of the register.
    """
    ended = select(_session.c.label).where(
        (_session.c.label == _key.c.label) & (_key.c.state == KeyState.RETIRED.value)
    )
    return select(_key).where(~ended.exists())


def _sessions() -> Select[Any]:
    parent = _key.alias()
    return (
        select(_session, _key.c.party, _key.c.state, _key.c.public_key, parent.c.state.label("parent_state"))
        .join(_key, _key.c.label == _session.c.label)
        .join(parent, parent.c.label == _session.c.parent)
        .order_by(_session.c.label)
    )


def _one(ledger: Reader, statement: Select[Any]) -> HeldSession | None:
    with ledger.read() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else _held(row)


def _held(row: Any) -> HeldSession:
    return HeldSession(
        label=KeyLabel(row.label),
        party=PartyName(row.party),
        state=KeyState(row.state),
        public_key=row.public_key,
        facts=_facts(row),
        parent_state=KeyState(row.parent_state),
        request=row.request,
        caller=row.caller,
        sha256=row.sha256,
        broker=row.broker,
        worker=row.worker,
        made=row.made_index,
        destroyed=row.destroyed_index,
    )


def _facts(row: Any) -> SessionFacts:
    return SessionFacts(
        parent=KeyLabel(row.parent),
        device=EntityIdentifier(row.device),
        handshake=row.handshake,
        made_at=from_seconds(row.made_at),
        until=from_seconds(row.until),
    )
