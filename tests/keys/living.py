"""Keys of every state, the orders of two people and the word of a ceremony: for tests of the life of keys.

The key is a Contingency key: bound by its public key alone, it needs no certificate, and it may be split and moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select

from keybroker.ceremony.entry import Entry
from keybroker.keys.acts import Act, ActivateKey, Actor, KeyGenerated, OrderKey, RetireKey, SuspendKey
from keybroker.keys.administration import administer, people_needed, told_act
from keybroker.keys.evidence import record_act
from keybroker.keys.life_acts import (
    ActivateTransferred,
    AddCopy,
    BeginTransfer,
    CeremonyWord,
    CombineKey,
    CompromiseKey,
    ConfirmCopyDestroyed,
    Copy,
    DestroyKey,
    DistributeKey,
    InstallKey,
    KeyImported,
    KeyTransferred,
    LabelKey,
    RejoinKey,
    RenewKey,
    RenounceKey,
    SplitKey,
    SupersedeKey,
)
from keybroker.keys.orders import Ordered
from keybroker.ledger import ceremonies, tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import BEGIN, BEGIN_STEP, CONCLUDE_STEP
from keybroker.ledger.journal import Journal
from keybroker.ledger.life_form import IN_A_CEREMONY
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.terms import CallerKind, CopyKind, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance
from tests import messages
from tests.keys.restoring import FIRST, PEOPLE, SECOND, order_of
from tests.situations import AT, a_point

LABEL, NEXT = KeyLabel("contingency"), KeyLabel("contingency-2")
PARTY = PartyName("dcc")
PURPOSE = KeyPurpose.CONTINGENCY_COMMAND
ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PARTY)
_PLAN = 'kind = "tests"\n'
_ENTRY = Entry(
    ceremony="a-ceremony",
    plan_sha256=sha256(_PLAN.encode()).hexdigest(),
    ledger="keybroker.example/tests/TEST",
    side="source",
    number=1,
    step="gather",
    at=AT,
    people=("somebody",),
    facts={},
)
WORD = CeremonyWord(ceremony=_ENTRY.ceremony, entry=bytes.fromhex(_ENTRY.sha256))
MODULE = "0123456789abcdef"
HERE = Copy(kind=CopyKind.MODULE, place=MODULE)
BLOB = Copy(kind=CopyKind.WRAPPED_BLOB, place="site-a/contingency.blob", sha256=b"\xb1" * 32)
DIGEST = b"\xd1" * 32

ORDER = OrderKey(label=LABEL, purpose=PURPOSE, party=PARTY, eui=messages.CONTINGENCY)
GENERATED = KeyGenerated(label=LABEL, public_key=a_point(7), provenance=Provenance.GENERATED)
LABELLED = LabelKey(label=LABEL, module=MODULE, identifier=b"i" * 20)
DISTRIBUTED = DistributeKey(label=LABEL, what="certificate request", to="smki", sha256=DIGEST)
INSTALLED = InstallKey(label=LABEL, module=MODULE)
ACTIVATE = ActivateKey(label=LABEL)
SUSPEND = SuspendKey(label=LABEL, because="looked at")
RETIRE = RetireKey(label=LABEL, because="old")
SUPERSEDE = SupersedeKey(label=LABEL, because="another is used")
RENEW = RenewKey(label=LABEL, successor=NEXT, because="its time is over")
SPLIT = SplitKey(label=LABEL, quorum=2, parts=3)
COMBINE, REJOIN = CombineKey(label=LABEL), RejoinKey(label=LABEL)
TRANSFER = BeginTransfer(label=LABEL, to="dcc-2")
TRANSFERRED = KeyTransferred(label=LABEL, proof=DIGEST)
IMPORTED = KeyImported(label=LABEL, public_key=a_point(7), module=MODULE, activated_at=None)
ACTIVATED_HERE = ActivateTransferred(label=LABEL, suspension=DIGEST)
RENOUNCE = RenounceKey(label=LABEL)
COMPROMISE = CompromiseKey(label=LABEL, because="seen elsewhere")
DESTROY = DestroyKey(label=LABEL, transcript=DIGEST)
ADD = AddCopy(label=LABEL, copy=BLOB)
GONE = ConfirmCopyDestroyed(label=LABEL, copy=HERE, how="C_DestroyObject", searched=True)
BLOB_GONE = ConfirmCopyDestroyed(label=LABEL, copy=BLOB, how="shredded", searched=False)

_ACTIVE: tuple[Act, ...] = (ORDER, GENERATED, INSTALLED, ACTIVATE)
TO: Mapping[KeyState, tuple[Act, ...]] = {
    KeyState.ORDERED: (ORDER,),
    KeyState.GENERATED: (ORDER, GENERATED),
    KeyState.ACTIVE: _ACTIVE,
    KeyState.SUSPENDED: (*_ACTIVE, SUSPEND),
    KeyState.RETIRED: (*_ACTIVE, RETIRE),
    KeyState.SUPERSEDED: (*_ACTIVE, SUPERSEDE),
    KeyState.SPLIT: (*_ACTIVE, SPLIT),
    KeyState.COMBINED: (*_ACTIVE, SPLIT, COMBINE),
    KeyState.TRANSFERRING: (*_ACTIVE, TRANSFER),
    KeyState.TRANSFERRED: (*_ACTIVE, TRANSFER, TRANSFERRED),
    KeyState.INSTALLED: (ORDER, IMPORTED),
    KeyState.RENOUNCED: (ORDER, IMPORTED, GONE, RENOUNCE),
    KeyState.COMPROMISED: (*_ACTIVE, COMPROMISE),
    KeyState.DESTROYED: (*_ACTIVE, RETIRE, GONE, DESTROY),
}
"""Every state but enrolling, in which no such key is, and the acts that lead there."""


def successor(label: KeyLabel = NEXT, scalar: int = 8) -> tuple[Act, ...]:
    """The acts by which the key that renews it is there."""
    order = OrderKey(label=label, purpose=PURPOSE, party=PARTY, eui=messages.CONTINGENCY, renews=LABEL)
    made = KeyGenerated(label=label, public_key=a_point(scalar), provenance=Provenance.GENERATED)
    return order, made


def two_orders(act: Act, at: datetime = AT) -> Ordered:
    first, second = (order_of(told_act(act), by, at=at) for by in (FIRST, SECOND))
    return Ordered(order=first, second=second, people=PEOPLE)


def do(journal: Journal, *acts: Act, at: datetime = AT) -> list[Receipt]:
    """Each act by the word that it needs: a ceremony's, two people's, or nobody's."""
    return [_do(journal, act, at) for act in acts]


