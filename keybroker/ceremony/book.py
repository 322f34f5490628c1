"""What stands durable of a ceremony? Plan, steps and signatures, in the ledger and beside it in its database.

A step is begun by one record and concluded by another; the change of the key register that a step makes stands in the
same transaction as its conclusion, so that no crash leaves one without the other. One ceremony holds a key at a time.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from keybroker.ceremony.aborting import why_not_ended
from keybroker.ceremony.entry import NOTHING_BEFORE, Entry, read_entry
from keybroker.ceremony.plan import PlanFile, Side, read_plan
from keybroker.ceremony.steps import RENOUNCE, Progress, Step, followed_steps
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act, refusals_recorded, told_by
from keybroker.ledger import ceremonies
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremonies import StoredCeremony, StoredStep
from keybroker.ledger.ceremony_form import ABORT, ABORTED, BEGIN, BEGIN_STEP, CONCLUDE_STEP, DONE, END, OFFER, OPEN
from keybroker.ledger.journal import Entry as Written
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt, RecordKind
from keybroker.ledger.turn import Turn
from keybroker.terms import KeyState

T = TypeVar("T")
Signatures = Mapping[str, bytes]
"""Who signed the entry, and the CMS SignedData (DER)."""
Change = Callable[[Turn], None]
"""What else stands in the transaction of a step's conclusion: an act on the key register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcludedStep:
    """A step that is done. ``begun_index`` and ``leaf_index`` are of its two records."""

    entry: Entry
    signatures: Signatures
    begun_index: int
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A ceremony as the book has it. ``given`` is what the step that was begun and not concluded was begun with;
    ``renounces``: that one is the renunciation."""

    plan_file: PlanFile
    side: Side
    state: str
    steps: tuple[ConcludedStep, ...]
    begun: bool
    given: Mapping[str, Json]
    renounces: bool = False

    @property
    def renounced(self) -> bool:
        """Did it end so?"""
        return self.state == ABORTED and self.progress.renounces

    @property
    def progress(self) -> Progress:
        names = [entry.step for entry in self.entries]
        steps = followed_steps(
            self.plan_file.plan, self.side, [*names, RENOUNCE.name.value] if self.renounces else names
        )
        aborted = self.state == ABORTED
        return Progress(steps=steps, concluded=len(self.steps), begun=self.begun, aborted=aborted)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Of what is concluded."""
        return tuple(each.entry for each in self.steps)

    @property
    def previous(self) -> str:
        """What the next entry names."""
        return self.steps[-1].entry.sha256 if self.steps else NOTHING_BEFORE

    def facts(self, step: str) -> Mapping[str, Json]:
        """What a concluded step of that name found. Raises: KeyError."""
        return next(each.entry.facts for each in self.steps if each.entry.step == step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Writes with a journal of its own, as whoever runs this process."""

    journal: Journal
    actor: Actor

    def find(self, name: str) -> Held | None:
        """Raises: LedgerFault."""
        with self.journal.ledger.read() as connection:
            return _held(ceremonies.find_ceremony(connection, name))

    def get(self, name: str) -> Held:
        """Raises: NotPermitted where there is no such ceremony; LedgerFault."""
        with self.journal.ledger.read() as connection:
            return _found(ceremonies.find_ceremony(connection, name), name)

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """Name, kind and state of every ceremony, the oldest first."""
        with self.journal.ledger.read() as connection:
            return ceremonies.every_ceremony(connection)

    def open(self, plan_file: PlanFile, side: Side, at: datetime) -> Receipt:
        """Begin it. Raises: NotPermitted where the name was used or a key is in another ceremony (recorded)."""
        plan = plan_file.plan
        labels = [*(key.label for key in plan.keys), *(key.successor for key in plan.keys if key.successor)]
        told: dict[str, Json] = {
            "act": BEGIN,
            "ceremony": plan.name,
            "ceremony_kind": plan.kind.value,
            "keys": [*labels],
            "plan": plan_file.octets.decode(),
            "plan_sha256": plan_file.sha256.hex(),
            "side": side.value,
        }

        def work(turn: Turn) -> Receipt:
            _check_free(turn, plan.name, labels)
            receipt = record_act(turn, self.journal, self.actor, at, told)
            row = {"name": plan.name, "kind": plan.kind.value, "side": side.value, "plan": plan_file.octets.decode()}
            ceremonies.write_ceremony(turn.connection, row, receipt.leaf_index, labels)
            return receipt

        return self._transact(told, work, at)

    def begin(self, name: str, step: Step, given: Mapping[str, Json], at: datetime) -> Receipt:
        """The next step is under way, with what it was given. Raises: WrongOrder, LedgerFault."""
        told: dict[str, Json] = {"act": BEGIN_STEP, "ceremony": name, "given": dict(given), "step": step.name.value}

        def work(turn: Turn) -> Receipt:
            held = _found(ceremonies.find_ceremony(turn.connection, name), name)
            held.progress.begin(step)
            number = len(held.steps) + 1
            receipt = record_act(turn, self.journal, self.actor, at, {**told, "number": number})
            ceremonies.write_begun(turn.connection, name, number, step.name.value, given, receipt.leaf_index)
            return receipt

        return self._transact(told, work, at)

    @clause("G5.13(a)", "G5.24(a)")
    def conclude(
        self, step: Step, entry: Entry, signatures: Signatures, at: datetime, change: Change | None = None
    ) -> Receipt:
        """The step is done, and what it changes in the register is changed: one transaction.

        ``signatures`` were verified. Raises: WrongOrder; what ``change`` raises (recorded); LedgerFault.
        """
        signed = {name: base64.b64encode(der).decode() for name, der in signatures.items()}
        told: dict[str, Json] = {
            "act": CONCLUDE_STEP,
            "ceremony": entry.ceremony,
            "entry": entry.octets.decode(),
            "entry_sha256": entry.sha256,
            "number": entry.number,
            "signatures": {**signed},
        }

        def work(turn: Turn) -> Receipt:
            held = _found(ceremonies.find_ceremony(turn.connection, entry.ceremony), entry.ceremony)
            progress = held.progress.conclude(step)
            _check_follows(held, entry)
            receipt = record_act(turn, self.journal, self.actor, at, told)
            text, index = entry.octets.decode(), receipt.leaf_index
            ceremonies.write_concluded(turn.connection, entry.ceremony, entry.number, text, signed, index)
            # What is done by the word of this entry comes after the entry.
            if change is not None:
                change(turn)
            if progress.is_done and progress.renounces:
                self._abort(turn, {"act": ABORT, "because": held.given["because"], "ceremony": entry.ceremony}, at)
            elif progress.is_done:
                self._end(turn, entry.ceremony, at)
            return receipt

        return self._transact(told, work, at)

    def renounce(self, name: str, because: str, at: datetime) -> Receipt:
        """The step ``renounce`` is under way, in the place of one that was begun: from here on this side imports and
        activates nothing. Raises: WrongOrder, LedgerFault."""
        step, given = RENOUNCE.name.value, {"because": because}
        told: dict[str, Json] = {"act": BEGIN_STEP, "ceremony": name, "given": {**given}, "step": step}

        def work(turn: Turn) -> Receipt:
            held = _found(ceremonies.find_ceremony(turn.connection, name), name)
            held.progress.renounce()
            number = len(held.steps) + 1
            receipt = record_act(turn, self.journal, self.actor, at, {**told, "number": number})
            ceremonies.write_given_up(turn.connection, name, number)
            ceremonies.write_begun(turn.connection, name, number, step, {**given}, receipt.leaf_index)
            return receipt

        return self._transact(told, work, at)

    def abort(self, name: str, because: str, at: datetime, renunciation: bytes | None = None) -> Receipt:
        """It ends here; its keys are free. ``renunciation``: what the destination of a transfer gave, by which a source
        ends it behind ``wrap-key``. Raises: NotPermitted where the only safe way is forward, what was given does not
        do, or while somebody conducts it (recorded).
        """
        told: dict[str, Json] = {"act": ABORT, "because": because, "ceremony": name}

        def work(turn: Turn) -> Receipt:
            held = _found(ceremonies.find_ceremony(turn.connection, name), name)
            compromised = ceremonies.all_in_state(turn.connection, name, KeyState.COMPROMISED)
            ends = why_not_ended(held.plan_file, held.progress, held.entries, renunciation, compromised=compromised)
            if isinstance(ends, str) or held.state != OPEN:
                why = f"it is {held.state}" if held.state != OPEN else ends
                raise NotPermitted(f"the ceremony {name} is not aborted: {why}")
            with closing(self.journal.ledger.hold_ceremony(name)):
                return self._abort(turn, {**told, **ends.told()}, at)

        return self._transact(told, work, at)

    def _abort(self, turn: Turn, told: Mapping[str, Json], at: datetime) -> Receipt:
        receipt = record_act(turn, self.journal, self.actor, at, told)
        ceremonies.write_state(turn.connection, str(told["ceremony"]), ABORTED)
        return receipt

    def refusing(self, told: Mapping[str, Json], at: datetime, do: Callable[[], T]) -> T:
        """``do``, and where that is refused a record of it, which ``told`` begins. Raises: what ``do`` raises."""
        return refusals_recorded(self.journal, self.actor, told, at, do)

    def refuse(self, ceremony: str, offered: str, by: str, flaw: str, sentence: str, at: datetime) -> None:
        """What somebody brought does not do, and is asked for again: a record. No secret is in ``sentence``.

        Raises: LedgerFault.
        """
        told: dict[str, Json] = {"act": OFFER, "by": by, "ceremony": ceremony, "flaw": flaw, "offered": offered}
        body: dict[str, Json] = {**told_by(self.actor), **told, "sentence": sentence}
        self.journal.write([Written(kind=RecordKind.REFUSAL, party=self.actor.party, body=body)], at=at)

    def _end(self, turn: Turn, name: str, at: datetime) -> None:
        record_act(turn, self.journal, self.actor, at, {"act": END, "ceremony": name})
        ceremonies.write_state(turn.connection, name, DONE)

    def _transact(self, told: Mapping[str, Json], work: Callable[[Turn], Receipt], at: datetime) -> Receipt:
        small = {name: value for name, value in told.items() if name in ("act", "ceremony", "number", "step")}
        return refusals_recorded(self.journal, self.actor, small, at, lambda: self.journal.ledger.transact(work))


def _check_follows(held: Held, entry: Entry) -> None:
    """Raises: NotPermitted: an entry that is not the next one of this ceremony."""
    expected = (len(held.steps) + 1, held.previous, held.plan_file.sha256.hex(), held.side.value)
    found = (entry.number, entry.previous, entry.plan_sha256, entry.side)
    if found != expected:
        raise NotPermitted(f"the entry is not the next one of {entry.ceremony}: expected {expected}, found {found}")
    if held.steps and entry.at < held.steps[-1].entry.at:
        before = held.steps[-1].entry.at.isoformat()
        raise NotPermitted(f"the clock went back: expected {before} or later, found {entry.at.isoformat()}")


def _check_free(turn: Turn, name: str, labels: list[str]) -> None:
    if ceremonies.find_ceremony(turn.connection, name) is not None:
        raise NotPermitted(f"a ceremony {name} stands in the ledger already; a name is used once")
    busy = ceremonies.busy_keys(turn.connection)
    for label in labels:
        if label in busy:
            raise NotPermitted(f"the key {label} is in the ceremony {busy[label]}; one ceremony holds a key at a time")


def _found(stored: StoredCeremony | None, name: str) -> Held:
    held = _held(stored)
    if held is None:
        raise NotPermitted(f"the ledger has no ceremony {name}; begin it with: keybroker ceremony run PLAN")
    return held


def _held(stored: StoredCeremony | None) -> Held | None:
    if stored is None:
        return None
    begun = [each for each in stored.steps if each.entry is None]
    return Held(
        plan_file=read_plan(stored.plan.encode()),
        side=Side(stored.side),
        state=stored.state,
        steps=tuple(concluded for each in stored.steps if (concluded := _concluded(each)) is not None),
        begun=bool(begun),
        given=begun[0].given if begun else {},
        renounces=bool(begun) and begun[0].step == RENOUNCE.name,
    )


def _concluded(stored: StoredStep) -> ConcludedStep | None:
    """None while it is begun alone."""
    if stored.entry is None or stored.signatures is None or stored.leaf_index is None:
        return None
    return ConcludedStep(
        entry=read_entry(stored.entry.encode()),
        signatures={name: base64.b64decode(text) for name, text in stored.signatures.items()},
        begun_index=stored.begun_index,
        leaf_index=stored.leaf_index,
    )
