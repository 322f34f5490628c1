"""May a key be made for this TLS session with a SMETS1 Device, and what is written of it? Inside the turn of an act.

SEC G2.44A(d): "(i) required to establish a session for Transport Layer Security with a SMETS1 Device; (ii) generated as
part of the establishment of the session; and (iii) destroyed at the termination of that same session." (i) and (ii)
rest on a handshake that this ledger shows this broker signed under a smets1-tls key, a moment ago and for no other
session key; (iii) on what the broker does and records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from keybroker.clause import clause
from keybroker.errors import LedgerBroken, NotPermitted
from keybroker.keys.acts import (
    Act,
    BeginSession,
    ResumeKey,
    RetireKey,
    SessionKeyDestroyed,
    SessionKeyMade,
    SuspendKey,
)
from keybroker.keys.sessions import request_name
from keybroker.ledger import canonical_json, record, tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Receipt, RecordKind
from keybroker.ledger.turn import Turn
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, Operation

_is_label = re.compile(r"[a-z0-9-]{1,63}").fullmatch
_OF_A_SESSION = (SessionKeyMade, SessionKeyDestroyed)
_OF_ANY_KEY = (SuspendKey, ResumeKey, RetireKey)
_session, _key = tables.session_key, tables.key


def check_kind(turn: Turn, act: Act) -> None:
    """A session key lives as its session does, and no other key does so. Raises: NotPermitted."""
    row = _row(turn, act.label)
    if row is None and isinstance(act, _OF_A_SESSION):
        raise NotPermitted(f"{act.label} is no session key")
    if row is not None and not isinstance(act, _OF_A_SESSION + _OF_ANY_KEY):
        raise NotPermitted(f"{act.label} is a session key: it is made and destroyed with its session, nothing else")
    if isinstance(act, SessionKeyDestroyed) and row.destroyed_index is not None:
        raise NotPermitted(f"record {row.destroyed_index} says already that {act.label} was destroyed")


@clause("G2.44A(d)")
def check_begin(turn: Turn, act: BeginSession, *, caller: str) -> None:
    """May the session have a key? ``caller`` is who asks. Raises: NotPermitted, LedgerBroken."""
    _check_parent(turn, act)
    _check_handshake(turn, act, caller)
    asked = select(_session.c.label, _session.c.handshake, _session.c.request).where(
        (_session.c.handshake == act.handshake) | (_session.c.request == request_name(act.parent, act.request_id))
    )
    if (before := turn.connection.execute(asked).first()) is not None:
        what = "handshake" if before.handshake == act.handshake else "request"
        raise NotPermitted(used_before(what))


def used_before(what: str) -> str:
    return f"this {what} was used for a session key before; each session has a handshake of its own (SEC G2.44A(d))"


def begin(turn: Turn, act: BeginSession, *, caller: str, worker: str) -> None:
    row = {
        "label": act.label,
        "parent": act.parent,
        "device": act.device.octets,
        "handshake": act.handshake,
        "made_at": int(act.begins.timestamp()),
        "until": int(act.until.timestamp()),
        "request": request_name(act.parent, act.request_id),
        "caller": caller,
        "sha256": act.sha256,
        "broker": act.broker,
        "worker": worker,
    }
    turn.connection.execute(insert(_session).values(row))


def settle(turn: Turn, act: Act, receipt: Receipt) -> None:
    """Beside the session: which record says that its key was made, and which that it was destroyed."""
    match act:
        case SessionKeyMade():
            values = {"made_index": receipt.leaf_index}
        case SessionKeyDestroyed():
            values = {"destroyed_index": receipt.leaf_index}
        case _:
            return
    turn.connection.execute(update(_session).where(_session.c.label == act.label).values(values))


def eui_of_parent(turn: Turn, act: BeginSession) -> bytes:
    octets: bytes = turn.connection.execute(select(_key.c.eui).where(_key.c.label == act.parent)).scalar_one()
    return octets


def told(act: BeginSession) -> dict[str, Json]:
    """What the record says of a session key that is about to be made."""
    return {
        "parent": act.parent,
        "device": str(act.device),
        "public_key": act.public_key.hex(),
        "handshake": act.handshake,
        "until": record.moment(act.until),
        "request_id": act.request_id,
        "request": act.sha256.hex(),
    }


def _row(turn: Turn, label: KeyLabel) -> Any:
    return turn.connection.execute(select(_session).where(_session.c.label == label)).one_or_none()


def _check_parent(turn: Turn, act: BeginSession) -> None:
    row: Any = turn.connection.execute(select(_key).where(_key.c.label == act.parent)).one_or_none()
    if row is None or row.party != act.party or _row(turn, act.parent) is not None:
        raise NotPermitted(f"expected a key of {act.party} that is no session key itself: {act.parent} is none")
    if row.purpose != KeyPurpose.S1SP_SMETS1 or row.state != KeyState.ACTIVE:
        raise NotPermitted(
            f"expected an active {KeyPurpose.S1SP_SMETS1} key, found {row.state} {row.purpose} (SEC G2.44A(d))"
        )
    if not _is_label(act.label):
        raise NotPermitted(f"no key could be named {act.label}: ask for a session of a key with a shorter label")
    if row.eui is None:
        raise NotPermitted(f"the key {act.parent} has no EUI, so its session would have no system title")


def _check_handshake(turn: Turn, act: BeginSession, caller: str) -> None:
    outcome = _record(turn, act.handshake)
    intent = _record(turn, outcome.get("intent")) if _is_signed(outcome) else {}
    is_ours = (
        intent.get("kind") == RecordKind.INTENT
        and intent.get("operation") == Operation.SIGN_TLS_HANDSHAKE
        and intent.get("purpose") == KeyPurpose.SMETS1_TLS
        and intent.get("party") == outcome.get("party") == act.party
        and _identity(intent) == caller
    )
    if not is_ours:
        # The same for a record of another party or caller and for one that is not there.
        raise NotPermitted(
            f"record {act.handshake} holds no signature in a TLS handshake under a {KeyPurpose.SMETS1_TLS} key of"
            f" {act.party}, made for this caller (SEC G2.44A(d)); name the record of SignTlsHandshake's receipt"
        )
    age = act.begins - _moment(outcome)
    if not timedelta(0) <= age <= timedelta(seconds=act.within):
        raise NotPermitted(
            f"the handshake was signed {int(age.total_seconds())} seconds ago, expected at most {act.within}: a session"
            " key is generated as part of the establishment of its session (SEC G2.44A(d)(ii))"
        )


def _identity(intent: Mapping[str, Json]) -> Json:
    caller = intent.get("caller")
    return caller.get("identity") if isinstance(caller, dict) else None


def _is_signed(body: Mapping[str, Json]) -> bool:
    return body.get("kind") == RecordKind.OUTCOME and body.get("state") == record.SIGNED


def _record(turn: Turn, index: Json) -> dict[str, Json]:
    """The body of a record, empty where there is none or it was aged out.

    Raises: LedgerBroken when it is not the one that was hashed.
    """
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < 2**53:
        return {}
    table = tables.record
    row = turn.connection.execute(select(table).where(table.c.leaf_index == index)).one_or_none()
    if row is None or not row.octets:
        return {}
    if leaf_hash(row.octets) != row.leaf_hash:
        raise LedgerBroken(f"record {index} is not the one that was hashed; run: keybroker ledger verify")
    return canonical_json.decode(row.octets)


def _moment(body: Mapping[str, Json]) -> datetime:
    return datetime.strptime(str(body["at"]), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
