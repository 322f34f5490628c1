"""Any row of the database is changed, removed, added or exchanged; then the ledger is verified and exported again."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from keybroker.errors import KeybrokerError
from keybroker.ledger import audit
from tests.ledger import books
from tests.ledger.tampering import Scene
from tests.situations import AT

ERASABLE = frozenset({"request", "octets"})
"""Tables whose rows may go: names of requests are pruned, octets are erased, and the records stay as they were."""
Row = tuple[Any, ...]


def tamper_and_look(scene: Scene, directory: Path, draw: random.Random) -> Any:
    """A ``tamper_many.Result``."""
    from tests.ledger.tamper_many import Result

    ledger = Path(shutil.copytree(scene.ledger, directory / "ledger"))
    told, kind = change_a_row(ledger / "ledger.sqlite", draw)
    found = what_is_found(ledger)
    return Result(kind=kind, told=told, found=found, where=bool(found))


def what_is_found(directory: Path) -> str:
    """What a verification of the ledger in this directory says, empty where it says nothing."""
    try:
        ledger = books.a_ledger(directory)
        try:
            audit.verify(ledger, AT)
        finally:
            ledger.close()
    except KeybrokerError as error:
        return error.sentence
    return ""


def change_a_row(file: Path, draw: random.Random) -> tuple[str, str]:
    """What was done, and the name of that sort of change."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        filled = [name for name in tables if name != "alembic_version" and rows(connection, name)]
        while True:
            table, change = draw.choice(filled), draw.choice((alter_a_cell, remove_a_row, exchange_two_rows))
            told = change(connection, table, draw)
            if told:
                return f"{table}: {told}", change.__name__
    finally:
        connection.close()


def rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()  # noqa: S608


def alter_a_cell(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    row, names = draw.choice(rows(connection, table)), _columns(connection, table)
    at = draw.randrange(len(names))
    try:
        _set(connection, table, row, {names[at]: _altered(row[at], draw)})
    except sqlite3.IntegrityError:
        return ""
    return f"alter {names[at]} of {row[0]!r}"


def change_a_cell(connection: sqlite3.Connection, table: str, column: str, draw: random.Random) -> None:
    """That column of the table's first row."""
    row, at = rows(connection, table)[0], _columns(connection, table).index(column)
    _set(connection, table, row, {column: _altered(row[at], draw)})


def remove_a_row(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    if table in ERASABLE:
        return ""
    row = draw.choice(rows(connection, table))
    where, values = _which(connection, table, row)
    connection.execute(f'DELETE FROM "{table}" WHERE {where}', values)  # noqa: S608
    return f"remove {row[0]!r}"


def exchange_two_rows(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    """One column of two rows, where they differ in it and it is not of their names."""
    there, names = rows(connection, table), _columns(connection, table)
    if len(there) < 2:
        return ""
    (first, second), at = draw.sample(there, 2), draw.randrange(len(names))
    if first[at] == second[at] or names[at] in _primary_key(connection, table):
        return ""
    try:
        connection.execute("BEGIN")
        _set(connection, table, first, {names[at]: second[at]})
        _set(connection, table, second, {names[at]: first[at]})
        connection.execute("COMMIT")
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK")
        return ""
    return f"exchange {names[at]} of {first[0]!r} and {second[0]!r}"


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _primary_key(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")') if row[5]]


def _which(connection: sqlite3.Connection, table: str, row: Row) -> tuple[str, list[Any]]:
    """WHERE, and its values."""
    names, key = _columns(connection, table), _primary_key(connection, table)
    return " AND ".join(f'"{name}" = ?' for name in key), [row[names.index(name)] for name in key]


def _set(connection: sqlite3.Connection, table: str, row: Row, changes: dict[str, Any]) -> None:
    where, values = _which(connection, table, row)
    (column, value) = next(iter(changes.items()))
    connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', [value, *values])  # noqa: S608


def _altered(value: Any, draw: random.Random) -> Any:
    match value:
        case None:
            return 1
        case int():
            return value + draw.choice((-1, 1, 1000))
        case str() if value:
            at = draw.randrange(len(value))
            return value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :]
        case bytes() if value:
            at = draw.randrange(len(value))
            return value[:at] + bytes([value[at] ^ (1 << draw.randrange(8))]) + value[at + 1 :]
        case str():
            return "x"
        case _:
            return b"x"
