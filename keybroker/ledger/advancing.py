"""Inside the turn of a restore: what must grow, so that nothing is given or taken twice that a lost record used?

Every record that is lost stands for one use at most. So each number that counts grows by as many and a margin, and what
was counted lately grows by as many; names that are taken once for all stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.claim_form import row_name
from keybroker.ledger.restore_form import NUMBERS, Advanced, Loss, grown, with_lost
from keybroker.ledger.window import Window


def advance_numbers(connection: Connection, by: int) -> Sequence[Advanced]:
    """Let every number that counts grow. Raises: LedgerBroken where an intent does not tell what it took."""
    advanced = list(_numbers(connection, by))
    if advanced:
        statement = update(tables.taken).where(tables.taken.c.name == bindparam("which"))
        rows = [{"which": each.row, "after": each.after} for each in advanced]
        connection.execute(statement.values(value=bindparam("after")), rows)
    return advanced


def count_lost(connection: Connection, loss: Loss) -> int:
    """Whatever is counted was used as often, just now; answers how many names. Raises: LedgerBroken."""
    table = tables.anomaly_count
    rows = list(connection.execute(select(table.c.name, table.c.buckets)))
    if not rows:
        return 0
    try:
        windows = ((name, Window.from_octets(buckets)) for name, buckets in rows)
        counted = [{"which": name, "after": with_lost(window, loss).to_octets()} for name, window in windows]
    except ValueError as error:
        raise LedgerBroken(f"a count is none: {error}; run: keybroker ledger verify") from error
    statement = update(table).where(table.c.name == bindparam("which")).values(buckets=bindparam("after"))
    connection.execute(statement, counted)
    return len(counted)


def read_losses(connection: Connection) -> tuple[Loss, ...]:
    """In their order."""
    table = tables.restore.c
    rows = connection.execute(select(table.at, table.lost).order_by(table.leaf_index))
    return tuple(Loss(row.at, row.lost) for row in rows)


def _numbers(connection: Connection, by: int) -> Iterator[Advanced]:
    # The table does not tell the form of a claim; the record of the intent that took it does.
    taken, record = tables.taken.c, tables.record.c
    rows = select(taken.name, taken.value, taken.intent_index, record.octets).outerjoin(
        tables.record, record.leaf_index == taken.intent_index
    )
    numbers = rows.where(func.length(taken.value).in_(set(NUMBERS.values()))).order_by(taken.name)
    for name, value, intent, octets in connection.execute(numbers, execution_options={"yield_per": 256}):
        if NUMBERS.get(_form(name, intent, octets)) == len(value):
            yield Advanced(row=name, before=value, after=grown(value, by), intent=intent)


def _form(name: bytes, intent: int, octets: bytes | None) -> str:
    claims = decode(octets).get("taken") if octets is not None else None
    for claim in claims if isinstance(claims, list) else ():
        if isinstance(claim, dict) and row_name(str(claim["scope"]), bytes.fromhex(str(claim["name"]))) == name:
            return str(claim["form"])
    raise LedgerBroken(f"intent {intent} does not tell that it took {name.hex()}; run: keybroker ledger verify")
