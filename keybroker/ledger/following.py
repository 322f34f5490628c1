"""How are records read in order, from one on? By pages, each of its own moment: nobody who writes waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.reading import Reader

_PAGE = 2000


def bodies(ledger: Reader, first: int, before: int) -> Iterator[tuple[int, dict[str, Json]]]:
    """Leaf index and body of each record in a range, as far as the ledger reaches, but for those that were aged out.
    Of a record that was changed it notices nothing: ``verify`` does.

    Raises: LedgerUnavailable, LedgerBroken.
    """
    record = tables.record.c
    wanted = select(record.leaf_index, record.octets).order_by(record.leaf_index)
    while first < before:
        of_page = wanted.where(record.leaf_index >= first, record.leaf_index < min(first + _PAGE, before))
        with ledger.read() as connection:
            page: list[Any] = list(connection.execute(of_page))
        if not page:
            return
        yield from ((index, json.loads(octets)) for index, octets in page if octets)
        first = page[-1][0] + 1


def body_at(ledger: Reader, leaf_index: int) -> dict[str, Json]:
    """One body, empty where there is no such record. Raises: LedgerUnavailable, LedgerBroken."""
    return next((body for _, body in bodies(ledger, leaf_index, leaf_index + 1)), {})
