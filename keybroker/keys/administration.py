"""May this be done to that key, and what is written then? The ONE function through which the register changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, get_args

from sqlalchemy import select

from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.keys import life, session_acts
from keybroker.keys.acts import (
    Act,
    ActivateKey,
    Actor,
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
from keybroker.keys.admission import check_act, state_after
from keybroker.keys.copies import settle_copy
from keybroker.keys.evidence import refusals_recorded, told_by
from keybroker.keys.history import By, Moves, write_history
from keybroker.keys.life_acts import CeremonyWord, LifeAct, RenewKey
from keybroker.keys.orders import ADMINISTRATORS, Ordered, check_orders, settle_order, told_order, without_order
from keybroker.keys.registering import change_register
from keybroker.keys.telling import told_act
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.life_form import IN_A_CEREMONY, TWO_PEOPLE, WITHOUT_ORDER
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.policy.model import Policy
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.statement.statement import Statement
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, PartyName

__all__ = [
    "Act",
    "ActivateKey",
    "Actor",
    "BeginEnrolment",
    "BeginSession",
    "EnrolCertificate",
    "KeyGenerated",
    "OrderKey",
    "ResumeKey",
    "RetireKey",
    "RevokeCertificate",
    "SessionKeyDestroyed",
    "SessionKeyMade",
    "SuspendKey",
    "administer",
    "administer_in",
    "needs_order",
    "people_needed",
    "roles_needed",
    "told_act",
]


_LIFE_ACTS = get_args(LifeAct)
_NONE: Mapping[KeyPurpose, Policy] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One act, who does it, and whose word stands behind it."""

    journal: Journal
    actor: Actor
    act: Act
    at: datetime
    ordered: Ordered | None
    ceremony: CeremonyWord | None
    policies: Mapping[KeyPurpose, Policy]


@clause("G2.20(c)", "G2.25", "G3.14", "G5.13(a)", "G5.24(a)")
def administer(
    journal: Journal,
    actor: Actor,
    act: Act,
    at: datetime,
    ordered: Ordered | None = None,
    *,
    ceremony: CeremonyWord | None = None,
    policies: Mapping[KeyPurpose, Policy] = _NONE,
) -> Receipt:
    """Do one act: check it, change the register, count its version and write the record, in one transaction.

    ``ordered``: the order of a person, which an act on a key in scope of SEC G3.23 needs, or those of two
    (``people_needed``); ``ceremony`` stands in their place. ``policies`` may have two people order more acts than the
    clauses do, and say in which roles (``roles_needed``).

    Raises: NotPermitted when the act does not fit the key's state, deployment or party (the refusal is recorded),
    CertificateUnfit for a chain that does not verify, PersonMayNotAct and StatementRefused for an order that is
    missing, another's or not to be relied on (recorded too), LedgerFault.
    """
    return refusals_recorded(
        journal,
        actor,
        told_act(act),
        at,
        lambda: journal.ledger.transact(
            lambda turn: administer_in(turn, journal, actor, act, at, ordered, ceremony=ceremony, policies=policies)
        ),
    )


@clause("G2.56", "G2.60", "G2.61")
def administer_in(
    turn: Turn,
    journal: Journal,
    actor: Actor,
    act: Act,
    at: datetime,
    ordered: Ordered | None = None,
    *,
    ceremony: CeremonyWord | None = None,
    policies: Mapping[KeyPurpose, Policy] = _NONE,
) -> Receipt:
    """As ``administer``, in a transaction that is open. A refusal is raised, and recorded by whoever opened it."""
    asked = _Asked(journal=journal, actor=actor, act=act, at=at, ordered=ordered, ceremony=ceremony, policies=policies)
    return _administer(turn, asked)


# SEC G3.23: the module in which such a key is held "is located, operated, configured, tested and maintained in the
# United Kingdom by User Personnel who are located in the United Kingdom". What follows from an act that was ordered
# (the module made the key, enrolment began) needs no order of its own.
@clause("G3.23", "G3.24")
def needs_order(act: Act, purpose: KeyPurpose) -> bool:
    """Does this act on a key of this purpose need the order of a person?"""
    return people_needed(act, purpose) > 0


def people_needed(act: Act, purpose: KeyPurpose, policy: Policy | None = None) -> int:
    """How many people order this act, 0 to 2. ``policy`` may have two where the clauses have fewer, never the other way
    about; of acts that only a ceremony does it says nothing.
    """
    name = name_of(act)
    if name in WITHOUT_ORDER:
        return 0
    life = None if policy is None else policy.settings.life
    if name in TWO_PEOPLE or (life is not None and name in life.two_people):
        return 2
    if life is not None and name in life.roles:
        # Whoever orders it has the right role: so somebody orders it.
        return 1
    return 1 if OBLIGATIONS[purpose].location == "united-kingdom" else 0


