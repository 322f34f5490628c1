"""Inside the first transaction: may what a use claims still be taken, and what does the ledger hold of it afterwards?

Of every name that was taken the ledger holds the last value and the intent that took it. What an intent took stands in
its record too, with the intent that it took it over from: so an auditor can follow each name from taker to taker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from sqlalchemy import Connection, delete, select
from sqlalchemy.sql.expression import bindparam

from keybroker.clause import clause
from keybroker.errors import EvidenceSpent
from keybroker.ledger import record, tables
from keybroker.ledger.advancing import read_losses
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.claim_form import NUMBER_OCTETS, row_name
from keybroker.ledger.restore_form import growth
from keybroker.ledger.statements import Insert, Lookup, Write
from keybroker.policy.claim import (
    Allocated,
    Bound,
    Claim,
    Increasing,
    IncreasingOnSuccess,
    Known,
    Limited,
    Once,
    Succession,
)
from keybroker.terms import Finding, RuleName

IN_PROGRESS = "open"
"""The state of an intent whose outcome is not written yet; the others are those of ``record``."""

_TAKEN = Lookup(select(tables.taken.c.name, tables.taken.c.value, tables.taken.c.intent_index), tables.taken.c.name)
_STATES = Lookup(select(tables.request.c.intent_index, tables.request.c.state), tables.request.c.intent_index)
_FORGET = Write(delete(tables.taken).where(tables.taken.c.name == bindparam("which")), "which")
_TAKE = Insert(tables.taken, "name", "value", "intent_index")

_Taking = Once | Bound | Increasing | IncreasingOnSuccess | Allocated | Limited | Succession
_FORMS: Mapping[type[_Taking], str] = {
    Once: "once",
    Bound: "bound",
    Increasing: "increasing",
    IncreasingOnSuccess: "increasing-on-success",
    Allocated: "allocated",
    Limited: "limited",
    Succession: "succession",
}
"""What records call the form of a claim; ``verify`` knows by it what one taker may take over from another."""


class _Why(NamedTuple):
    """The stable reason of a refusal, and what to do."""

    reason: str
    remedy: str


_GREATER = _Why("NUMBER_NOT_GREATER", "bring a greater one")
_WHY: Mapping[type[Claim], _Why] = {
    Once: _Why("USED_BEFORE", "take another one; what was made with this one is given again to its own request alone"),
    Bound: _Why("BOUND_TO_ANOTHER", "bring what it was bound to before, or take another one"),
    Increasing: _GREATER,
    IncreasingOnSuccess: _GREATER,
    Allocated: _Why("NUMBERS_USED_UP", "take another key: this one has no number left"),
    Limited: _Why("USES_ALL_TAKEN", "have more of them allowed"),
    Succession: _Why("ENTRY_MISSING", "list it again, until its certificate has expired"),
    Known: _Why("ENTRY_OF_ANOTHER_KIND", "leave it out of this list; it belongs into the other"),
}
_IN_PROGRESS = _Why("USE_IN_PROGRESS", "ask again when it has ended")


class Held(NamedTuple):
    """What the ledger holds under a name: the value taken last, and the leaf index of the intent that took it."""

    value: bytes
    intent_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a use takes: row values by row name, the number that the ledger gave where one was claimed, and what its
    record says of each claim.
    """

    rows: Mapping[bytes, bytes]
    counter: int | None
    told: tuple[Mapping[str, Json], ...]


