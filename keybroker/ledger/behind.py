"""How far is this ledger behind what is remembered outside it, and was it restored instead? For a restore by people.

What is remembered may be of more records than the ledger holds (a back-up was put back), of another history of as many
(a back-up that operators wrote to since), or nothing at all (it was taken away).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.ceremonies import any_concluded
from keybroker.ledger.merkle import EMPTY_ROOT, Frontier
from keybroker.ledger.model import Head, RecordKind
from keybroker.ledger.restore_form import RESTORE, Behind

_WITHOUT_A_KEY = frozenset({RecordKind.ADMINISTRATIVE.value, RecordKind.REFUSAL.value, RecordKind.READ.value})
"""Records that may have been written to a ledger that was put back: by operators, and by gates that stayed shut."""


def find_behind(connection: Connection, remembered: Head | None) -> Behind | None:
    """None where the ledger extends what is remembered, or nothing is because it never served.

    Refusals of a restore behind the records that were put back are left out: they spoil no order. Raises: LedgerBroken:
    the ledger contradicts itself, or is no back-up of the one that is remembered.
    """
    size, root = connection.execute(select(tables.head.c.tree_size, tables.head.c.root_hash)).one()
    put_back = size - _trailing(connection, _is_refused_restore)
    wanted = 0 if remembered is None else remembered.tree_size
    roots = _roots(connection, {put_back, wanted, size})
    if roots.get(size) != root:
        raise LedgerBroken("the ledger contradicts its own head; run: keybroker ledger verify")
    if remembered is None and not _served(connection) and not any_concluded(connection):
        return None
    if remembered is not None and roots.get(wanted) == remembered.root_hash:
        return None
    return Behind(
        tree_size=put_back,
        root_hash=roots[put_back],
        remembered_size=wanted,
        remembered_root=EMPTY_ROOT if remembered is None else remembered.root_hash,
        lost=0 if remembered is None else _lost(connection, size, wanted),
    )


def find_restore(connection: Connection, remembered: Head | None) -> tuple[int, Mapping[str, Json]] | None:
    """Leaf index and act of the restore that is recorded in the place of exactly this head, None where none is.

    One behind which the broker served is finished: it is the answer to no later loss.
    """
    root = EMPTY_ROOT if remembered is None else remembered.root_hash
    wanted = (0 if remembered is None else remembered.tree_size, root.hex())
    rows = select(tables.record.c.leaf_index, tables.record.c.octets).where(
        tables.record.c.leaf_index.in_(select(tables.restore.c.leaf_index))
    )
    for index, octets in connection.execute(rows.order_by(tables.record.c.leaf_index.desc())):
        act = decode(octets)["body"]
        if isinstance(act, dict) and (act.get("remembered_size"), act.get("remembered_root")) == wanted:
            return None if _served(connection, since=index) else (index, act)
    return None


def _lost(connection: Connection, size: int, remembered: int) -> int:
    """No broker starts on a ledger that was put back, and no key is used: so what tells of that was there before.

    What stands behind the last of it may have come later, and counts as lost.
    """
    shared = size - _trailing(connection, _is_without_a_key)
    if shared >= remembered:
        raise LedgerBroken(
            f"the broker served after record {remembered}, and the module remembers another history of that many: this"
            " is no back-up of the ledger that is remembered; find the newest database file"
        )
    return remembered - shared


def _roots(connection: Connection, sizes: set[int]) -> dict[int, bytes]:
    """The roots at these sizes, as far as the ledger reaches. Raises: LedgerBroken for a record that is missing."""
    frontier, roots = Frontier(), {0: EMPTY_ROOT}
    leaves = select(tables.record.c.leaf_index, tables.record.c.leaf_hash).order_by(tables.record.c.leaf_index)
    for index, hashed in connection.execute(leaves, execution_options={"yield_per": 4096}):
        if index != frontier.size:
            raise LedgerBroken(f"record {frontier.size} is missing: found record {index} in its place")
        frontier.append(hashed)
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root()
    return roots


def _trailing(connection: Connection, is_such: Callable[[str, Mapping[str, Any]], bool]) -> int:
    """How many records at the end are such ones."""
    count = 0
    rows = select(tables.record.c.kind, tables.record.c.octets).order_by(tables.record.c.leaf_index.desc())
    with connection.execute(rows, execution_options={"yield_per": 64}) as found:
        for kind, octets in found:
            if not is_such(kind, decode(octets) if octets else {}):
                break
            count += 1
    return count


def _is_refused_restore(kind: str, body: Mapping[str, Any]) -> bool:
    act = body.get("body")
    return kind == RecordKind.REFUSAL and isinstance(act, dict) and act.get("act") == RESTORE


def _is_without_a_key(kind: str, _body: Mapping[str, Any]) -> bool:
    return kind in _WITHOUT_A_KEY


def _served(connection: Connection, *, since: int = 0) -> bool:
    record = tables.record.c
    starts = select(record.leaf_index).where(record.leaf_index > since, record.kind == RecordKind.START.value)
    return connection.execute(starts.limit(1)).first() is not None
