"""What do records say of an act, and what does an order for it name? ``record.order_target`` of this."""

from __future__ import annotations

from hashlib import sha256

from keybroker.keys import life_acts, session_acts
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
    name_of,
)
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import moment


def told_act(act: Act) -> dict[str, Json]:
    """What records say of an act, and what an order for it names (``order_target``)."""
    told: dict[str, Json] = {"act": name_of(act), "key": act.label}
    match act:
        case OrderKey():
            told |= {"purpose": act.purpose.value, "party": act.party, "eui": str(act.eui) if act.eui else None}
            told |= {} if act.renews is None else {"renews": act.renews}
        case KeyGenerated():
            told |= {"public_key": act.public_key.hex(), "provenance": act.provenance.value}
        case EnrolCertificate():
            told |= {"chain": [sha256(der).hexdigest() for der in act.chain]}
        case SuspendKey() | ResumeKey() | RetireKey():
            told |= {"because": act.because}
        case RevokeCertificate():
            told |= {"revoked_at": moment(act.revoked_at), "because": act.because}
        case BeginSession():
            told |= session_acts.told(act)
        case BeginEnrolment() | ActivateKey() | SessionKeyMade() | SessionKeyDestroyed():
            pass
        case _:
            told |= life_acts.told(act)
    return told