class Claiming:
    """The claims of one batch: what was taken before is read at once, and what is taken now written at once."""

    def __init__(self, connection: Connection, claims: Iterable[Claim]) -> None:
        self._connection = connection
        claims = list(claims)
        self._rows: dict[bytes, Held] = {}
        self._absent: set[bytes] = set()
        self._read({name for claim in claims for name in _names(claim)})
        self._stored = frozenset(self._rows)
        self._changed: set[bytes] = set()
        settling = {row_name(it.scope, it.name) for it in claims if isinstance(it, IncreasingOnSuccess)}
        takers = [held.intent_index for name, held in self._rows.items() if name in settling]
        self._ended: dict[int, str] = dict(_STATES.run(connection, takers)) if takers else {}

    @clause("G3.25(a)")
    def grant(self, claims: Sequence[Claim], *, own: int | None) -> Granted:
        """``own`` is the intent of this very request, which is known to have failed or keeps no result: it may take its
        own again.

        Nothing is taken by this alone, and nothing where one of them is refused. Raises: EvidenceSpent.
        """
        # Nothing is taken twice within one use either: a later claim sees what an earlier one took.
        seen = _Seen(self._held, own, self._ended, lambda: growth(read_losses(self._connection)))
        told: dict[bytes, dict[str, Json]] = {}
        counter: int | None = None
        for claim in claims:
            if isinstance(claim, Known):
                _check_known(claim, seen)
                continue
            name = row_name(claim.scope, claim.name)
            before = seen.held(name)
            if isinstance(claim, Succession):
                self._read({row_name(claim.lifetimes, claim.name + entry) for entry in _missing(claim, before)})
            value = _value(claim, before, seen)
            seen.rows[name] = Held(value, None)
            told[name] = told.get(name, {}) | _told(claim, value, before)
            if isinstance(claim, Allocated) and claim.carried:
                counter = int.from_bytes(value, "big")
        rows = {name: held.value for name, held in seen.rows.items()}
        return Granted(rows=rows, counter=counter, told=tuple(told.values()))

    def take(self, granted: Granted, intent_index: int) -> None:
        """What was granted is this intent's from here on, for the rest of the batch and for ever."""
        for name, value in granted.rows.items():
            self._rows[name] = Held(value, intent_index)
            self._changed.add(name)
        self._ended[intent_index] = IN_PROGRESS

    def write(self) -> None:
        """Write down all that was taken."""
        if not self._changed:
            return
        again = [(name,) for name in self._changed & self._stored]
        if again:
            _FORGET.run(self._connection, again)
        _TAKE.run(self._connection, [(name, *self._rows[name]) for name in self._changed])

    def _held(self, name: bytes) -> Held | None:
        return self._rows.get(name)

    def _read(self, names: Iterable[bytes]) -> None:
        """Read what is held under these names, but for those that were read already."""
        wanted = [name for name in names if name not in self._rows and name not in self._absent]
        if not wanted:
            return
        found = {name: Held(value, index) for name, value, index in _TAKEN.run(self._connection, wanted)}
        self._rows.update(found)
        self._absent.update(name for name in wanted if name not in found)


class _Seen:
    """What one use sees: what was taken before it, and what it takes itself."""

    def __init__(
        self,
        before: Callable[[bytes], Held | None],
        own: int | None,
        ended: Mapping[int, str],
        grown: Callable[[], int],
    ) -> None:
        self.grown = grown
        self._before = before
        self._own = own
        self._ended = ended
        self.rows: dict[bytes, Held] = {}

    def held(self, name: bytes) -> Held | None:
        return self.rows.get(name) or self._before(name)

    def state(self, held: Held) -> str:
        """How the use ended that took it last. A request that is forgotten counts as served: that refuses the most."""
        return record.DONE if held.intent_index is None else self._ended.get(held.intent_index, record.DONE)

    def is_own(self, held: Held) -> bool:
        """Was it taken last by this very request, which may take its own again?"""
        return held.intent_index is not None and held.intent_index == self._own


def _names(claim: Claim) -> Iterable[bytes]:
    if isinstance(claim, Known):
        return [row_name(claim.scope, name) for name in claim.names]
    return [row_name(claim.scope, claim.name)]


def _told(claim: _Taking, value: bytes, before: Held | None) -> dict[str, Json]:
    """What a record says of a claim that was granted; ``after`` is the intent it was taken over from."""
    said: dict[str, Json] = {
        "form": _FORMS[type(claim)],
        "name": claim.name.hex(),
        "rule": claim.rule,
        "scope": claim.scope,
        "value": value.hex(),
    }
    if before is not None and before.intent_index is not None:
        said["after"] = before.intent_index
    return said


def _value(claim: _Taking, before: Held | None, seen: _Seen) -> bytes:
    match claim:
        case Once():
            if before is not None and not seen.is_own(before):
                raise _spent(claim, "one that was never used", "one that was used before")
            return claim.value
        case Bound():
            if before is not None and before.value != claim.value:
                raise _spent(claim, "what it was bound to before", "something else")
            return claim.value
        case Increasing():
            return _increased(claim, before, seen)
        case IncreasingOnSuccess():
            return _increased_on_success(claim, before, seen)
        case Allocated():
            # Whatever became of the use: a number that was given once may have been used with a key.
            # One that is not known here may have been given in a part of the ledger that was lost.
            last = int.from_bytes(before.value, "big") if before is not None else claim.first + seen.grown() - 1
            number = max(claim.first, last + 1)
            if number > claim.last:
                raise _spent(claim, f"a number of at most {claim.last}", "that all are used")
            return number.to_bytes(NUMBER_OCTETS, "big")
        case Limited():
            return _limited(claim, before, seen)
        case Succession():
            return _succeeded(claim, before, seen)
        case _:
            assert_never(claim)


