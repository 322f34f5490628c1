"""Does an act on evidence need a person's order, and is it there? The first acts of a deployment nobody can order.

As soon as two people may act, or an order was ever used, enrolments and withdrawals each need one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.gates.people import PeopleSettings, judge_person
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act
from keybroker.keys.orders import Ordered, administrator, check_order, settle_order, told_order, without_order
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

SUBJECT = "evidence"
"""What such an act acts on (``PersonAct.subject``)."""


def needs_order(turn: Turn, standing: Standing, people: PeopleSettings, at: datetime) -> bool:
    """Is somebody there who could order it? Two people, so that none of them is alone with the machine."""
    used = turn.connection.execute(select(func.count()).select_from(tables.person_act)).scalar_one()
    return bool(used) or len(may_act(standing, people, at)) >= 2


def may_act(standing: Standing, people: PeopleSettings, at: datetime) -> frozenset[str]:
    """The people who may act as administrators now."""
    demand = administrator(in_united_kingdom=False)
    names = {each.name for each in standing.attesters.values() if each.is_person}
    return frozenset(
        name
        for name in names
        if all(finding.passed for finding in judge_person(name, act=demand, standing=standing, settings=people, at=at))
    )


@clause("G2.22B(b)")
def order_where_needed(
    turn: Turn,
    told: dict[str, Json],
    people: PeopleSettings,
    at: datetime,
    order: bytes | None,
    *,
    nobody: str,
) -> Statement | None:
    """The order of this act, checked; None where none is needed and none was given. ``nobody`` may not order it: whom
    it is about. Raises: PersonMayNotAct, StatementRefused, NotPermitted.
    """
    if order is None:
        if needs_order(turn, read_standing(turn.connection), people, at):
            raise without_order(told)
        return None
    ordered = Ordered(order=order, people=people)
    statement = check_order(turn, ordered, told, at, in_united_kingdom=False)
    if statement.attester == nobody:
        raise NotPermitted(f"{nobody} orders what is about {nobody}: expected the order of another person")
    return statement


def record_ordered(
    turn: Turn, journal: Journal, actor: Actor, told: dict[str, Json], statement: Statement | None, at: datetime
) -> Receipt:
    """The record of the act, with its order, which is used from here on."""
    body = told if statement is None else {**told, **told_order(statement)}
    receipt = record_act(turn, journal, actor, at, body, moves=True)
    if statement is not None:
        settle_order(turn, statement, receipt, [SUBJECT], at)
    return receipt
