"""Was nothing taken twice, and are the revocation lists those that were taken in? From records, and no memory of names.

Each claim in an intent says which intent it took its name over from (``after``), or that nobody had it. So every take
adds one state (name, value, intent) to a sum and takes the one before it away: what is left is what the table must
say. Two takers of one name that know nothing of each other leave two states, and the table has one row. A restore
advances numbers without a taker: its records list each, and what was advanced is remembered until it is taken over.

Whether an entry that left a list had expired is not looked at: it took the lifetimes of that moment to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from keybroker.errors import LedgerBroken
from keybroker.ledger import restore_form
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.claim_form import row_name
from keybroker.ledger.model import RecordKind
from keybroker.ledger.restore_form import NUMBERS, Advanced, grown, read_advanced

SAME_REQUEST = ("party", "operation", "key", "request_id", "request")
"""What two records of one request have in common."""

_FIELDS = frozenset({"form", "name", "rule", "scope", "value"})

Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """A row of the table of revocation lists: issuer 32 octets, CRLNumber, SHA-256 of the list."""

    issuer: bytes
    number: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    """One claim of an intent. ``row`` is the name in the table; ``after`` is None where nobody had it before."""

    form: str
    row: bytes
    value: bytes
    after: int | None


@dataclass(slots=True, kw_only=True)
class Claims:
    """What is remembered between records: one sum, the intents whose own may be taken again, a row for each CA.

    ``find`` gives the body of an earlier record (index of the asker, index asked for), empty where there is none.
    """

    find: Callable[[int, Json], Body]
    _sum: int = 0
    _left: set[int] = field(default_factory=set)
    _served: set[int] = field(default_factory=set)
    _lists: dict[bytes, ListRow] = field(default_factory=dict)
    _advanced: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    _restored: int = 0
    _by: int = 0
    _grown: int = 0
    _owed: int = 0

    def begin(self, index: int, body: Body) -> None:
        """An intent: follow each of its claims. Raises: LedgerBroken."""
        for take in _takes(index, body):
            self._sum += _state(take.row, take.value, index)
            if take.after is None:
                self._check_first(index, take)
                continue
            earlier = self.find(index, take.after)
            _, before = self._taken(index, take, earlier)
            self._advanced.pop((take.row, take.after), None)
            again = take.after in self._left and _same(body, earlier)
            _check_taken_over(index, take, before, again=again, served=take.after in self._served)
            self._sum -= _state(take.row, before, take.after)

    def _check_first(self, index: int, take: _Take) -> None:
        """A number that the ledger gives for the first time: beyond what was given in a part of it that was lost."""
        number = int.from_bytes(take.value, "big")
        if take.form == "allocated" and number < self._grown:
            raise LedgerBroken(f"record {index}: expected a number of at least {self._grown}, found {number}")

    def may_be_taken_again(self, intent: int, *, served: bool) -> None:
        """An intent that took something failed for certain, or its result is not kept: the same request may take it
        again.
        """
        self._left.add(intent)
        if served:
            self._served.add(intent)

    def administer(self, index: int, body: Body) -> None:
        """An administrative act: a revocation list that was taken in, a restore, numbers that it advanced."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        match act.get("act"):
            case "TakeInRevocationList":
                self._take_in(index, act)
            case restore_form.RESTORE:
                self._restore(index, act)
            case restore_form.ADVANCE:
                self._advance(index, act)

    def _restore(self, index: int, act: Mapping[str, Json]) -> None:
        """It says by how much each number was advanced, and how many; the next records say which."""
        try:
            self._by, self._owed, self._restored = int(str(act["by"])), int(str(act["numbers"])), index
        except (KeyError, ValueError) as error:
            raise LedgerBroken(f"record {index}: expected how much of what was advanced, found {act}") from error
        self._grown += self._by

    def _advance(self, index: int, act: Mapping[str, Json]) -> None:
        """Numbers that a restore advanced: each as an intent took it or an earlier restore left it, and grown."""
        advanced = read_advanced(index, act)
        self._owed -= len(advanced)
        if act.get("restore") != self._restored or not advanced or self._owed < 0:
            raise LedgerBroken(f"record {index}: expected numbers that record {self._restored} advanced, and no more")
        for each in advanced:
            self._grow(index, each)

    def _grow(self, index: int, each: Advanced) -> None:
        take = _Take(form="", row=each.row, value=each.after, after=each.intent)
        form, before = self._taken(index, take, self.find(index, each.intent))
        if form not in NUMBERS or each.before != before or each.after != grown(before, self._by):
            raise LedgerBroken(
                f"record {index}: expected {each.row.hex()} of intent {each.intent} grown by {self._by} from"
                f" {before.hex()}; found {each.before.hex()} to {each.after.hex()}"
            )
        self._sum += _state(each.row, each.after, each.intent) - _state(each.row, before, each.intent)
        self._advanced[each.row, each.intent] = each.after

    def _take_in(self, index: int, act: Mapping[str, Json]) -> None:
        try:
            issuer, digest = bytes.fromhex(str(act["issuer"])), bytes.fromhex(str(act["sha256"]))
            row = ListRow(issuer=issuer, number=int(str(act["number"])), sha256=digest)
        except (KeyError, ValueError) as error:
            raise LedgerBroken(f"record {index}: expected issuer, number and SHA-256 of a list, found {act}") from error
        held = self._lists.get(issuer)
        if held is not None and row.number < held.number:
            raise LedgerBroken(f"record {index}: expected a CRLNumber of at least {held.number}, found {row.number}")
        self._lists[issuer] = row

    def check_tables(self, taken: Iterable[tuple[bytes, bytes, int]] | None, lists: Iterable[ListRow] | None) -> None:
        """The tables say what the records do. ``taken``: (row name, value, intent). Raises: LedgerBroken."""
        if self._owed:
            raise LedgerBroken(f"record {self._restored} advanced {self._owed} more numbers than any record lists")
        if taken is not None and sum(_state(*row) for row in taken) != self._sum:
            raise LedgerBroken("the table of what was taken does not tell the same as the intents, or two took it")
        if lists is None:
            return
        for found in lists:
            held = self._lists.pop(found.issuer, None)
            if held != found:
                raise LedgerBroken(f"the revocation list of {found.issuer.hex()} is not the one that was taken in")
        if self._lists:
            raise LedgerBroken(f"the revocation list of {next(iter(self._lists)).hex()} was taken in and is not there")

    def _taken(self, index: int, take: _Take, earlier: Body) -> tuple[str, bytes]:
        """Form and value of what the intent ``take.after`` took under the same name, advanced since or not."""
        if earlier.get("kind") == RecordKind.INTENT and take.after is not None:
            for each in _takes(take.after, earlier):
                if each.row == take.row:
                    return each.form, self._advanced.get((take.row, take.after), each.value)
        raise LedgerBroken(f"record {index}: expected an intent that took the same name, found record {take.after}")


