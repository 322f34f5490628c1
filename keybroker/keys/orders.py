"""Which person orders this act, and may that person? SEC G3.23, G3.24, G4: an act is a signed order.

An order names the act and SHA-256 of what it does to what. It is used once, and the record of the act holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from keybroker.clause import clause
from keybroker.errors import PersonMayNotAct, StatementRefused
from keybroker.gates.people import ActDemand, PeopleSettings, check_may_act
from keybroker.keys.evidence import spend, told_statement, verified
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import Receipt
from keybroker.ledger.record import order_target
from keybroker.ledger.turn import Turn
from keybroker.policy.model import Policy
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Order
from keybroker.statement.statement import Statement
from keybroker.terms import Finding, KeyPurpose, KeyState, RuleName

ADMINISTRATORS = frozenset({"administrator"})
"""The role that acts on modules and configuration, and on keys whose policy names no other for the act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order as it was given (a compact JWS), and what people are judged by in this deployment.

    ``second``: the order of a second person for the same act, where two order it.
    """

    order: bytes
    people: PeopleSettings
    second: bytes | None = None


def administrator(*, in_united_kingdom: bool, roles: frozenset[str] = ADMINISTRATORS) -> ActDemand:
    """What is demanded of whoever orders, in one of ``roles``."""
    return ActDemand(roles=roles, in_united_kingdom=in_united_kingdom, privileged=True)


def without_order(act: Mapping[str, Json], *, people: int = 1, found: str = "none") -> PersonMayNotAct:
    """The refusal of an act that needs an order, or those of two people, and came without."""
    name, target = act["act"], order_target(act)
    whose = "the order of a person" if people == 1 else "the orders of two people, each his own"
    how = " --order order.jws" if people == 1 else " --order order.jws --second-order another.jws"
    finding = Finding(
        rule=RuleName("person-orders-act"),
        clause="G3.23",
        passed=False,
        expected=f"{whose}, act {name}, target {target}",
        found=found,
        reason="ORDER_MISSING",
        remedy=f"keybroker evidence order --act {name} --target {target} -o order.jws; then again,{how}",
    )
    told = f"person-orders-act: expected {finding.expected}, found {found} (G3.23); make it with: {finding.remedy}"
    return PersonMayNotAct(told, findings=(finding,))


@clause("G2.22B(b)")
def check_order(
    turn: Turn,
    ordered: Ordered,
    act: Mapping[str, Json],
    at: datetime,
    *,
    in_united_kingdom: bool,
    roles: frozenset[str] = ADMINISTRATORS,
) -> Statement:
    """The order is for this very act, by a person who may act now in one of ``roles``, and was never used.

    Raises: StatementRefused, PersonMayNotAct.
    """
    statement = verified(turn, ordered.order, StatementKind.ORDER, at)
    order = statement.payload
    target = order_target(act)
    if not isinstance(order, Order) or (order.act, order.target) != (act["act"], target):
        found = f"{order.act}, {order.target}" if isinstance(order, Order) else statement.kind.value
        raise StatementRefused(
            f"ORDER_FOR_ANOTHER_ACT: expected {act['act']}, {target}, found {found}", flaw="ORDER_FOR_ANOTHER_ACT"
        )
    demand = administrator(in_united_kingdom=in_united_kingdom, roles=roles)
    check_may_act(
        statement.attester, act=demand, standing=read_standing(turn.connection), settings=ordered.people, at=at
    )
    return statement


def check_orders(
    turn: Turn,
    ordered: Ordered,
    act: Mapping[str, Json],
    at: datetime,
    *,
    people: int,
    in_united_kingdom: bool,
    roles: frozenset[str] = ADMINISTRATORS,
) -> tuple[Statement, ...]:
    """As ``check_order``, of as many people as ordered it: at least ``people`` (0 to 2), each with an order of his own.

    Raises: StatementRefused, PersonMayNotAct.
    """
    given = [ordered.order, *([] if ordered.second is None else [ordered.second])]
    each = [replace(ordered, order=order) for order in given]
    statements = tuple(
        check_order(turn, one, act, at, in_united_kingdom=in_united_kingdom, roles=roles) for one in each
    )
    different = {statement.attester for statement in statements}
    if len(different) < max(people, len(given)):
        raise without_order(act, people=2, found=f"the order of {' and '.join(sorted(different))} alone")
    return statements


def settle_order(turn: Turn, statement: Statement, receipt: Receipt, subjects: Sequence[str], at: datetime) -> None:
    """The act is recorded: the order is used, and who acted on what is remembered."""
    spend(turn, statement, receipt)
    for subject in subjects:
        remember_act(turn, subject, statement.attester, receipt, at)


def remember_act(turn: Turn, subject: str, person: str, receipt: Receipt, at: datetime) -> None:
    """From now on this person is one of those who run it (``PersonAct``)."""
    row = {"leaf_index": receipt.leaf_index, "subject": subject, "person": person, "at": int(at.timestamp())}
    turn.connection.execute(insert(tables.person_act).values(row))


# SEC G3.23: who configures what holds such a key is "located in the United Kingdom".
@clause("G3.23", "G3.24")
def serves_united_kingdom(connection: Connection, policies: Mapping[KeyPurpose, Policy]) -> bool:
    """Is any key in scope held here? Then so is what is done to the broker itself."""
    over = (KeyState.RETIRED, KeyState.TRANSFERRED, KeyState.DESTROYED, KeyState.RENOUNCED)
    gone = [state.value for state in over]
    held = select(tables.key.c.purpose).where(tables.key.c.state.not_in(gone)).distinct()
    purposes = {KeyPurpose(each) for each in connection.execute(held).scalars()}
    return any(policies[each].location == "united-kingdom" for each in purposes & policies.keys())


def told_order(statement: Statement, *further: Statement) -> dict[str, Json]:
    """For the record of the act."""
    told: dict[str, Json] = {"order": told_statement(statement)}
    for each in further:
        told["second_order"] = told_statement(each)
    return told
