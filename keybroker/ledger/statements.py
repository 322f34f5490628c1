"""How does the hot path talk to the database? Core statements, compiled once per dialect, run on the driver's cursor.

SQLAlchemy's own execution costs some 50 us a statement and 2 us a parameter set, which at fifteen statements round
every lone signature is most of the time. Values are those that every driver takes as they are: str, int, bytes, None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Select, Table, bindparam, case, insert, update
from sqlalchemy.sql.expression import ClauseElement

MOST = 4096
"""Values in one SELECT; SQLite takes 32,766 and PostgreSQL 65,535 parameters."""


class Compiled:
    """A statement as one dialect's driver takes it, and the order in which it wants the parameters."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns))
        self.sql = str(compiled)
        self._columns = tuple(columns)
        names = compiled.positiontup
        self._order = None if names is None else tuple(columns.index(name) for name in names)
        self._as_is = self._order == tuple(range(len(columns)))

    def parameters(self, row: Sequence[Any]) -> Any:
        """One row of values, in the order of ``columns``, as the driver wants it."""
        if self._as_is:
            return row
        if self._order is None:
            return dict(zip(self._columns, row, strict=True))
        return tuple(row[at] for at in self._order)


class Write:
    """A statement that is run once a transaction, or seldom."""

    def __init__(self, statement: ClauseElement, *columns: str) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for each row; a row's values stand in the order of the columns."""
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = self._compiled[connection.dialect.name] = Compiled(
                self._statement, self._columns, connection.dialect
            )
        connection.connection.cursor().executemany(compiled.sql, [compiled.parameters(row) for row in rows])


class ManyRows(ABC):
    """Writes of many rows at once. A statement a row would give the GIL up at every row, and beside the event loop
    each time costs a wait for it.
    """

    most = 64

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table
        self._columns = columns
        self._compiled: dict[tuple[str, int], Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the rows; a row's values stand in the order of the columns."""
        cursor: Any = connection.connection.cursor()
        at = 0
        # In powers of two: a handful of statements do for every size.
        while (left := len(rows) - at) > 0:
            places = min(self.most, 1 << (left.bit_length() - 1))
            compiled = self._compiled.get((connection.dialect.name, places)) or self._compile(connection, places)
            cursor.execute(compiled.sql, compiled.parameters([*chain.from_iterable(rows[at : at + places])]))
            at += places

    def _compile(self, connection: Connection, places: int) -> Compiled:
        names = [f"{column}_{row}" for row in range(places) for column in self._columns]
        compiled = Compiled(self._statement(places), names, connection.dialect)
        self._compiled[connection.dialect.name, places] = compiled
        return compiled

    @abstractmethod
    def _statement(self, places: int) -> ClauseElement:
        """The statement for so many rows."""


class Insert(ManyRows):
    """INSERT … VALUES, many rows."""

    def _statement(self, places: int) -> ClauseElement:
        rows: list[dict[str, Any]] = [
            {column: bindparam(f"{column}_{row}") for column in self._columns} for row in range(places)
        ]
        return insert(self._table).values(rows)


class Update(ManyRows):
    """UPDATE of many rows, each found by the first column, to values of its own."""

    most = 16

    def _statement(self, places: int) -> ClauseElement:
        key, *columns = self._columns
        which = self._table.c[key]
        keys = [bindparam(f"{key}_{row}", type_=which.type) for row in range(places)]

        def value(column: str) -> ClauseElement:
            # Typed, since PostgreSQL would take the CASE of untyped parameters for text.
            of = self._table.c[column].type
            return case(*((which == keys[row], bindparam(f"{column}_{row}", type_=of)) for row in range(places)))

        return update(self._table).where(which.in_(keys)).values({column: value(column) for column in columns})


class Lookup:
    """A SELECT of the rows whose ``column`` is among some values."""

    def __init__(self, statement: Select[Any], column: Column[Any]) -> None:
        self._select: Callable[[Sequence[str]], Select[Any]] = lambda names: statement.where(
            column.in_([bindparam(name, type_=column.type) for name in names])
        )
        self._compiled: dict[tuple[str, int], Compiled] = {}

    def run(self, connection: Connection, values: Sequence[Any]) -> list[Any]:
        """The rows, as tuples, in no order."""
        rows: list[Any] = []
        for at in range(0, len(values), MOST):
            rows += self._run(connection, values[at : at + MOST])
        return rows

    def _run(self, connection: Connection, values: Sequence[Any]) -> list[Any]:
        # As many places as the next power of two, the last value repeated: a dozen statements do for every size.
        places = 1 << (len(values) - 1).bit_length()
        compiled = self._compiled.get((connection.dialect.name, places)) or self._compile(connection, places)
        cursor: Any = connection.connection.cursor()
        cursor.execute(compiled.sql, compiled.parameters([*values, *[values[-1]] * (places - len(values))]))
        rows: list[Any] = cursor.fetchall()
        return rows

    def _compile(self, connection: Connection, places: int) -> Compiled:
        names = [f"p{at}" for at in range(places)]
        compiled = Compiled(self._select(names), names, connection.dialect)
        self._compiled[connection.dialect.name, places] = compiled
        return compiled
