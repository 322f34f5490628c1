"""Was each evidence package, of which a record tells, made of this very ledger as it was then?"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, String, cast, select

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.export_form import EXPORT
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import RecordKind

_PAGE = {"yield_per": 2000}


def check_exports(connection: Connection) -> None:
    """After the records were verified. Raises: LedgerBroken, which names the record."""
    told = {index: _head(index, body) for index, body in _exports(connection)}
    sizes, roots, frontier = {size for size, _ in told.values()}, dict[int, str](), Frontier()
    if not sizes:
        return
    leaves = select(tables.record.c.leaf_hash).where(tables.record.c.leaf_index < max(sizes))
    for leaf in connection.execute(leaves.order_by(tables.record.c.leaf_index), execution_options=_PAGE).scalars():
        frontier.append(leaf)
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root().hex()
    for index, (size, root) in told.items():
        if size > index or roots.get(size) != root:
            raise LedgerBroken(f"record {index}: expected the root of {size} records before it; found {root}")


def _exports(connection: Connection) -> Iterator[tuple[int, dict[str, Json]]]:
    record = tables.record
    named = cast(record.c.octets, String).contains(f'"operation":"{EXPORT}"', autoescape=True)
    reads = select(record.c.leaf_index, record.c.octets).where(record.c.kind == RecordKind.READ.value, named)
    for index, octets in connection.execute(reads).all():
        body = decode(octets).get("body")
        if isinstance(body, dict) and body.get("operation") == EXPORT:
            yield index, body


def _head(index: int, body: dict[str, Json]) -> tuple[int, str]:
    match body.get("looked_at"):
        case {"tree_size": int(size), "root_hash": str(root), "manifest_sha256": str()}:
            return size, root
        case found:
            raise LedgerBroken(f"record {index}: expected what was exported, found {found}")
