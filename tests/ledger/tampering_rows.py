"""Any row of the database is changed, removed, added or exchanged; then the ledger is verified and exported again."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keybroker.errors import KeybrokerError
from keybroker.ledger import audit
from keybroker.ledger.cosignatures import check_cosignatures
from tests.ledger import books, every_table
from tests.ledger.tampering import Scene
from tests.situations import AT

WHOLE = ""
"""In the place of a column: that a row is gone."""
_OF_A_MESSAGE = "what became of a message: no record tells"
EXEMPT: Mapping[tuple[str, str], str] = {
    ("alembic_version", WHOLE): "the version of the tables: another is refused when the ledger is opened",
    ("alembic_version", "version_num"): "the same",
    ("request", WHOLE): "names of requests are forgotten after a while",
    ("octets", WHOLE): "octets are erased after a while",
    ("session_key", "broker"): "which run of the broker made it: no record tells",
    ("anomaly_watch", "looked_to"): "how far the watch is: held as far as its events tell (test_first_uses)",
    ("webhook_delivery", WHOLE): "whether somebody was to be sent a message: no record tells",
    ("webhook_delivery", "tries"): _OF_A_MESSAGE,
    ("webhook_delivery", "next_at"): _OF_A_MESSAGE,
    ("webhook_delivery", "delivered_at"): _OF_A_MESSAGE,
    ("webhook_delivery", "error"): _OF_A_MESSAGE,
    ("cosignature", WHOLE): "the witness's word, not ours: no record tells that it came",
    ("cosignature", "at"): "when it came: no record tells; the line itself has the witness's time",
    ("cosignature", "line"): "held by the witness's key; under another key id nobody here can judge it",
}
"""What may be changed unnoticed, by table and column, and why. docs/evidence-package.md tells an assessor the same."""
SAID_AS: Mapping[str, tuple[str, ...]] = {
    "anomaly_count": ("the count of", "the intents count"),
    "counter_use": ("the table of counters",),
    "head": ("the ledger's origin", "the ledger was born", "the head"),
    "revocation_list": ("the revocation list of",),
    "threshold_check": ("the table of checked notifications",),
}
"""How a sentence names the place where it says neither the table's name nor a record."""
Row = tuple[Any, ...]


def tamper_and_look(scene: Scene, directory: Path, draw: random.Random) -> Any:
    """A ``tamper_many.Result``."""
    from tests.ledger.tamper_many import Result

    ledger = Path(shutil.copytree(scene.database, directory / "ledger"))
    told, kind = change_a_row(ledger / "ledger.sqlite", draw)
    found = what_is_found(ledger)
    return Result(kind=kind, told=told, found=found, where=is_place(told.partition(":")[0], found))


def is_place(table: str, sentence: str) -> bool:
    """Does it name the table or a record?"""
    if re.search(r"\b(record|intent) \d+", sentence):
        return True
    return any(words in sentence for words in (table, *SAID_AS.get(table, ())))


def what_is_found(directory: Path) -> str:
    """What a verification of the ledger in this directory says, empty where it says nothing."""
    try:
        ledger = books.a_ledger(directory)
        try:
            audit.verify(ledger, AT)
            check_cosignatures(ledger, [every_table.WITNESS])
        finally:
            ledger.close()
    except KeybrokerError as error:
        return error.sentence
    return ""


def change_a_row(file: Path, draw: random.Random) -> tuple[str, str]:
    """What was done, and the name of that sort of change."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        filled = [name for name in tables(connection) if name != "alembic_version" and rows(connection, name)]
        while True:
            table, change = draw.choice(filled), draw.choice(CHANGES)
            told = change(connection, table, draw)
            if told:
                return f"{table}: {told}", change.__name__
    finally:
        connection.close()


def tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()  # noqa: S608


def alter_a_cell(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    row, names = draw.choice(rows(connection, table)), _columns(connection, table)
    at = draw.randrange(len(names))
    if (table, names[at]) in EXEMPT:
        return ""
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
    if (table, WHOLE) in EXEMPT:
        return ""
    row = draw.choice(rows(connection, table))
    where, values = _which(connection, table, row)
    connection.execute(f'DELETE FROM "{table}" WHERE {where}', values)  # noqa: S608
    return f"remove {row[0]!r}"


def insert_a_row(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    """One that is there once more, under another name: whatever must be unique is altered."""
    row, names, unique = draw.choice(rows(connection, table)), _columns(connection, table), _unique(connection, table)
    values = [_altered(value, draw) if name in unique else value for name, value in zip(names, row, strict=True)]
    try:
        connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(values))})', values)  # noqa: S608
    except sqlite3.IntegrityError:
        return ""
    return f"insert {values[0]!r} like {row[0]!r}"


def exchange_two_rows(connection: sqlite3.Connection, table: str, draw: random.Random) -> str:
    """One column of two rows, where they differ in it and it is not of their names."""
    there, names = rows(connection, table), _columns(connection, table)
    if len(there) < 2:
        return ""
    (first, second), at = draw.sample(there, 2), draw.randrange(len(names))
    if first[at] == second[at] or names[at] in _primary_key(connection, table) or (table, names[at]) in EXEMPT:
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


def _unique(connection: sqlite3.Connection, table: str) -> set[str]:
    indexes = [row[1] for row in connection.execute(f'PRAGMA index_list("{table}")') if row[2]]
    columns = [row[2] for name in indexes for row in connection.execute(f'PRAGMA index_info("{name}")')]
    return {*columns, *_primary_key(connection, table)}


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


CHANGES = (alter_a_cell, remove_a_row, insert_a_row, exchange_two_rows)
