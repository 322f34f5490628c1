"""Inside the first transaction: how often was that used lately, and is a threshold reached? SEC G6.3, G6.6.

One row for each name, whoever uses it: all names of a batch are read at once, counted in order, and written at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from keybroker.clause import clause
from keybroker.errors import LedgerBroken, ThresholdExceeded
from keybroker.ledger import tables
from keybroker.ledger.advancing import read_losses
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.restore_form import first_window
from keybroker.ledger.statements import Insert, Lookup, Update
from keybroker.ledger.window import Window
from keybroker.policy.claim import Counted
from keybroker.terms import Finding, RuleName

GATE, EXCEEDED, OUT_OF_RANGE = "anomaly-threshold", "THRESHOLD_EXCEEDED", "DATA_VALUE_OUT_OF_RANGE"
"""The rule and the reasons of what is refused here."""

WAITING = "it is quarantined; the User releases or deletes it by a signed order (docs/operations/anomaly-thresholds.md)"
"""What to do about what is quarantined."""
_DELETED = "it is deleted; send one that is within the thresholds"

_COUNTS = Lookup(select(tables.anomaly_count.c.name, tables.anomaly_count.c.buckets), tables.anomaly_count.c.name)
_COUNT_FIRST = Insert(tables.anomaly_count, "name", "buckets")
_COUNT_AGAIN = Update(tables.anomaly_count, "name", "buckets")


@dataclass(frozen=True, slots=True)
class Tallied:
    """One more of each: what is counted, and which number this use is of it within the period."""

    reached: tuple[tuple[Counted, int], ...] = ()

    @property
    def told(self) -> tuple[Json, ...]:
        """For the record of the intent: name, period in seconds, number, and how many there may be."""
        return tuple([each.name, each.period_seconds, number, each.quarantine] for each, number in self.reached)

    @property
    def warned(self) -> tuple[str, ...]:
        """The names that are above their warning level now."""
        return tuple(each.name for each, number in self.reached if number > each.warning)

    @property
    def exceeded(self) -> tuple[Counted, ...]:
        """Those of which there would be too many."""
        return tuple(each for each, number in self.reached if number > each.quarantine)

    def refusal(self) -> ThresholdExceeded:
        """Why a use that exceeds something is not served."""
        findings = tuple(_finding(each, number) for each, number in self.reached if number > each.quarantine)
        first = findings[0]
        told = f"{GATE}: expected {first.expected}, found {first.found} ({first.clause}); {first.remedy}"
        return ThresholdExceeded(told, gate=GATE, clause=first.clause, findings=findings)


COUNTS_NOTHING = Tallied()


@dataclass(slots=True)
class _Tally:
    """One name in this batch: ``before`` were within the period when it began, ``more`` came since."""

    window: Window
    before: int
    more: int = 0


class Counting:
    """The counts of one batch, which has one moment: ``at`` in whole seconds."""

    def __init__(self, connection: Connection, counts: Iterable[Counted], at: int) -> None:
        """Raises: LedgerBroken for a row that is no count."""
        self._connection = connection
        self._at = at
        names = list({each.name.encode() for each in counts})
        self._rows: dict[bytes, bytes] = dict(_COUNTS.run(connection, names)) if names else {}
        self._tallies: dict[str, _Tally] = {}

    @clause("G6.3(a)", "G6.6(a)", "G6.6(c)")
    def tally(self, counts: Sequence[Counted]) -> Tallied:
        """One more of each, together; counted only by ``take``."""
        return Tallied(tuple((each, self._number(each)) for each in counts))

    def take(self, tallied: Tallied) -> None:
        """From here on they count, whatever becomes of the use."""
        for each, _ in tallied.reached:
            self._tally(each).more += 1

    def write(self) -> None:
        """Write down all that was counted."""
        changed = {name.encode(): tally for name, tally in self._tallies.items() if tally.more}
        rows = [
            (name, tally.window.with_more(self._at, tally.more).to_octets(), name in self._rows)
            for name, tally in changed.items()
        ]
        if first := [(name, octets) for name, octets, known in rows if not known]:
            _COUNT_FIRST.run(self._connection, first)
        if again := [(name, octets) for name, octets, known in rows if known]:
            _COUNT_AGAIN.run(self._connection, again)

    def _number(self, counted: Counted) -> int:
        tally = self._tally(counted)
        return tally.before + tally.more + 1

    def _tally(self, counted: Counted) -> _Tally:
        tally = self._tallies.get(counted.name)
        if tally is None:
            # A batch is judged by one standing: its thresholds under one name have one period.
            period = counted.period_seconds
            window = self._read(counted).for_period(period)
            tally = _Tally(window, window.within(period, self._at))
            self._tallies[counted.name] = tally
        return tally

    def _read(self, counted: Counted) -> Window:
        row = self._rows.get(counted.name.encode())
        if row is None:
            return first_window(counted.period_seconds, read_losses(self._connection))
        try:
            return Window.from_octets(row)
        except ValueError as error:
            raise LedgerBroken(f"the count of {counted.name} is none: {error}; run: keybroker ledger verify") from error


def _finding(counted: Counted, number: int) -> Finding:
    is_value = bool(counted.found)
    limit = f"at most {counted.quarantine} in {counted.period_seconds} s of {counted.told}"
    return Finding(
        rule=RuleName(GATE),
        clause=counted.clause,
        passed=False,
        expected=counted.told if is_value else limit,
        found=counted.found or f"number {number}",
        reason=OUT_OF_RANGE if is_value else EXCEEDED,
        remedy=_DELETED if counted.deletes else WAITING,
    )
