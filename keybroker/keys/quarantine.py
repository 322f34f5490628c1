"""What becomes of a quarantined communication? What its User says in a signed order, once. SEC G6.1(a)(iii).

Released, the very same octets under the same key are let through once when they are asked for again; deleted, they are
erased here and never let through on that refusal's account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from keybroker.clause import clause
from keybroker.errors import StatementRefused
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import check_may_state, record_act, refusals_recorded, spend, told_statement, verified
from keybroker.keys.standing import read_standing
from keybroker.keys.thresholds import party_of_user
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.quarantine_state import ACTIONS, QuarantineState
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import from_seconds
from keybroker.ledger.turn import Turn
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import QuarantineAction
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import CallerKind, KeyPurpose

ACTED = "ActOnQuarantined"
NOT_THERE, OF_OTHER_OCTETS = "NOTHING_QUARANTINED_THERE", "ACTION_FOR_OTHER_OCTETS"
OF_ANOTHER_USER = "ACTION_OF_ANOTHER_USER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A communication that exceeded a threshold. ``record`` is the leaf index of its refusal, ``counts`` which
    thresholds; ``kept``: its octets are there.
    """

    record: int
    party: str
    caller: str
    user: str
    key: str
    name: str
    octets_sha256: str
    counts: tuple[str, ...]
    state: QuarantineState
    kept: bool
    at: datetime


@clause("G6.1")
def act_on(journal: Journal, actor: Actor, octets: bytes, people: PeopleSettings, at: datetime) -> Receipt:
    """Release or delete what a User's quarantine-action names.

    Raises: StatementRefused: it cannot be relied on, was used before, or is not this User's to say; PersonMayNotAct:
    whoever says it may not act now (each recorded, nothing spent). LedgerFault.
    """

    def work(turn: Turn) -> Receipt:
        statement = verified(turn, octets, StatementKind.QUARANTINE_ACTION, at)
        return _act_on(journal, turn, actor, statement, people, at)

    return refusals_recorded(journal, actor, {"act": ACTED}, at, lambda: journal.ledger.transact(work))


def in_quarantine(ledger: Reader, *, every: bool = False) -> list[Quarantined]:
    """``quarantined``, as it is committed. Raises: LedgerFault."""
    with ledger.read() as connection:
        return quarantined(connection, every=every)


def quarantined(connection: Connection, *, every: bool = False) -> list[Quarantined]:
    """What is quarantined or released now, or ``every`` one there ever was; in the order of the ledger."""
    table = tables.quarantine
    rows = select(table).order_by(table.c.leaf_index)
    if not every:
        rows = rows.where(table.c.state.in_([QuarantineState.QUARANTINED.value, QuarantineState.RELEASED.value]))
    return [_quarantined(row) for row in connection.execute(rows)]


def _act_on(
    journal: Journal, turn: Turn, actor: Actor, statement: Statement, people: PeopleSettings, at: datetime
) -> Receipt:
    action = statement.payload
    if not isinstance(action, QuarantineAction):
        raise TypeError("a quarantine-action holds one")
    table = tables.quarantine
    row: Any = turn.connection.execute(select(table).where(table.c.leaf_index == action.record)).one_or_none()
    standing = read_standing(turn.connection)
    _check(turn, standing, statement, action, row)
    _check_person(standing, statement, row.party, people, at)
    told: dict[str, Json] = {
        "act": ACTED,
        "action": action.action,
        "record": action.record,
        "user": action.user,
        **told_statement(statement),
    }
    receipt = record_act(turn, journal, actor, at, told)
    _, after = ACTIONS[action.action]
    values: dict[str, Any] = {"state": after.value}
    if action.action == "delete":
        values["octets"] = None
    turn.connection.execute(update(table).where(table.c.leaf_index == action.record).values(values))
    spend(turn, statement, receipt)
    return receipt


# SEC G6.1(a)(iii): "each such User shall be able securely to notify the DCC whether it considers that a communication
# which has been quarantined should be deleted from the DCC Systems or processed by the DCC".
def _check(turn: Turn, standing: Standing, statement: Statement, action: QuarantineAction, row: Any) -> None:
    """Raises: StatementRefused."""
    allowed, _ = ACTIONS[action.action]
    if row is None or row.state not in allowed:
        found = "none" if row is None else f"one that is {row.state}"
        raise _refusal(f"a communication that is {' or '.join(allowed)} at record {action.record}", found, NOT_THERE)
    if row.sha256.hex() != action.octets_sha256:
        raise _refusal(f"octets {row.sha256.hex()}", action.octets_sha256, OF_OTHER_OCTETS)
    party = standing.attesters[statement.kid].party
    parties = _parties(turn, standing, row)
    if action.user != row.user_id or party not in parties:
        expected = f"the order of User {row.user_id}, by an attester of {' or '.join(sorted(parties))}"
        raise _refusal(expected, f"{action.user}, of {party}", OF_ANOTHER_USER)


# SEC G4.1-G4.3: each User vets its own people. Where the DCC has the deployment they are not its to judge: by what is
# known of them they are engaged on User Systems, and excluded here (G2.24).
def _check_person(standing: Standing, statement: Statement, own: str, people: PeopleSettings, at: datetime) -> None:
    """Whoever says it may act now, in whatever role; ``own`` is the party that asked. Raises: PersonMayNotAct."""
    if people.is_of_the_dcc and standing.attesters[statement.kid].party != own:
        return
    check_may_state(statement.attester, standing, people, at)


def _parties(turn: Turn, standing: Standing, row: Any) -> set[str]:
    """Who speaks for the User: its own party, where the key is a User's; whoever gave its thresholds; and for what no
    User gave thresholds for, the party that asked.
    """
    purpose = turn.connection.execute(select(tables.key.c.purpose).where(tables.key.c.label == row.key)).scalar()
    is_users = purpose is not None and CallerKind.USER_SYSTEM in OBLIGATIONS[KeyPurpose(purpose)].caller_kinds
    notified = party_of_user(standing, row.user_id)
    return ({row.party} if is_users or notified is None else set()) | ({notified} if notified is not None else set())


def _quarantined(row: Any) -> Quarantined:
    return Quarantined(
        record=row.leaf_index,
        party=row.party,
        caller=row.caller,
        user=row.user_id,
        key=row.key,
        name=row.name,
        octets_sha256=row.sha256.hex(),
        counts=tuple(row.counts.split("\n")),
        state=QuarantineState(row.state),
        kept=row.octets is not None,
        at=from_seconds(row.at),
    )


def _refusal(expected: str, found: str, flaw: str) -> StatementRefused:
    return StatementRefused(
        f"{flaw}: expected {expected}, found {found} (G6.1(a)(iii))", flaw=flaw, clause="G6.1(a)(iii)"
    )
