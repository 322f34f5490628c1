"""What goes by the party's retention policy, when a person orders it? SEC G2.17-G2.18, G3.10.

One record of the order, then turns of some thousands of records each with a record of what went; whoever is killed
between is given the same order again, and goes on. How long each sort is kept at least is the configuration's; what
may go at all ``ledger/retaining.py`` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from keybroker.errors import NotPermitted
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.orders import Ordered, check_order, serves_united_kingdom, settle_order, told_order
from keybroker.keys.upkeep import record_upkeep
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.journal import Journal
from keybroker.ledger.record import moment
from keybroker.ledger.retaining import Cutoffs, Releases, age, read_releases
from keybroker.ledger.turn import Turn
from keybroker.ledger.upkeep_form import RETAIN, SUBJECT, Aged, retention
from keybroker.policy.model import Policy
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.terms import KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """For how many days each sort is kept at least."""

    octets_days: int
    reads_days: int
    refusals_days: int
    uses_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """``leaf_index`` is of the order's record; ``kinds`` counts the records that went now, ``octets`` the messages;
    ``kept`` names the sorts of which nothing may go yet, and since when it may.
    """

    leaf_index: int
    kinds: Mapping[str, int]
    octets: int
    kept: Mapping[str, datetime]


def retain_ledger(
    journal: Journal,
    actor: Actor,
    before: datetime,
    ordered: Ordered,
    keeps: Keeps,
    policies: Mapping[KeyPurpose, Policy],
    at: datetime,
) -> Retained:
    """Let go of what is older than ``before`` and may go. Raises: NotPermitted where nothing may yet; PersonMayNotAct,
    StatementRefused (each recorded); LedgerFault.
    """
    told = retention(moment(before))
    cutoffs, kept = _cutoffs(keeps, before, at)

    def begin(turn: Turn) -> int:
        if (begun := _begun(turn, ordered.order, moment(before))) is not None:
            return begun
        if len(kept) == len(_SORTS):
            soonest = min(kept.values())
            raise NotPermitted(f"expected a moment at or before {soonest.isoformat()}, found {before.isoformat()}")
        located = serves_united_kingdom(turn.connection, policies)
        order = check_order(turn, ordered, told, at, in_united_kingdom=located)
        receipt = record_upkeep(turn, journal, actor, {**told, **told_order(order)}, at)
        settle_order(turn, order, receipt, [SUBJECT], at)
        return receipt.leaf_index

    retain = refusals_recorded(journal, actor, told, at, lambda: journal.ledger.transact(begin))
    went, octets = _age_all(journal, actor, cutoffs, retain, at)
    journal.ledger.write_through()
    return Retained(leaf_index=retain, kinds=went, octets=octets, kept=kept)


def _age_all(
    journal: Journal, actor: Actor, cutoffs: Cutoffs, retain: int, at: datetime
) -> tuple[Mapping[str, int], int]:
    with journal.ledger.read() as connection:
        releases = read_releases(connection)
    went, octets, start = Counter[str](), 0, 0

    def work(turn: Turn, releases: Releases, first: int) -> tuple[Aged | None, int | None]:
        aged, following = age(turn, cutoffs, releases, retain=retain, start=first)
        if aged is not None:
            record_upkeep(turn, journal, actor, aged.told(), at)
        return aged, following

    following: int | None = start
    while following is not None:
        first = following
        aged, following = journal.ledger.transact(lambda turn, first=first: work(turn, releases, first))  # type: ignore[misc]
        if aged is not None:
            went.update(aged.kinds)
            octets += aged.octets
    return dict(went), octets


_SORTS = ("octets", "reads", "refusals", "uses")


def _cutoffs(keeps: Keeps, before: datetime, at: datetime) -> tuple[Cutoffs, Mapping[str, datetime]]:
    """What is older goes, by sort; and of which sorts ``before`` is too late, with the latest that may be named."""
    latest = {
        "octets": at - timedelta(days=keeps.octets_days),
        "reads": at - timedelta(days=keeps.reads_days),
        "refusals": at - timedelta(days=keeps.refusals_days),
        "uses": at - timedelta(days=keeps.uses_days),
    }
    kept = {sort: moment for sort, moment in latest.items() if before > moment}
    return Cutoffs(**{sort: None if sort in kept else before for sort in _SORTS}), kept


def _begun(turn: Turn, order: bytes, before: str) -> int | None:
    """The record of this very order, where it was taken in before for this moment: it is gone on with."""
    try:
        sha256 = read_compact(order).sha256
    except StatementUnfit:
        return None
    used = tables.statement_used.c
    index = turn.connection.execute(select(used.leaf_index).where(used.sha256 == sha256)).scalar()
    if index is None:
        return None
    record = tables.record.c
    octets = turn.connection.execute(select(record.octets).where(record.leaf_index == index)).scalar()
    act = decode(octets)["body"] if octets else {}
    same = isinstance(act, dict) and act.get("act") == RETAIN and act.get("before") == before
    return index if same else None
