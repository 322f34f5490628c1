"""How does evidence come in? Statements are verified, recorded and held; each counts once.

What is taken in moves the register's version: whoever judged without it judges anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn, TypeVar

from sqlalchemy import insert, select

from keybroker.clause import clause
from keybroker.errors import NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.gates.people import ActDemand, PeopleSettings, check_may_act
from keybroker.keys.acts import Actor
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.policy.certificates import CertificateUnfit
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import STANDING, StatementKind
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import PartyName

_GIVEN_OTHERWISE: Mapping[StatementKind, str] = {
    StatementKind.SUPPLY_SENSITIVE_CHECK: "it comes with the request that it is for",
    StatementKind.THRESHOLD_NOTIFICATION: "give it with: keybroker thresholds notify",
    StatementKind.QUARANTINE_ACTION: "give it with: keybroker thresholds actions",
    StatementKind.QUARANTINE_REPORT: "give it with its file: keybroker thresholds import report",
}
T = TypeVar("T")

_USED = "STATEMENT_USED_BEFORE"


def add_statement(
    journal: Journal, actor: Actor, octets: bytes, kind: StatementKind, people: PeopleSettings, at: datetime
) -> Receipt:
    """Verify a statement as ``kind`` and hold it: standing evidence, or an order that a later act will name.

    Raises: NotPermitted for a kind that comes in otherwise, StatementRefused, PersonMayNotAct (each recorded),
    LedgerFault.
    """

    def work(turn: Turn) -> Receipt:
        if kind in _GIVEN_OTHERWISE:
            raise NotPermitted(f"a {kind} is not added: {_GIVEN_OTHERWISE[kind]}")
        statement = verified(turn, octets, kind, at)
        if kind is StatementKind.VARIANT_NOT_SENSITIVE:
            check_may_state(statement.attester, read_standing(turn.connection), people, at)
        receipt = hold(turn, journal, statement, actor, at, {"act": "AddStatement"})
        spend(turn, statement, receipt)
        return receipt

    body: dict[str, Json] = {"act": "AddStatement", "statement_kind": kind.value}
    return refusals_recorded(journal, actor, body, at, lambda: journal.ledger.transact(work))


# SEC G3.25, G6.1(a)(iii): that a variant has no effect on supply, or that what is quarantined goes on, is somebody's
# judgement: who says so acts, and opens a gate by it.
@clause("G3.25(a)")
def check_may_state(person: str, standing: Standing, people: PeopleSettings, at: datetime) -> None:
    """May this person say what only a person says, in whatever role? Raises: PersonMayNotAct."""
    demand = ActDemand(roles=frozenset(), in_united_kingdom=False, privileged=False)
    check_may_act(person, act=demand, standing=standing, settings=people, at=at)


def verified(turn: Turn, octets: bytes, kind: StatementKind, at: datetime) -> Statement:
    """A statement of that kind that can be relied on now and was never used. Raises: StatementRefused."""
    standing = read_standing(turn.connection)
    try:
        statement = read_statement(octets, standing.attesters, kind=kind, origin=turn.origin, at=at)
        if (void := standing.why_void(statement, at)) is not None:
            raise void
    except StatementUnfit as unfit:
        _refuse(unfit.expected, unfit.found, unfit.flaw.value)
    used = select(tables.statement_used.c.leaf_index).where(tables.statement_used.c.identity == statement.identity)
    before = turn.connection.execute(used).scalar()
    if before is not None:
        _refuse("a statement that was never used", f"one used in record {before}", _USED)
    same = select(tables.statement.c.leaf_index).where(tables.statement.c.sha256 == statement.sha256)
    if (before := turn.connection.execute(same).scalar()) is not None:
        _refuse("a statement that was never used", f"the same, taken in with record {before}", _USED)
    return statement


def hold(
    turn: Turn, journal: Journal, statement: Statement, actor: Actor, at: datetime, body: Mapping[str, Json]
) -> Receipt:
    """Write a statement down, whole, and rely on it from now on where its kind is held."""
    told = {**body, **told_statement(statement)}
    receipt = record_act(turn, journal, actor, at, told, moves=True)
    held = statement.kind in STANDING or statement.kind is StatementKind.ORDER
    if held:
        row = {
            "leaf_index": receipt.leaf_index,
            "kind": statement.kind.value,
            "attester": statement.attester,
            "sha256": statement.sha256,
            "compact": statement.compact.encode("ascii"),
        }
        turn.connection.execute(insert(tables.statement).values(row))
    return receipt


def spend(turn: Turn, statement: Statement, receipt: Receipt) -> None:
    """It was used: by its attester and nonce it is known from here on, whatever its signature."""
    row = {"identity": statement.identity, "sha256": statement.sha256, "leaf_index": receipt.leaf_index}
    turn.connection.execute(insert(tables.statement_used).values(row))


def record_act(
    turn: Turn, journal: Journal, actor: Actor, at: datetime, body: Mapping[str, Json], *, moves: bool = False
) -> Receipt:
    """An administrative record, in this turn. ``moves``: whoever judged by the register judges anew."""
    told: dict[str, Json] = {**told_by(actor), **body}
    if moves:
        told["register_version"] = turn.move_register()
    entry = Entry(kind=RecordKind.ADMINISTRATIVE, party=PartyName(actor.party), body=told)
    octets = encode(journal.writer.entry(entry, at))
    return turn.append(kind=entry.kind.value, party=entry.party, octets=octets, leaf_hash=leaf_hash(octets))


def told_statement(statement: Statement) -> dict[str, Json]:
    """What records say of a statement: all of it, so that a stranger can verify it again."""
    return {
        "attester": statement.attester,
        "sha256": statement.sha256.hex(),
        "statement": statement.compact,
        "statement_kind": statement.kind.value,
    }


def told_by(actor: Actor) -> dict[str, Json]:
    return {"actor": {"identity": actor.identity, "kind": actor.kind.value, "party": actor.party}}


def refusals_recorded(journal: Journal, actor: Actor, body: Mapping[str, Json], at: datetime, do: Callable[[], T]) -> T:
    """``do``, and where it is refused a record of that. Raises: what ``do`` raises."""
    try:
        return do()
    except (NotPermitted, PersonMayNotAct, StatementRefused, CertificateUnfit) as refusal:
        told: dict[str, Json] = {**told_by(actor), **body, "reason": refusal.reason, "sentence": refusal.sentence}
        if isinstance(refusal, StatementRefused):
            told["flaw"] = refusal.flaw
        journal.write([Entry(kind=RecordKind.REFUSAL, party=actor.party, body=told)], at=at)
        raise


def _refuse(expected: str, found: str, flaw: str) -> NoReturn:
    raise StatementRefused(f"{flaw}: expected {expected}, found {found}", flaw=flaw)