def _increased(claim: Increasing, before: Held | None, seen: _Seen) -> bytes:
    if before is None:
        return claim.number.to_bytes(NUMBER_OCTETS, "big")
    last = int.from_bytes(before.value, "big")
    least = last if seen.is_own(before) else last + 1
    if claim.number < least:
        raise _spent(claim, f"a number greater than {last}", str(claim.number))
    return claim.number.to_bytes(NUMBER_OCTETS, "big")


def _increased_on_success(claim: IncreasingOnSuccess, before: Held | None, seen: _Seen) -> bytes:
    """The number, and the least that may follow where this use fails, 20 octets each."""
    if before is None:
        return _numbers(claim.number, 0)
    last = int.from_bytes(before.value[:NUMBER_OCTETS], "big")
    least = int.from_bytes(before.value[NUMBER_OCTETS:], "big")
    state = seen.state(before)
    if state == IN_PROGRESS:
        raise _spent(claim, "no other use in progress", "one", _IN_PROGRESS)
    if state not in (record.FAILED, record.UNKNOWN):
        # Of a use that nobody saw the end of, nothing has left either.
        least = max(least, last + 1)
    if claim.number < least and not (seen.is_own(before) and claim.number == last):
        raise _spent(claim, f"a number greater than {least - 1}", str(claim.number))
    return _numbers(claim.number, least)


def _limited(claim: Limited, before: Held | None, seen: _Seen) -> bytes:
    number = 1
    if before is not None:
        last = int.from_bytes(before.value, "big")
        number = last if seen.is_own(before) else last + 1
    if number > claim.most:
        raise _spent(claim, f"one of {claim.most} uses", "that all are taken")
    return number.to_bytes(NUMBER_OCTETS, "big")


def _numbers(number: int, least: int) -> bytes:
    return number.to_bytes(NUMBER_OCTETS, "big") + least.to_bytes(NUMBER_OCTETS, "big")


def _succeeded(claim: Succession, before: Held | None, seen: _Seen) -> bytes:
    for entry in _missing(claim, before):
        lifetime = seen.held(row_name(claim.lifetimes, claim.name + entry))
        if lifetime is None or int.from_bytes(lifetime.value[-8:], "big") >= claim.at.timestamp():
            raise _spent(claim, f"entry {_entry(entry)} of the last one, which has not expired", "none")
    return b"".join(sorted(claim.entries))


def _missing(claim: Succession, before: Held | None) -> list[bytes]:
    """The entries that were there and are no longer."""
    listed = b"" if before is None else before.value
    earlier = {listed[at : at + NUMBER_OCTETS] for at in range(0, len(listed), NUMBER_OCTETS)}
    return sorted(earlier - claim.entries)


def _check_known(claim: Known, seen: _Seen) -> None:
    for name in sorted(claim.names):
        held = seen.held(row_name(claim.scope, name))
        if held is not None and held.value[:1] != bytes([claim.begins]):
            raise _spent(claim, "of that kind alone", f"entry {_entry(name.removeprefix(claim.among))} of another kind")


def _entry(octets: bytes) -> str:
    return octets.hex().lstrip("0") or "0"


def _spent(claim: Claim, expected: str, found: str, why: _Why | None = None) -> EvidenceSpent:
    why = why or _WHY[type(claim)]
    finding = Finding(
        rule=RuleName(claim.rule),
        clause=claim.clause,
        passed=False,
        expected=f"{claim.told}: {expected}",
        found=found,
        reason=why.reason,
        remedy=(claim.remedy if isinstance(claim, Once | Allocated | Limited) else "") or why.remedy,
    )
    sentence = f"{claim.rule}: expected {finding.expected}, found {found} ({claim.clause}); {finding.remedy}"
    return EvidenceSpent(sentence, gate=claim.rule, clause=claim.clause, findings=(finding,))
