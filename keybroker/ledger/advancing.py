"""Inside the turn of a restore: what must grow, so that nothing is given or taken twice that a lost record used?

Every record that is lost stands for one use at most. So each number that counts grows by as many and a margin, and what
was counted lately grows by as many; names that are taken once for all stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from keybroker.errors import LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.claiming import NUMBER_OCTETS, ON_SUCCESS_OCTETS, row_name
from keybroker.ledger.model import Json
from keybroker.ledger.record import decode
from keybroker.ledger.restores import Loss, with_lost
from keybroker.ledger.window import Window

ADVANCE = "AdvanceNumbers"
"""The act of the records that list what a restore advanced."""

NUMBERS: Mapping[str, int] = {
    "increasing": NUMBER_OCTETS,
    "allocated": NUMBER_OCTETS,
    "increasing-on-success": ON_SUCCESS_OCTETS,
}
"""The forms of claim whose value is numbers of 20 octets each, and how long it is."""

LARGEST = 2 ** (8 * NUMBER_OCTETS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """A row of what was taken: its name, its value before and after, and the intent that took it."""

    row: bytes
    before: bytes
    after: bytes
    intent: int

    def told(self) -> list[Json]:
        """As its record says it."""
        return [self.row.hex(), self.before.hex(), self.after.hex(), self.intent]


def advance_numbers(connection: Connection, by: int) -> Sequence[Advanced]:
    """Let every number that counts grow. Raises: LedgerBroken where an intent does not tell what it took."""
    advanced = list(_numbers(connection, by))
    if advanced:
        statement = update(tables.taken).where(tables.taken.c.name == bindparam("which"))
        rows = [{"which": each.row, "after": each.after} for each in advanced]
        connection.execute(statement.values(value=bindparam("after")), rows)
    return advanced


def grown(value: bytes, by: int) -> bytes:
    """Each number of 20 octets within it, greater by so much; the largest where it cannot be. It never begins anew."""
    numbers = (int.from_bytes(value[at : at + NUMBER_OCTETS], "big") for at in range(0, len(value), NUMBER_OCTETS))
    return b"".join(min(number + by, LARGEST).to_bytes(NUMBER_OCTETS, "big") for number in numbers)


def read_advanced(index: int, act: Mapping[str, Json]) -> Sequence[Advanced]:
    """What a record of them lists. Raises: LedgerBroken for another form."""
    try:
        listed = act["advanced"]
        if not isinstance(listed, list):
            raise ValueError("a list")  # noqa: TRY301, TRY004 - whatever is wrong is told below, in one sentence
        return [_advanced(each) for each in listed]
    except (KeyError, ValueError) as error:
        raise LedgerBroken(f"record {index}: expected numbers that were advanced, found another form") from error


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


def _advanced(told: Json) -> Advanced:
    match told:
        case [str(row), str(before), str(after), int(intent)]:
            octets = (bytes.fromhex(each) for each in (row, before, after))
            return Advanced(row=next(octets), before=next(octets), after=next(octets), intent=intent)
        case _:
            raise ValueError("name, before, after, intent")


def _form(name: bytes, intent: int, octets: bytes | None) -> str:
    claims = decode(octets).get("taken") if octets is not None else None
    for claim in claims if isinstance(claims, list) else ():
        if isinstance(claim, dict) and row_name(str(claim["scope"]), bytes.fromhex(str(claim["name"]))) == name:
            return str(claim["form"])
    raise LedgerBroken(f"intent {intent} does not tell that it took {name.hex()}; run: keybroker ledger verify")
