"""May this ledger, put back from a back-up, go on in the place of the one that is remembered? Two people order it.

One transaction, under the evidence that the put-back ledger itself holds: both orders verified and spent, the restore
recorded with sizes, roots and orders, every number advanced by what is lost and a margin, what is counted counted for
each lost record, and all evidence issued until now void (``Standing.why_void``). Keys for TLS sessions are ended and
destroyed by the broker's next start, as at each of its starts, before it serves. The head that the module keeps is
replaced afterwards (``hsm/anchor.py``); whoever dies between gives the same two orders again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert

from keybroker.clause import clause
from keybroker.errors import NotPermitted, StatementRefused
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act, refusals_recorded, told_statement
from keybroker.keys.orders import Ordered, check_order, serves_united_kingdom, settle_order
from keybroker.ledger import tables
from keybroker.ledger.advancing import advance_numbers, count_lost
from keybroker.ledger.behind import find_behind, find_restore
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import EMPTY_ROOT
from keybroker.ledger.model import Head
from keybroker.ledger.quarantining import forget_releases
from keybroker.ledger.restore_form import ADVANCE, MARGIN, RESTORE, Behind, Loss, whole_second_after
from keybroker.ledger.turn import Turn
from keybroker.policy.model import Policy
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.statement import Statement
from keybroker.terms import KeyPurpose

SUBJECTS = ("ledger", "ledger:second")
"""What the two people acted on (``PersonAct.subject``)."""

_LISTED = 500
"""Numbers in one record: half a million octets at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``leaf_index`` is of the record that says so; ``numbers`` and ``counts`` are how many were advanced."""

    leaf_index: int
    lost: int
    numbers: int
    counts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restoring:
    """What one restore is made of."""

    journal: Journal
    actor: Actor
    people: PeopleSettings
    policies: Mapping[KeyPurpose, Policy]
    at: datetime


@clause("G2.22B(b)", "G3.23", "G3.24")
def restore_ledger(
    journal: Journal,
    actor: Actor,
    remembered: Head | None,
    orders: Sequence[bytes],
    people: PeopleSettings,
    policies: Mapping[KeyPurpose, Policy],
    at: datetime,
) -> Restored:
    """Record that the ledger goes on in the place of what is remembered (None: the module lost its head).

    A restore that is recorded already for exactly this head by these very orders answers as it did then. Raises:
    NotPermitted, PersonMayNotAct, StatementRefused (each recorded), LedgerFault.
    """
    asked = _Restoring(journal=journal, actor=actor, people=people, policies=policies, at=at)
    root = EMPTY_ROOT if remembered is None else remembered.root_hash
    told: dict[str, Json] = {
        "act": RESTORE,
        "remembered_root": root.hex(),
        "remembered_size": 0 if remembered is None else remembered.tree_size,
    }
    return refusals_recorded(
        journal,
        actor,
        told,
        at,
        lambda: journal.ledger.transact(lambda turn: _restore(turn, asked, remembered, orders)),
    )


def _restore(turn: Turn, asked: _Restoring, remembered: Head | None, orders: Sequence[bytes]) -> Restored:
    if (recorded := find_restore(turn.connection, remembered)) is not None:
        return _same(*recorded, orders)
    behind = find_behind(turn.connection, remembered)
    if behind is None:
        raise NotPermitted("the ledger extends what the module remembers of it: there is nothing to restore")
    # 1. Two people, by the evidence that is in this ledger.
    statements = _ordered(turn, asked, behind, orders)
    # 2. Numbers and counts grow; what was released is in quarantine again.
    by = behind.lost + MARGIN
    advanced = advance_numbers(turn.connection, by)
    loss = Loss(whole_second_after(asked.at), behind.lost)
    counts = count_lost(turn.connection, loss)
    forget_releases(turn.connection)
    # 3. The record, and those that list the numbers.
    told: dict[str, Json] = {"by": by, "counts": counts, "lost": behind.lost, "numbers": len(advanced)}
    told["orders"] = [*map(told_statement, statements)]
    receipt = record_act(turn, asked.journal, asked.actor, asked.at, {**behind.told(), **told}, moves=True)
    for start in range(0, len(advanced), _LISTED):
        listed: list[Json] = [each.told() for each in advanced[start : start + _LISTED]]
        more: dict[str, Json] = {"act": ADVANCE, "advanced": listed, "restore": receipt.leaf_index}
        record_act(turn, asked.journal, asked.actor, asked.at, more)
    # 4. What was issued until now is void; the orders are spent.
    row = {"leaf_index": receipt.leaf_index, "at": loss.at, "lost": loss.lost}
    turn.connection.execute(insert(tables.restore).values(row))
    for statement, subject in zip(statements, SUBJECTS, strict=True):
        settle_order(turn, statement, receipt, [subject], asked.at)
    return Restored(leaf_index=receipt.leaf_index, lost=behind.lost, numbers=len(advanced), counts=counts)


def _ordered(turn: Turn, asked: _Restoring, behind: Behind, orders: Sequence[bytes]) -> Sequence[Statement]:
    """The orders of two people for this very restore. Raises: NotPermitted, PersonMayNotAct, StatementRefused."""
    if len(orders) != len(SUBJECTS):
        raise NotPermitted(f"a restore is ordered by two people: expected two orders, found {len(orders)}")
    # It decides what the module remembers: an act on the module (SEC G3.23).
    located = serves_united_kingdom(turn.connection, asked.policies)
    statements = [
        check_order(turn, Ordered(order=order, people=asked.people), behind.told(), asked.at, in_united_kingdom=located)
        for order in orders
    ]
    people = {statement.attester for statement in statements}
    if len(people) != len(SUBJECTS):
        raise NotPermitted(f"a restore is ordered by two people: expected two of them, found {', '.join(people)} twice")
    return statements


def _same(leaf_index: int, act: Mapping[str, Json], orders: Sequence[bytes]) -> Restored:
    """What a restore that was recorded answers to whoever gives its orders again. Raises: NotPermitted."""
    told = act["orders"]
    recorded = {str(each["sha256"]) for each in told if isinstance(each, dict)} if isinstance(told, list) else set()
    if {_digest(order) for order in orders} != recorded:
        raise NotPermitted(
            f"record {leaf_index} says that the ledger was restored by other orders: finish it with those (they stand"
            f" in it; keybroker ledger show {leaf_index})"
        )
    lost, numbers, counts = (int(str(act[name])) for name in ("lost", "numbers", "counts"))
    return Restored(leaf_index=leaf_index, lost=lost, numbers=numbers, counts=counts)


def _digest(order: bytes) -> str:
    try:
        return read_compact(order).sha256.hex()
    except StatementUnfit as unfit:
        raise StatementRefused(
            f"{unfit.flaw}: expected {unfit.expected}, found {unfit.found}", flaw=unfit.flaw
        ) from unfit
