"""Was everything counted that counts, and quarantined what exceeded a threshold? SEC G6. From records alone. Pure.

What an intent says of each count is recomputed from the moments of the intents before it; what is left is what the
table must say. What was quarantined follows its refusal, the User's act and the use that the release let through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from keybroker.errors import LedgerBroken
from keybroker.ledger import restore_form
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.quarantine_state import ACTIONS, QuarantineState
from keybroker.ledger.restore_form import Loss, first_window, whole_second_after, with_lost
from keybroker.ledger.verify_form import expect, moment_of
from keybroker.ledger.window import PARTS, Window

Body = Mapping[str, Json]

_SAME = ("party", "key", "octets")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """A row of the table: by the leaf index of its refusal. ``sha256`` is of the communication's octets, in hex, and
    ``kept`` of those that are there, None where they are not.
    """

    leaf_index: int
    party: str
    key: str
    sha256: str
    state: str
    kept: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """A notification whose protection was checked: part of the systems, and SHA-256 of its payload."""

    part: str
    sha256: bytes
    leaf_index: int


@dataclass(slots=True, kw_only=True)
class Counts:
    """What is remembered between records: a window for each name, and the state of whatever was quarantined.

    ``find`` gives the body of an earlier record (index of the asker, index asked for), empty where there is none.
    """

    find: Callable[[int, Json], Body]
    known_after: int | None = None
    """The latest moment of a use that was aged out (whole seconds): what it counted nobody can tell any more."""
    _windows: dict[str, Window] = field(default_factory=dict)
    _states: dict[int, QuarantineState] = field(default_factory=dict)
    _checked: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _losses: list[Loss] = field(default_factory=list)

    def begin(self, index: int, body: Body) -> None:
        """An intent: what it counts, and the release that it rests on. Raises: LedgerBroken."""
        counted, released = body.get("counted"), body.get("released")
        if counted is None:
            expect("warned" not in body and released is None, index, "nothing warned of where nothing counts", "some")
            return
        expect(isinstance(counted, list) and bool(counted), index, "a list of what is counted", repr(counted))
        at = int(moment_of(index, body).timestamp())
        for each in counted if isinstance(counted, list) else ():
            self._count(index, each, at, limited=released is None)
        if released is not None:
            self._move(index, released, (QuarantineState.RELEASED,), QuarantineState.PROCESSED)
            self._check_same(index, released, body)

    def refuse(self, index: int, body: Body) -> None:
        """A refusal: was the communication quarantined or deleted? Raises: LedgerBroken."""
        told = body.get("quarantine")
        if told is None:
            return
        state = told.get("state") if isinstance(told, dict) else None
        first = (QuarantineState.QUARANTINED, QuarantineState.DELETED)
        expect(state in first, index, "quarantined or deleted", repr(told))
        held = told.get("held") if isinstance(told, dict) else None
        if held is None:
            self._states[index] = QuarantineState(str(state))
            return
        known = self._states.get(held) if isinstance(held, int) else None
        in_quarantine = known in (QuarantineState.QUARANTINED, QuarantineState.RELEASED)
        expect(in_quarantine, index, f"record {held!r} in quarantine", str(known))
        self._check_same(index, held, body)

    def administer(self, index: int, body: Body) -> None:
        """An administrative act: a notification that was checked, what a User says, a restore. Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        match act.get("act"):
            case "CheckThresholdNotification":
                self._check(index, act)
            case "ActOnQuarantined":
                self._act(index, act)
            case restore_form.RESTORE:
                loss = Loss(whole_second_after(moment_of(index, body)), int(str(act["lost"])))
                self._windows = {name: with_lost(window, loss) for name, window in self._windows.items()}
                self._losses.append(loss)
                self._states = {
                    which: QuarantineState.QUARANTINED if state is QuarantineState.RELEASED else state
                    for which, state in self._states.items()
                }

    def _check(self, index: int, act: Body) -> None:
        try:
            key = str(act.get("part")), bytes.fromhex(str(act.get("sha256")))
        except ValueError as error:
            raise LedgerBroken(f"record {index}: expected the SHA-256 of a notification; found {act}") from error
        expect(key not in self._checked, index, "a notification that was never checked", key[1].hex())
        self._checked[key] = index

    def _act(self, index: int, act: Body) -> None:
        move = ACTIONS.get(str(act.get("action")))
        if move is None:
            raise LedgerBroken(f"record {index}: expected release or delete; found {act.get('action')!r}")
        self._move(index, act.get("record"), *move)

    def check_tables(
        self,
        counts: Iterable[tuple[bytes, bytes]] | None,
        quarantine: Iterable[QuarantineRow] | None,
        checks: Iterable[CheckRow] | None,
    ) -> None:
        """The tables say what the records do. ``counts``: (name, buckets). Raises: LedgerBroken."""
        if counts is not None:
            self._check_counts(counts)
        if quarantine is not None:
            self._check_quarantine(quarantine)
        if checks is not None:
            found = {(row.part, row.sha256): row.leaf_index for row in checks}
            if found != self._checked:
                raise LedgerBroken("the table of checked notifications does not tell the same as the records")

    def _count(self, index: int, each: Json, at: int, *, limited: bool) -> None:
        match each:
            case [str() as name, int() as period, int() as number, int() as most] if period > 0:
                pass
            case _:
                raise LedgerBroken(f"record {index}: expected name, period, number and most; found {each!r}")
        window = self._windows.get(name, first_window(period, self._losses)).for_period(period)
        expected = window.within(period, at) + 1
        if self._is_known(at - 2 * period):
            expect(number == expected, index, f"number {expected} of {name} in {period} s", str(number))
        else:
            expect(number >= expected, index, f"number {expected} of {name} in {period} s at least", str(number))
        expect(number <= most or not limited, index, f"at most {most} of {name}, or a release", str(number))
        self._windows[name] = window.with_more(at)

    def _move(self, index: int, which: Json, before: tuple[QuarantineState, ...], after: QuarantineState) -> None:
        found = self._states.get(which) if isinstance(which, int) and not isinstance(which, bool) else None
        expect(found in before, index, f"record {which!r} to be {' or '.join(before)}", str(found))
        if isinstance(which, int):
            self._states[which] = after

    def _check_same(self, index: int, which: Json, body: Body) -> None:
        refusal = self.find(index, which)
        found, expected = (tuple(each.get(name) for name in _SAME) for each in (body, refusal))
        expect(found == expected, index, f"the communication of record {which}: {expected}", str(found))

    def _check_counts(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        for name, buckets in rows:
            held = self._windows.pop(name.decode(errors="replace"), None)
            if not self._is_what_intents_tell(held, buckets):
                raise LedgerBroken(f"the count of {name!r} is not what the intents tell")
        if self._windows:
            raise LedgerBroken(f"the intents count {next(iter(self._windows))!r}, and the table does not")

    def _is_known(self, since: int) -> bool:
        """Was no use aged out that could count from this moment on? Two periods: a bucket moves by one at most."""
        return self.known_after is None or since > self.known_after

    def _is_what_intents_tell(self, told: Window | None, buckets: bytes) -> bool:
        """Where uses were aged out, buckets of their time may hold more than the intents that are left tell."""
        if told is not None and told.to_octets() == buckets:
            return True
        try:
            found = Window.from_octets(buckets)
        except ValueError:
            return False
        if self.known_after is None or (told is not None and told.length != found.length):
            return False
        least = {} if told is None else dict(told.counts)
        known = self.known_after + PARTS * found.length
        counts = dict(found.counts)
        return all(counts.get(number, 0) >= least[number] for number in least if number in counts) and all(
            count == least.get(number) or number * found.length <= known for number, count in found.counts
        )

    def _check_quarantine(self, rows: Iterable[QuarantineRow]) -> None:
        for row in rows:
            state = self._states.pop(row.leaf_index, None)
            if state is None or row.state != state:
                raise LedgerBroken(f"the quarantine says that record {row.leaf_index} is {row.state}, found {state}")
            refusal = self.find(row.leaf_index + 1, row.leaf_index)
            found = (row.party, row.key, row.sha256)
            if found != tuple(refusal.get(name) for name in _SAME) or row.kept not in (None, row.sha256):
                raise LedgerBroken(f"the quarantine holds another communication than record {row.leaf_index} refused")
        if self._states:
            raise LedgerBroken(f"record {next(iter(self._states))} quarantines what is not in the quarantine")


def counts_something(body: Body) -> bool:
    """Does this intent or refusal concern a threshold?"""
    return "counted" in body or "quarantine" in body or "released" in body or "warned" in body
