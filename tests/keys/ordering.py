"""Acts on keys by the order of a person, on a ledger that holds people and evidence: for tests of what comes of them.

What makes an order good or bad is the matter of ``test_orders``; here every order is good.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from keybroker.cli.dev.evidence import take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, CHECK, Scene, statements
from keybroker.keys.acts import Act, Actor, OrderKey
from keybroker.keys.administration import administer, needs_order, told_act
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.orders import Ordered
from keybroker.ledger import tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.kind import StatementKind
from keybroker.terms import KeyPurpose
from tests import evidence
from tests.keys.restoring import ACTOR, PEOPLE, UNTIL, enrol, order_of


def give(journal: Journal, scene: Scene) -> None:
    """People who may act, and what is stated about the scene, the check systems of its parties among it."""
    for party in scene.systems:
        name = f"{party}/{CHECK}"
        kinds = frozenset({StatementKind.SUPPLY_SENSITIVE_CHECK})
        certificate = evidence.attests(name).certificate
        asked = Enrolment(name=name, party=party, certificate=certificate, kinds=kinds, until=UNTIL)
        enrol_attester(journal, ACTOR, asked, PEOPLE, scene.at)
    enrol(journal, scene.at)
    for said in statements(scene):
        take_in(journal, ACTOR, said, evidence.attests(evidence.OFFICER), PEOPLE, scene.at)


def act_on_key(journal: Journal, actor: Actor, act: Act, at: datetime) -> Receipt:
    """``administer``, by an administrator's order where the act needs one. Raises: what that raises."""
    return administer(journal, actor, act, at, an_order_where_needed(journal, act, at))


def an_order_where_needed(journal: Journal, act: Act, at: datetime) -> Ordered | None:
    purpose = act.purpose if isinstance(act, OrderKey) else _purpose(journal, act)
    if purpose is None or not needs_order(act, purpose):
        return None
    return Ordered(order=order_of(told_act(act), ADMINISTRATORS[0], at=at), people=PEOPLE)


def _purpose(journal: Journal, act: Act) -> KeyPurpose | None:
    """None for a key that was never ordered."""
    with journal.ledger.read() as connection:
        asked = select(tables.key.c.purpose).where(tables.key.c.label == act.label)
        found = connection.execute(asked).scalar()
    return None if found is None else KeyPurpose(found)
