"""What does the register say of a key after an act? Inside the turn of an act that was checked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from keybroker.keys import life, session_acts
from keybroker.keys.acts import (
    Act,
    ActivateKey,
    BeginEnrolment,
    BeginSession,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    ResumeKey,
    RetireKey,
    RevokeCertificate,
    SessionKeyDestroyed,
    SessionKeyMade,
    SuspendKey,
)
from keybroker.keys.life_acts import RenewKey
from keybroker.ledger import tables
from keybroker.ledger.life_form import BEGINS_USE
from keybroker.ledger.turn import Turn
from keybroker.policy.certificates import certificate_identity
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, Provenance


def change_register(turn: Turn, act: Act, after: KeyState, at: datetime) -> None:
    execute, key = turn.connection.execute, tables.key
    values: dict[str, Any] = {"state": after.value}
    match act:
        case OrderKey():
            execute(insert(key).values(values | _ordered(act)))
            return
        case BeginSession():
            execute(insert(key).values(values | _ordered_for_session(turn, act)))
            return
        case KeyGenerated():
            values |= {"public_key": act.public_key, "provenance": act.provenance.value}
        case EnrolCertificate():
            values |= {"revoked_at": None}
            _replace_chain(turn, act)
        case RevokeCertificate():
            values |= {"revoked_at": int(act.revoked_at.timestamp())}
            _remember_revoked(turn, act.label)
        case BeginEnrolment() | ActivateKey() | SuspendKey() | ResumeKey() | RetireKey():
            pass
        case SessionKeyMade() | SessionKeyDestroyed():
            pass
        case RenewKey():
            life.renew(turn, act, int(at.timestamp()))
        case _:
            values |= life.values_of(act)
    own = key.c.label == act.label
    execute(update(key).where(own).values(values))
    if after in BEGINS_USE:
        execute(update(key).where(own & key.c.activated_at.is_(None)).values(activated_at=int(at.timestamp())))


def _ordered(act: OrderKey) -> dict[str, Any]:
    eui = None if act.eui is None else act.eui.octets
    return {
        "label": act.label,
        "purpose": act.purpose.value,
        "party": act.party,
        "eui": eui,
        "renews": act.renews,
    }


def _replace_chain(turn: Turn, act: EnrolCertificate) -> None:
    certificate = tables.certificate
    turn.connection.execute(delete(certificate).where(certificate.c.label == act.label))
    links = [{"label": act.label, "position": at, "der": der} for at, der in enumerate(act.chain)]
    turn.connection.execute(insert(certificate), links)


def _ordered_for_session(turn: Turn, act: BeginSession) -> dict[str, Any]:
    # Its CKA_ID stands in the register before there is such a key: by it a leftover is known in the module.
    return {
        "label": act.label,
        "purpose": KeyPurpose.S1SP_SMETS1.value,
        "party": act.party,
        "eui": session_acts.eui_of_parent(turn, act),
        "public_key": act.public_key,
        "provenance": Provenance.GENERATED.value,
    }


def _remember_revoked(turn: Turn, label: KeyLabel) -> None:
    table, own = tables.revoked_certificate, tables.certificate
    der = turn.connection.execute(select(own.c.der).where(own.c.label == label, own.c.position == 0)).scalar_one()
    identity = certificate_identity(der)
    if turn.connection.execute(select(table.c.label).where(table.c.identity == identity)).first() is None:
        turn.connection.execute(insert(table).values(identity=identity, label=label))