def roles_needed(act: Act, policy: Policy | None = None) -> frozenset[str]:
    """In one of which roles each person orders this act: an administrator's, where ``policy`` names none for it."""
    life = None if policy is None else policy.settings.life
    return ADMINISTRATORS if life is None else life.roles.get(name_of(act), ADMINISTRATORS)


def _administer(turn: Turn, asked: _Asked) -> Receipt:
    act, at = asked.act, asked.at
    row: Any = turn.connection.execute(select(tables.key).where(tables.key.c.label == act.label)).one_or_none()
    before = None if row is None else KeyState(row.state)
    after = state_after(act, before)
    moves: dict[KeyLabel, tuple[KeyState | None, KeyState]] = {act.label: (before, after)}
    if isinstance(act, RenewKey):
        moves[act.successor] = (life.successor_before(turn, act), KeyState.ACTIVE)
    check_act(act, row, asked.actor, turn, asked.journal.ledger.deployment)
    orders = _orders(turn, asked, _purpose(act, row))
    party = act.party if isinstance(act, OrderKey | BeginSession) else PartyName(row.party)
    change_register(turn, act, after, at)
    if isinstance(act, BeginSession):
        session_acts.begin(turn, act, caller=asked.actor.identity, worker=asked.journal.worker)
    body = _body(turn, asked, moves, orders)
    octets = encode(asked.journal.writer.entry(Entry(kind=RecordKind.ADMINISTRATIVE, party=party, body=body), at))
    hashed = leaf_hash(octets)
    receipt = turn.append(kind=RecordKind.ADMINISTRATIVE.value, party=party, octets=octets, leaf_hash=hashed)
    _settle(turn, asked, moves, orders, receipt)
    return receipt


def _body(turn: Turn, asked: _Asked, moves: Moves, orders: tuple[Statement, ...]) -> dict[str, Json]:
    act = asked.act
    before, after = moves[act.label]
    body: dict[str, Json] = {
        **told_by(asked.actor),
        **told_act(act),
        "from": before and before.value,
        "to": after.value,
        "register_version": turn.move_register(),
    }
    if isinstance(act, RenewKey):
        other, active = moves[act.successor]
        body |= {"successor_from": other and other.value, "successor_to": active.value}
    if asked.ceremony is not None:
        body["ceremony"] = asked.ceremony.told()
    return body | told_order(*orders) if orders else body


def _settle(turn: Turn, asked: _Asked, moves: Moves, orders: tuple[Statement, ...], receipt: Receipt) -> None:
    """What stands beside the record: of sessions, copies and history, and that the orders are used."""
    act, at = asked.act, asked.at
    session_acts.settle(turn, act, receipt)
    if isinstance(act, _LIFE_ACTS):
        settle_copy(turn, act, receipt)
    write_history(turn, act, moves, By(actor=asked.actor, orders=orders, ceremony=asked.ceremony), receipt, at)
    subjects = (f"key:{act.label}", f"key:{act.label}:second")
    for order, subject in zip(orders, subjects, strict=False):
        settle_order(turn, order, receipt, [subject], at)


def _orders(turn: Turn, asked: _Asked, purpose: KeyPurpose) -> tuple[Statement, ...]:
    """The orders of the act, checked; none where none is needed and none was given, or a ceremony does it."""
    act, told = asked.act, told_act(asked.act)
    if asked.ceremony is not None:
        life.check_word(turn, asked.ceremony, act.label)
        return ()
    if told["act"] in IN_A_CEREMONY:
        raise NotPermitted(f"{told['act']} is done by a ceremony alone; see: keybroker ceremony")
    policy = asked.policies.get(purpose)
    people, roles = people_needed(act, purpose, policy), roles_needed(act, policy)
    located = needs_order(act, purpose) and OBLIGATIONS[purpose].location == "united-kingdom"
    if asked.ordered is not None:
        return check_orders(turn, asked.ordered, told, asked.at, people=people, in_united_kingdom=located, roles=roles)
    if people:
        raise without_order(told, people=people)
    return ()


def _purpose(act: Act, row: Any) -> KeyPurpose:
    if isinstance(act, OrderKey):
        return act.purpose
    return KeyPurpose.S1SP_SMETS1 if row is None else KeyPurpose(row.purpose)
