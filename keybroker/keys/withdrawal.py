"""How does evidence go? A held statement is withdrawn: from then on it does not count, and its record stays.

What somebody said of a person, or of a module, may be what shuts a gate: taking it away is ordered as an enrolment is,
and never by the person that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update

from keybroker.errors import NotPermitted
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.ordering import order_where_needed, record_ordered
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.statement.payloads import CommitteeOpinion, Location, Person, ThresholdNotification
from keybroker.statement.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementWithdrawal:
    """``sha256`` is of the statement's payload."""

    sha256: bytes
    because: str

    def told(self) -> dict[str, Json]:
        """What records say of it, and what an order for it names."""
        return {"act": "WithdrawStatement", "because": self.because, "sha256": self.sha256.hex()}


def withdraw_statement(
    journal: Journal,
    actor: Actor,
    asked: StatementWithdrawal,
    people: PeopleSettings,
    at: datetime,
    order: bytes | None = None,
) -> Receipt:
    """Hold it no more. Raises: NotPermitted where none of that payload is held, PersonMayNotAct, StatementRefused (each
    recorded), LedgerFault.
    """

    def work(turn: Turn) -> Receipt:
        statement = _held(turn, asked.sha256)
        ordered = order_where_needed(turn, asked.told(), people, at, order, nobody=_about(statement))
        receipt = record_ordered(turn, journal, actor, asked.told(), ordered, at)
        table = tables.statement
        own = table.c.leaf_index == statement.leaf_index
        turn.connection.execute(update(table).where(own).values(withdrawn_index=receipt.leaf_index))
        return receipt

    return refusals_recorded(journal, actor, asked.told(), at, lambda: journal.ledger.transact(work))


def _held(turn: Turn, sha256: bytes) -> Statement:
    for statement in read_standing(turn.connection).statements:
        if statement.sha256 == sha256:
            _check_withdrawable(statement)
            return statement
    raise NotPermitted(f"no statement {sha256.hex()} is held; see: keybroker evidence list")


# SEC G6.6A: an amended threshold is applied once its notification was checked. Were the newest taken away, the one
# before it would be in force again without any.
def _check_withdrawable(statement: Statement) -> None:
    if isinstance(statement.payload, ThresholdNotification):
        raise NotPermitted("thresholds are replaced, not withdrawn: keybroker thresholds notify, with a later sequence")


def _about(statement: Statement) -> str:
    """The person that it is about, empty where it is about none."""
    match statement.payload:
        case (
            Person(person=name)
            | Location(of="person", subject=name)
            | CommitteeOpinion(about="exclusion-shortened", subject=name)
        ):
            return name
        case _:
            return ""
