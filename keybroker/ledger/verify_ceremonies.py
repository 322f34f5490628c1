"""Did every ceremony go step by step, each entry after the one before, and do the tables say the same? Pure.

SEC G5.13, G5.24. Recomputed from the records alone: that a ceremony began once with the plan whose digest it names,
held keys that no other held, began and concluded its steps in turn, and ended or was aborted once; that entries are
canonical, follow each other and have a signature of each whom they name, of nobody else, and of somebody; and that an
act on a key by a ceremony's word was by one that was open and held that key, and by its last entry. Whether the names
are those of the plan and the signatures verify is told by the transcript (``keybroker ceremony verify``) and by an
evidence package (verify_evidence.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json, decode, encode
from keybroker.ledger.ceremony_form import (
    ABORT,
    ABORTED,
    BEGIN,
    BEGIN_STEP,
    COMPROMISE,
    CONCLUDE_STEP,
    DONE,
    END,
    GIVES_AWAY,
    NOTHING_BEFORE,
    OFFERS,
    OPEN,
    RENOUNCE,
    WITHHOLDS,
)
from keybroker.ledger.verify_form import expect
from keybroker.ledger.verify_rows import check_rows
from keybroker.policy.strict_toml import read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyRow:
    """``plan`` is its text. ``leaf_index`` is of the record that began it."""

    name: str
    kind: str
    side: str
    state: str
    plan: str
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """``given`` and ``signatures`` are canonical JSON. ``entry``, ``signatures`` and ``leaf_index`` are None while it
    is begun and not concluded.
    """

    name: str
    number: int
    step: str
    given: str
    begun_index: int
    entry: str | None = None
    signatures: str | None = None
    leaf_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKeyRow:
    """A key that a ceremony holds while it is open."""

    label: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyRows:
    ceremonies: Iterable[CeremonyRow]
    keys: Iterable[HeldKeyRow]
    steps: Iterable[StepRow]


@dataclass(slots=True, kw_only=True)
class Ceremonies:
    """What is remembered between records: the rows of which they tell."""

    _ceremonies: dict[str, CeremonyRow] = field(default_factory=dict)
    _steps: dict[tuple[str, int], StepRow] = field(default_factory=dict)
    _keys: dict[str, frozenset[str]] = field(default_factory=dict)
    _previous: dict[str, str] = field(default_factory=dict)
    _compromised: set[str] = field(default_factory=set)

    def administer(self, index: int, body: Mapping[str, Json]) -> None:
        """Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        match act.get("act"):
            case name if name == BEGIN:
                self._begin(index, act)
            case name if name == BEGIN_STEP:
                self._begin_step(index, act)
            case name if name == CONCLUDE_STEP:
                self._conclude(index, act)
            case name if name in (END, ABORT):
                self._end(index, act, DONE if name == END else ABORTED)
            case name:
                if name == COMPROMISE:
                    self._compromised.add(str(act.get("key")))
                self._by_word(index, act)

    def check_tables(self, rows: CeremonyRows | None) -> None:
        """The tables say what the records do. Raises: LedgerBroken."""
        if rows is None:
            return
        check_rows("ceremony", self._ceremonies, rows.ceremonies, lambda row: row.name)
        held = {(label, name): HeldKeyRow(label=label, name=name) for name in self._keys for label in self._keys[name]}
        check_rows("ceremony_key", held, rows.keys, lambda row: (row.label, row.name))
        check_rows("ceremony_step", self._steps, rows.steps, lambda row: (row.name, row.number))

    def _begin(self, index: int, act: Mapping[str, Json]) -> None:
        name, plan, keys = str(act.get("ceremony")), str(act.get("plan")), act.get("keys")
        expect(name not in self._ceremonies, index, "a ceremony's name that was never used", name)
        digest = sha256(plan.encode()).hexdigest()
        expect(act.get("plan_sha256") == digest, index, f"plan_sha256 {digest}", str(act.get("plan_sha256")))
        held = frozenset(map(str, keys)) if isinstance(keys, list) else frozenset()
        taken = sorted(held & frozenset().union(*(self._keys[each] for each in self._open())))
        expect(not taken, index, "keys that no other ceremony holds", ", ".join(taken))
        kind, side = str(act.get("ceremony_kind")), str(act.get("side"))
        row = CeremonyRow(name=name, kind=kind, side=side, state=OPEN, plan=plan, leaf_index=index)
        self._ceremonies[name], self._keys[name], self._previous[name] = row, held, NOTHING_BEFORE

    def _open(self) -> Iterable[str]:
        return (name for name, row in self._ceremonies.items() if row.state == OPEN)

    def _begin_step(self, index: int, act: Mapping[str, Json]) -> None:
        name, step = self._of(index, act), str(act.get("step"))
        if step == RENOUNCE:
            self._give_up(name)
        number, begun = self._next(name), act.get("number")
        expect(begun == number, index, f"the beginning of step {number} of {name}", f"step {begun}")
        last = self._steps.get((name, number - 1))
        expect(last is None or last.entry is not None, index, f"step {number - 1} of {name} concluded", "begun alone")
        expect(last is None or last.step != RENOUNCE, index, f"the end of {name}, which renounced", step)
        given = _canonical(act.get("given"))
        row = StepRow(name=name, number=number, step=step, given=given, begun_index=index)
        self._steps[name, number] = row

    def _give_up(self, name: str) -> None:
        """A destination that renounces does so in the place of what it had begun."""
        number = self._next(name) - 1
        row = self._steps.get((name, number))
        if row is not None and row.entry is None and row.step != RENOUNCE:
            del self._steps[name, number]

    def _next(self, name: str) -> int:
        return sum(1 for each, _ in self._steps if each == name) + 1

    def _conclude(self, index: int, act: Mapping[str, Json]) -> None:
        name, number = self._of(index, act), self._next(str(act.get("ceremony"))) - 1
        row, text = self._steps.get((name, number)), str(act.get("entry"))
        if row is None or row.entry is not None or act.get("number") != number:
            raise LedgerBroken(f"record {index}: expected the conclusion of a step of {name} that was begun")
        digest = sha256(text.encode()).hexdigest()
        expect(act.get("entry_sha256") == digest, index, f"entry_sha256 {digest}", str(act.get("entry_sha256")))
        try:
            entry = decode(text.encode())
        except ValueError as error:
            raise LedgerBroken(f"record {index}: expected an entry in canonical JSON") from error
        expected = (
            name,
            number,
            row.step,
            self._previous[name],
            sha256(self._ceremonies[name].plan.encode()).hexdigest(),
        )
        found = tuple(entry.get(each) for each in ("ceremony", "number", "step", "previous", "plan_sha256"))
        expect(found == expected, index, f"an entry {expected}", str(found))
        people, signed = entry.get("people"), act.get("signatures")
        signers = [*signed] if isinstance(signed, dict) else []
        fits = isinstance(people, list) and sorted(map(str, people)) == sorted(signers) != []
        expect(fits, index, f"signatures of the entry's people, {people}", str(signers))
        signatures = _canonical(signed)
        self._steps[name, number] = replace(row, entry=text, signatures=signatures, leaf_index=index)
        self._previous[name] = digest

    def _end(self, index: int, act: Mapping[str, Json], state: str) -> None:
        name = self._of(index, act)
        if state == DONE:
            planned = _planned(self._ceremonies[name])
            concluded = [row.step for (each, _), row in self._steps.items() if each == name and row.entry is not None]
            expect(concluded == planned, index, f"the end of {name} after {planned}", f"after {concluded}")
        else:
            self._check_given_back(index, name, act)
        self._ceremonies[name] = replace(self._ceremonies[name], state=state)

    def _check_given_back(self, index: int, name: str, act: Mapping[str, Json]) -> None:
        """What may have left is aborted by a renunciation alone, or when nobody here may ever use the keys."""
        steps = {row.step: row for (each, _), row in self._steps.items() if each == name}
        if OFFERS in steps:
            row = steps.get(RENOUNCE)
            expect(row is not None and row.entry is not None, index, f"a renunciation that ends {name}", "none")
        if steps.keys().isdisjoint(GIVES_AWAY) or self._keys[name] <= self._compromised:
            return
        told = act.get("renunciation")
        text = str(told.get("entry")) if isinstance(told, dict) else ""
        plan = sha256(self._ceremonies[name].plan.encode()).hexdigest()
        withheld = steps.get(WITHHOLDS)
        expected = (RENOUNCE, plan, _fact(None if withheld is None else withheld.entry, "offer"))
        found = (_read(text).get("step"), _read(text).get("plan_sha256"), _fact(text, "offer"))
        expect(found == expected, index, f"the renunciation {expected} that ends {name}", str(found))

    def _of(self, index: int, act: Mapping[str, Json]) -> str:
        """The ceremony that is under way. Raises: LedgerBroken."""
        name = str(act.get("ceremony"))
        row = self._ceremonies.get(name)
        expect(row is not None and row.state == OPEN, index, "a ceremony that is under way", name)
        return name

    def _by_word(self, index: int, act: Mapping[str, Json]) -> None:
        """An act by a ceremony's word is of one that is open and holds the key."""
        word = act.get("ceremony")
        if not isinstance(word, dict):
            return
        name, key = str(word.get("name")), str(act.get("key"))
        row = self._ceremonies.get(name)
        fits = row is not None and row.state == OPEN and key in self._keys[name]
        expect(fits, index, f"an open ceremony that holds {key}", name)
        last = self._previous[name]
        right = last != NOTHING_BEFORE and word.get("entry") == last
        expect(right, index, f"the word of {name}'s last entry, {last}", str(word.get("entry")))


def _read(text: str | None) -> Mapping[str, Json]:
    """An entry; nothing of what is none."""
    try:
        return decode((text or "").encode())
    except ValueError:
        return {}


def _fact(text: str | None, name: str) -> Json:
    facts = _read(text).get("facts")
    return facts.get(name) if isinstance(facts, dict) else None


def _canonical(told: Json) -> str:
    return encode(told).decode() if isinstance(told, dict) else ""


def _planned(row: CeremonyRow) -> list[str]:
    """The steps of this side, as the plan's text lists them; none where it cannot be read."""
    try:
        listed = read_toml(row.plan.encode()).get("steps", [])
    except ValueError:
        return []
    told = [each.rpartition(":") for each in listed if isinstance(each, str)]
    return [step for side, _, step in told if side in ("", row.side)]