def _do(journal: Journal, act: Act, at: datetime) -> Receipt:
    if type(act).__name__ in IN_A_CEREMONY:
        return administer(journal, ACTOR, act, at, ceremony=WORD)
    ordered = two_orders(act, at) if people_needed(act, PURPOSE) == 2 else None
    return administer(journal, ACTOR, act, at, ordered)


def open_ceremony(journal: Journal, *labels: KeyLabel) -> None:
    """The ceremony whose word it is, under way with these keys; its first entry is concluded."""
    name, text = WORD.ceremony, _ENTRY.octets.decode()
    opened: dict[str, Json] = {"act": BEGIN, "ceremony": name, "ceremony_kind": "tests", "keys": [*labels]}
    opened |= {"plan": _PLAN, "plan_sha256": _ENTRY.plan_sha256, "side": _ENTRY.side}
    begun: dict[str, Json] = {"act": BEGIN_STEP, "ceremony": name, "given": {}, "number": 1, "step": _ENTRY.step}
    signed = dict.fromkeys(_ENTRY.people, "c2lnbmVk")
    concluded: dict[str, Json] = {"act": CONCLUDE_STEP, "ceremony": name, "entry": text, "number": 1}

    def work(turn: Turn) -> None:
        row = {"name": name, "kind": "tests", "side": _ENTRY.side, "plan": _PLAN}
        ceremonies.write_ceremony(turn.connection, row, _record(turn, opened), labels)
        ceremonies.write_begun(turn.connection, name, 1, _ENTRY.step, {}, _record(turn, begun))
        index = _record(turn, concluded | {"entry_sha256": _ENTRY.sha256, "signatures": {**signed}})
        ceremonies.write_concluded(turn.connection, name, 1, text, signed, index)

    def _record(turn: Turn, told: dict[str, Json]) -> int:
        return record_act(turn, journal, ACTOR, AT, told).leaf_index

    journal.ledger.transact(work)


def state_of(journal: Journal, label: KeyLabel = LABEL) -> KeyState | None:
    """None for a key that the register does not know."""
    with journal.ledger.read() as connection:
        found = connection.execute(select(tables.key.c.state).where(tables.key.c.label == label)).scalar()
    return None if found is None else KeyState(found)
