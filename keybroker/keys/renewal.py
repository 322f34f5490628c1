"""How far is a key on the way to its successor? Read from the register; ``RenewKey`` is the switch at its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from keybroker.errors import NotPermitted
from keybroker.keys.acts import BOUND_BY_PUBLIC_KEY, OrderKey
from keybroker.ledger import tables
from keybroker.ledger.reading import Reader
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, KeyState, PartyName

_key, _certificate = tables.key, tables.certificate


class Stage(StrEnum):
    """What is next."""

    ORDER = "order the successor"
    GENERATE = "generate the successor"
    CERTIFICATE = "await the successor's certificate"
    SWITCH = "switch to the successor"
    DONE = "renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """``order`` is what the successor is, or would be, ordered as."""

    label: KeyLabel
    state: KeyState
    successor: KeyLabel
    successor_state: KeyState | None
    stage: Stage
    order: OrderKey


def renewal_of(ledger: Reader, label: KeyLabel, successor: KeyLabel) -> Renewal:
    """Raises: NotPermitted where there is no such key, or the successor is no successor of it; LedgerFault."""
    with ledger.read() as connection:
        row, other = _row(connection, label), _row(connection, successor)
        certified = other is not None and _has_certificate(connection, successor)
    if row is None:
        raise NotPermitted(f"the register has no key {label}")
    if other is not None and other.renews not in (None, label):
        raise NotPermitted(f"{successor} renews {other.renews}, not {label}")
    purpose = KeyPurpose(row.purpose)
    eui = None if row.eui is None else EntityIdentifier(row.eui)
    ready = certified or purpose in BOUND_BY_PUBLIC_KEY
    return Renewal(
        label=label,
        state=KeyState(row.state),
        successor=successor,
        successor_state=None if other is None else KeyState(other.state),
        stage=_stage(None if other is None else KeyState(other.state), ready=ready),
        order=OrderKey(label=successor, purpose=purpose, party=PartyName(row.party), eui=eui, renews=label),
    )


def _stage(state: KeyState | None, *, ready: bool) -> Stage:
    match state:
        case None:
            return Stage.ORDER
        case KeyState.ORDERED:
            return Stage.GENERATE
        case KeyState.GENERATED | KeyState.ENROLLING:
            return Stage.SWITCH if ready else Stage.CERTIFICATE
        case _:
            return Stage.DONE


def _row(connection: Connection, label: KeyLabel) -> Any:
    return connection.execute(select(_key).where(_key.c.label == label)).one_or_none()


def _has_certificate(connection: Connection, label: KeyLabel) -> bool:
    links = select(_certificate.c.position).where(_certificate.c.label == label)
    return connection.execute(links).first() is not None
