"""What was refused to whom, and what did people do: by order, and in ceremonies? Of records, one by one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybroker.errors import NotPermitted
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import ABORT, ABORTED, BEGIN, CONCLUDE_STEP, DONE, END, OPEN
from keybroker.ledger.report_model import CeremonyRow, PersonRow, RefusalRow

Body = Mapping[str, Json]

SIGNED_STEP = "signed a step of a ceremony"
"""What a person did who is named in no order."""


@dataclass(slots=True)
class _Seen:
    first: str
    last: str = ""
    count: int = 0


@dataclass(slots=True)
class Refusals:
    """By reason, clause, caller and what was asked for."""

    _seen: dict[tuple[str, str, str, str], _Seen] = field(default_factory=dict)

    def observe(self, body: Body, at: str) -> None:
        """A refusal: of a request, of a read, or of an act."""
        act = body.get("body")
        told = act if isinstance(act, dict) else body
        who = told.get("caller") or told.get("actor") or {}
        caller = str(who.get("identity", "")) if isinstance(who, dict) else str(who)
        what = str(told.get("operation") or told.get("act") or "")
        seen = self._seen.setdefault((str(told.get("reason", "")), _clauses(told), caller, what), _Seen(at))
        seen.count += 1
        seen.last = at

    def rows(self) -> tuple[RefusalRow, ...]:
        """The most frequent first."""
        found = sorted(self._seen.items(), key=lambda each: (-each[1].count, each[0]))
        return tuple(
            RefusalRow(
                reason=reason,
                clause=clause,
                caller=caller,
                what=what,
                count=seen.count,
                first=seen.first,
                last=seen.last,
            )
            for (reason, clause, caller, what), seen in found
        )


def _clauses(told: Body) -> str:
    """Of the findings that refused: those that passed are lists.

    Where rules refused, what the gates found beside them is told alone. Gates give a reason, rules none.
    """
    findings = told.get("findings")
    failed = [each for each in findings if isinstance(each, dict)] if isinstance(findings, list) else []
    by_rules = told.get("reason") == NotPermitted.reason
    refused = [each for each in failed if not (by_rules and "reason" in each)]
    return "; ".join(sorted({str(each["clause"]) for each in refused if each.get("clause")}))


@dataclass(slots=True)
class _Ceremony:
    kind: str
    side: str
    begun: str
    keys: tuple[str, ...]
    state: str = OPEN
    ended: str = ""
    steps: int = 0
    people: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Acts:
    """Ceremonies by name; and what each person did."""

    _ceremonies: dict[str, _Ceremony] = field(default_factory=dict)
    _people: dict[tuple[str, str], _Seen] = field(default_factory=dict)

    def observe(self, act: Body, at: str, *, within: bool) -> None:
        """An administrative act; of a person it counts where it is ``within`` the period."""
        name = str(act.get("act"))
        signed = self._ceremony(name, act, at) if "ceremony" in act else ()
        if not within:
            return
        for person in signed:
            self._count(person, SIGNED_STEP, at)
        for person in _who_ordered(act):
            self._count(person, name, at)

    def ceremonies(self, bounds: tuple[str, str]) -> tuple[CeremonyRow, ...]:
        """Those that were open at some moment of the period, the earliest first."""
        first, until = bounds
        found = sorted(self._ceremonies.items(), key=lambda each: (each[1].begun, each[0]))
        return tuple(
            CeremonyRow(
                name=name,
                kind=each.kind,
                side=each.side,
                state=each.state,
                begun=each.begun,
                ended=each.ended,
                keys=each.keys,
                people=tuple(sorted(each.people)),
                steps=each.steps,
            )
            for name, each in found
            if each.begun < until and (not each.ended or each.ended >= first)
        )

    def people(self) -> tuple[PersonRow, ...]:
        return tuple(
            PersonRow(person=person, act=act, count=seen.count, last=seen.last)
            for (person, act), seen in sorted(self._people.items())
        )

    def _ceremony(self, act_name: str, act: Body, at: str) -> tuple[str, ...]:
        """Who signed, where it is the conclusion of a step."""
        name = str(act["ceremony"])
        if act_name == BEGIN:
            keys = act.get("keys")
            labels = tuple(str(each) for each in keys) if isinstance(keys, list) else ()
            self._ceremonies[name] = _Ceremony(str(act.get("ceremony_kind")), str(act.get("side")), at, labels)
        held = self._ceremonies.get(name)
        if held is None:
            return ()
        if act_name in (END, ABORT):
            held.state, held.ended = DONE if act_name == END else ABORTED, at
        signatures = act.get("signatures")
        if act_name != CONCLUDE_STEP or not isinstance(signatures, dict):
            return ()
        held.steps += 1
        held.people.update(signatures)
        return tuple(signatures)

    def _count(self, person: str, act: str, at: str) -> None:
        seen = self._people.setdefault((person, act), _Seen(at))
        seen.count += 1
        seen.last = at


def _who_ordered(act: Body) -> tuple[str, ...]:
    orders = act.get("orders")
    told = [act.get("order"), act.get("second_order"), *(orders if isinstance(orders, list) else ())]
    people = [str(each["attester"]) for each in told if isinstance(each, dict) and "attester" in each]
    # A reload names its order by digest, and the person beside it.
    return (*people, str(act["person"])) if "person" in act and not people else tuple(people)
