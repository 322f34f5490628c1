"""What does a restore say, and what follows for a name that the ledger does not know? Pure.

A name that is not in the ledger may have been taken first in a part that was lost. So a number that the ledger gives
begins beyond all that was lost, and a count begins with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.claim_form import NUMBER_OCTETS, ON_SUCCESS_OCTETS
from keybroker.ledger.window import Window, no_window

RESTORE = "RestoreLedger"
"""The act, in records and orders."""

MARGIN = 65_536
"""By how much numbers grow beyond the records that are lost: for what nobody thought of."""

ADVANCE = "AdvanceNumbers"
"""The act of the records that list what a restore advanced."""

NUMBERS: Mapping[str, int] = {
    "increasing": NUMBER_OCTETS,
    "allocated": NUMBER_OCTETS,
    "limited": NUMBER_OCTETS,
    "increasing-on-success": ON_SUCCESS_OCTETS,
}
"""The forms of claim whose value is numbers of 20 octets each, and how long it is."""

LARGEST = 2 ** (8 * NUMBER_OCTETS) - 1

_MOST_COUNTED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The ledger as it was put back, and what is remembered: 0 records where nothing is.

    ``lost``: how many records are remembered and not there, at most.
    """

    tree_size: int
    root_hash: bytes
    remembered_size: int
    remembered_root: bytes
    lost: int

    def told(self) -> dict[str, Json]:
        """What the record says of it, and what both orders name."""
        return {
            "act": RESTORE,
            "remembered_root": self.remembered_root.hex(),
            "remembered_size": self.remembered_size,
            "root_hash": self.root_hash.hex(),
            "tree_size": self.tree_size,
        }


@dataclass(frozen=True, slots=True)
class Loss:
    """One restore: when, in whole seconds, and how many records were lost at most."""

    at: int
    lost: int


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


def whole_second_after(at: datetime) -> int:
    """The moment of a restore: statements have whole seconds, and none of this one counts."""
    return int((at + timedelta(seconds=1)).timestamp())


def growth(losses: Iterable[Loss]) -> int:
    """By how much a number that was never taken has grown all the same."""
    return sum(each.lost + MARGIN for each in losses)


def first_window(period: int, losses: Iterable[Loss]) -> Window:
    """Of a name that was never counted: whatever was lost may have been of it."""
    window = no_window(period)
    for each in losses:
        window = with_lost(window, each)
    return window


def with_lost(window: Window, loss: Loss) -> Window:
    """The same, and every record that was lost, at the moment of the restore."""
    return window.with_more(loss.at, min(loss.lost, _MOST_COUNTED)) if loss.lost else window


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


def _advanced(told: Json) -> Advanced:
    match told:
        case [str(row), str(before), str(after), int(intent)]:
            octets = (bytes.fromhex(each) for each in (row, before, after))
            return Advanced(row=next(octets), before=next(octets), after=next(octets), intent=intent)
        case _:
            raise ValueError("name, before, after, intent")
