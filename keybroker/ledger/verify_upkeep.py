"""Do the acts on the ledger itself tell the truth of it: what a back-up held, and which records were aged out? Pure.

A back-up's head is the root of the tree as it was then. A record without octets is one that an act names, of a kind
that may age; an intent never ages without its end. What aged uses gave to the table of counters the act carries on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from keybroker.errors import LedgerBroken
from keybroker.ledger import canonical_json
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import RecordKind, StoredRecord
from keybroker.ledger.upkeep_form import AGE, BACK_UP, RETAIN, UPKEEP, Aged, read_aged, read_backed_up
from keybroker.ledger.verify_form import expect, moment_of

AGES = frozenset(
    {
        RecordKind.INTENT,
        RecordKind.OUTCOME,
        RecordKind.CLOSED,
        RecordKind.RELEASE,
        RecordKind.REFUSAL,
        RecordKind.READ,
        RecordKind.START,
        RecordKind.STOP,
    }
)
"""Kinds of record that may age; of their conditions ``retaining.py`` tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepRow:
    """A row of the table: where an act on the ledger stands; ``at`` in seconds."""

    leaf_index: int
    act: str
    at: int


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """``find`` gives the octets of any record by its leaf index. Without ``rows`` no record may have been aged out."""

    find: Callable[[int], bytes]
    rows: dict[int, UpkeepRow] | None = None
    until: int | None = None
    """The latest moment of an aged use: what was counted until then is known in part alone."""
    uses: int = 0
    aged: Counter[str] = field(default_factory=Counter)
    _roots: dict[int, str] = field(default_factory=dict)
    _ranges: list[tuple[int, int, int]] = field(default_factory=list)
    _found: dict[int, Counter[str]] = field(default_factory=dict)
    _retained: set[int] = field(default_factory=set)

    def look_ahead(self, rows: Iterable[UpkeepRow] | None) -> None:
        """Read the acts that the table names, before any record. Raises: LedgerBroken."""
        if rows is None:
            return
        self.rows = {row.leaf_index: row for row in rows}
        for index, row in self.rows.items():
            try:
                act = canonical_json.decode(self.find(index)).get("body")
            except (ValueError, LookupError) as error:
                raise LedgerBroken(f"the table upkeep names record {index}, which is none") from error
            found = act if isinstance(act, dict) else {}
            if row.act == BACK_UP:
                backed_up = read_backed_up(index, found)
                self._roots[backed_up.tree_size] = backed_up.root_hash
            elif row.act == AGE:
                self._expect_aged(index, read_aged(index, found))
        self._ranges.sort()

    def _expect_aged(self, index: int, aged: Aged) -> None:
        self._ranges += [(first, last, index) for first, last in aged.ranges]
        self._found[index] = Counter()
        if aged.until is not None:
            self.until = max(aged.until, self.until or 0)
        self.uses += int(aged.uses, 16)

    def pass_over(self, stored: StoredRecord) -> None:
        """A record without octets: an act names it, and its kind may age. Raises: LedgerBroken."""
        index = stored.leaf_index
        at = bisect_right(self._ranges, (index, 2**63, 0)) - 1
        first, last, act = self._ranges[at] if at >= 0 else (0, -1, 0)
        expect(first <= index <= last, index, "a record, or an act that names it as aged out", "neither")
        expect(stored.kind in AGES, index, "a kind of record that may age", repr(stored.kind))
        self._found[act][stored.kind] += 1
        self.aged[stored.kind] += 1

    def check_there(self, index: int) -> None:
        """A record with octets: no act says that it is aged out. Raises: LedgerBroken."""
        at = bisect_right(self._ranges, (index, 2**63, 0)) - 1
        if at >= 0:
            first, last, act = self._ranges[at]
            expect(
                not first <= index <= last, index, f"nothing, for record {act} says that it was aged out", "a record"
            )

    def administer(self, index: int, body: Mapping[str, Json]) -> None:
        """Raises: LedgerBroken."""
        act = body["body"]
        name = act.get("act") if isinstance(act, dict) else None
        if not isinstance(act, dict) or name not in UPKEEP or self.rows is None:
            return
        row, at = self.rows.pop(index, None), int(moment_of(index, body).timestamp())
        found = None if row is None else (row.act, row.at)
        expect(found == (name, at), index, f"({name!r}, {at}) in the table upkeep", str(found))
        if name == RETAIN:
            self._retained.add(index)
        elif name == AGE:
            self._check_aged(index, read_aged(index, act))

    def _check_aged(self, index: int, aged: Aged) -> None:
        expect(aged.retain in self._retained, index, "the record of an order to retain", str(aged.retain))
        found = dict(self._found[index])
        expect(found == dict(aged.kinds), index, f"{dict(aged.kinds)} without octets", str(found))
        expect(
            sum(found.values()) == sum(b - a + 1 for a, b in aged.ranges), index, "every record of its ranges", "fewer"
        )
        ended = found.get(RecordKind.OUTCOME, 0) + found.get(RecordKind.CLOSED, 0)
        expect(found.get(RecordKind.INTENT, 0) == ended, index, "as many intents as ends", str(found))

    def check_root(self, frontier: Frontier) -> None:
        """What a back-up of so many records held was this tree. Raises: LedgerBroken."""
        root = self._roots.get(frontier.size)
        if root is not None and root != (found := frontier.root().hex()):
            raise LedgerBroken(f"at {frontier.size} records a back-up held the root {root}, found {found}")

    def check_end(self) -> None:
        """Raises: LedgerBroken."""
        if self.rows:
            raise LedgerBroken(f"the table upkeep names {next(iter(self.rows))}, which tells of no such act")
