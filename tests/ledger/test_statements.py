"""Parameters as each paramstyle wants them: what SQLite takes today, PostgreSQL will take by the same statements."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from keybroker.ledger import tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.statements import MOST, Compiled, Lookup
from tests.ledger.books import a_request, sign

COUNT = (
    update(tables.counter_use).where(tables.counter_use.c.relation == bindparam("which")).values(uses=bindparam("n"))
)


def test_gives_values_by_name_where_the_driver_wants_names() -> None:
    compiled = Compiled(insert(tables.counter_use), ("relation", "uses"), psycopg.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's
    assert compiled.parameters((b"r", 1)) == {"relation": b"r", "uses": 1}


def test_gives_values_in_the_order_of_the_statement() -> None:
    assert Compiled(COUNT, ("which", "n"), sqlite.dialect()).parameters((b"r", 2)) == (2, b"r")
    assert Compiled(COUNT, ("n", "which"), sqlite.dialect()).parameters((2, b"r")) == (2, b"r")


def test_looks_up_more_values_than_one_statement_takes(journal: Journal) -> None:
    sign(journal, a_request("r"))
    lookup = Lookup(select(tables.record.c.leaf_index), tables.record.c.leaf_index)
    with journal.ledger.read() as connection:
        assert lookup.run(connection, []) == []
        assert sorted(lookup.run(connection, [*range(MOST), *range(MOST, MOST + 3), 1])) == [(0,), (1,), (1,), (2,)]
