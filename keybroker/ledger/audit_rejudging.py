"""What does the store give for judging its uses once more? Records and octets, streamed, and the chains of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, func, select

from keybroker.ledger import tables
from keybroker.ledger.audit import Progress, find_octets_in, records_of, told
from keybroker.ledger.reading import Reader
from keybroker.ledger.rejudged_key import Chain
from keybroker.ledger.rejudging import Grounds, Rejudged, rejudge


def rejudge_ledger(ledger: Reader, grounds: Grounds, *, progress: Progress = lambda _done, _total: None) -> Rejudged:
    """Judge every use of a ledger that was verified; the chains that it holds are added to ``grounds``.

    Raises: LedgerBroken, LedgerUnavailable.
    """
    with ledger.read() as connection:
        total = connection.execute(select(tables.head.c.tree_size)).scalar_one()
        return rejudge(
            told(records_of(connection), total, progress),
            lambda index: find_octets_in(connection, index),
            replace(grounds, chains={**_chains(connection), **grounds.chains}),
        )


def _chains(connection: Connection) -> Mapping[str, Chain]:
    """The chain that each key has now, and since which record."""
    act = tables.key_transition.c
    last = select(act.label, func.max(act.leaf_index)).where(act.act == "EnrolCertificate").group_by(act.label)
    since: dict[str, int] = dict(tuple(row) for row in connection.execute(last))
    chains: dict[str, list[bytes]] = {}
    own = tables.certificate
    for row in connection.execute(select(own).order_by(own.c.label, own.c.position)):
        chains.setdefault(row.label, []).append(row.der)
    return {label: Chain(since=since[label], der=tuple(der)) for label, der in chains.items() if label in since}