def takes_something(body: Body) -> bool:
    return "taken" in body


def _takes(index: int, body: Body) -> list[_Take]:
    taken = body.get("taken", [])
    if not isinstance(taken, list) or ("taken" in body and not taken):
        raise LedgerBroken(f"record {index}: expected a list of what was taken, found {taken!r}")
    takes = [_take(index, claim) for claim in taken]
    if len({take.row for take in takes}) != len(takes):
        raise LedgerBroken(f"record {index}: expected each name once among what was taken")
    return takes


def _take(index: int, claim: Json) -> _Take:
    try:
        if not isinstance(claim, dict) or frozenset(claim) - {"after"} != _FIELDS:
            raise ValueError("fields")  # noqa: TRY301 - whatever is wrong is told below, in one sentence
        after = claim.get("after")
        if "after" in claim and (isinstance(after, bool) or not isinstance(after, int) or not 0 <= after < index):
            raise ValueError("after")  # noqa: TRY301
        row = row_name(str(claim["scope"]), bytes.fromhex(str(claim["name"])))
        value = bytes.fromhex(str(claim["value"]))
    except ValueError as error:
        raise LedgerBroken(f"record {index}: expected what was taken and from whom, found {claim!r}") from error
    return _Take(form=str(claim["form"]), row=row, value=value, after=after if isinstance(after, int) else None)


def _check_taken_over(index: int, take: _Take, before: bytes, *, again: bool, served: bool) -> None:
    value, number, last = take.value, int.from_bytes(take.value, "big"), int.from_bytes(before, "big")
    match take.form:
        case "once":
            holds, expected = again, "a name that nobody had"
        case "bound":
            holds, expected = value == before, "what it was bound to"
        case "increasing":
            holds, expected = number > last or (again and number == last), f"a number greater than {last}"
        case "increasing-on-success":
            holds, expected = _increases_on_success(value, before, again=again, served=served)
        case "allocated":
            holds, expected = number > last, f"a number greater than {last}"
        case "limited":
            holds, expected = number > last or (again and number == last), f"a number greater than {last}"
        case "succession":
            holds, expected = True, ""
        case _:
            holds, expected = False, "a known form of claim"
    if not holds:
        raise LedgerBroken(
            f"record {index}: expected {expected}; found {take.form} {take.row.hex()} {value.hex()}"
            f" after intent {take.after}"
        )


def _increases_on_success(value: bytes, before: bytes, *, again: bool, served: bool) -> tuple[bool, str]:
    """Both values are a number and the least that may follow where its use fails, 20 octets each. The least never
    falls, and grows beyond what was served.
    """
    (number, least), (last, floor) = (
        (int.from_bytes(each[:20], "big"), int.from_bytes(each[20:], "big")) for each in (value, before)
    )
    floor = max(floor, last + 1) if served else floor
    holds = len(value) == len(before) == 40 and least >= floor and (number >= least or (again and number == last))
    return holds, f"a number of at least {floor}, and no less to follow it"


def _same(body: Body, earlier: Body) -> bool:
    return all(body.get(name) == earlier.get(name) for name in SAME_REQUEST)


def _state(row: bytes, value: bytes, intent: int) -> int:
    """A number for one state of one name; sums of them agree when the states do."""
    told = len(row).to_bytes(4, "big") + row + intent.to_bytes(8, "big") + sha256(value).digest()
    return int.from_bytes(sha256(told).digest(), "big")
