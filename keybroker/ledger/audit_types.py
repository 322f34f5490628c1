"""Does every cell hold a value of its column's type? SQLite takes any in any column; whoever reads relies on types."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Connection, Integer, LargeBinary, String, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables

_TYPES = ((Integer, "integer"), (String, "text"), (LargeBinary, "blob"))


def check_types(connection: Connection) -> None:
    """Every table that this version knows. Raises: LedgerBroken, which names table, column and the row's first column.

    Nothing is asked of a database that holds its columns to their types itself.
    """
    if connection.dialect.name != "sqlite":
        return
    for table in tables.metadata.sorted_tables:
        first, strange = table.columns[0], [(column, _is_strange(column)) for column in table.columns]
        row = connection.execute(select(first).where(or_(*(is_so for _, is_so in strange))).limit(1)).first()
        if row is None:
            continue
        name = next(_strange_columns(connection, strange))
        raise LedgerBroken(f"the table {table.name} holds in {name} of {row[0]!r} a value that is not of its type")


def _is_strange(column: Column[object]) -> ColumnElement[bool]:
    types = [word for kind, word in _TYPES if isinstance(column.type, kind)]
    return func.typeof(column).not_in([*types, "null"] if column.nullable else types)


def _strange_columns(
    connection: Connection, strange: list[tuple[Column[object], ColumnElement[bool]]]
) -> Iterator[str]:
    for column, is_so in strange:
        if connection.execute(select(func.count()).select_from(column.table).where(is_so)).scalar_one():
            yield column.name
