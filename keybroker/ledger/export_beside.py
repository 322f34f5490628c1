"""Which files of a package come from the tables beside the records? Octets that are kept, keys, certificates, lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from sqlalchemy import Connection, Table, select

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.export_choosing import Selection

NamedOctets = tuple[str, bytes]
_PAGE = 500


def octets_lines(connection: Connection, chosen: set[int]) -> Iterator[bytes]:
    """Messages that are kept, by the leaf index of their intent, or of the refusal that put them into quarantine."""
    both = (_octets_of(connection, table) for table in (tables.octets, tables.quarantine))
    for index, octets in merge(*both):
        if index in chosen:
            yield encode({"octets": octets.hex(), "record": index}) + b"\n"


def _octets_of(connection: Connection, table: Table) -> Iterator[tuple[int, bytes]]:
    """By pages: two of these run side by side."""
    index, octets, last = table.c.leaf_index, table.c.octets, -1
    while True:
        there = select(index, octets).where(index > last, octets.is_not(None))
        page = connection.execute(there.order_by(index).limit(_PAGE)).all()
        yield from ((row[0], row[1]) for row in page)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def key_files(connection: Connection, selection: Selection, labels: set[str]) -> Iterator[NamedOctets]:
    """keys.json, the chain behind each key in DER (0 is the key's own certificate), and the revocation lists."""
    told: list[Json] = []
    for row in connection.execute(select(tables.key).order_by(tables.key.c.label)):
        if selection.party not in (None, row.party) or (selection.key is not None and row.label not in labels):
            continue
        chain = _chain(connection, row.label)
        told.append(_key(row, [*chain]))
        yield from chain.items()
    yield "keys.json", encode({"keys": told})
    for row in connection.execute(select(tables.revocation_list).order_by(tables.revocation_list.c.issuer)):
        yield f"revocation_lists/{row.issuer.hex()}.crl", row.der


def ceremony_files(ceremonies: Mapping[str, Mapping[str, Json]]) -> Iterator[NamedOctets]:
    """Each ceremony as it stands in the records."""
    for name, told in sorted(ceremonies.items()):
        yield f"ceremonies/{name}.json", encode(told)


def _chain(connection: Connection, label: str) -> dict[str, bytes]:
    table = tables.certificate
    links = select(table).where(table.c.label == label).order_by(table.c.position)
    return {f"certificates/{label}.{row.position}.der": row.der for row in connection.execute(links)}


def _key(row: Any, certificates: list[Json]) -> Json:
    return {
        "certificates": certificates,
        "eui": None if row.eui is None else row.eui.hex("-").upper(),
        "label": row.label,
        "party": row.party,
        "provenance": row.provenance,
        "public_key": None if row.public_key is None else row.public_key.hex(),
        "purpose": row.purpose,
        "state": row.state,
    }
