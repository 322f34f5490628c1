"""Is there anything in the ledger that should not be? SEC G2.29-G2.30, G3.15-G3.16. Pure.

Records in order, one by one; what is remembered follows from them alone, so whoever begins again reads them again. A
finding is an ``Anomaly``: what becomes of it (a record, a metric, a line in the log, a message) others see to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.ledger.anomaly_form import ANOMALOUS, Anomaly, Detector
from keybroker.ledger.anomaly_settings import AnomalySettings
from keybroker.ledger.anomaly_state import OpenIntent, OpenIntents, Rates
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.claim_form import NUMBER_OCTETS
from keybroker.ledger.model import RecordKind
from keybroker.ledger.record import UNKNOWN
from keybroker.ledger.restore_form import ADVANCE, RESTORE
from keybroker.terms import CallerKind

Body = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Detecting:
    """Every detector. ``find`` gives the body of an earlier record by its leaf index."""

    settings: AnomalySettings
    find: Callable[[int], Body]
    _pairs: set[tuple[str, str]] = field(default_factory=set)
    _sessions: dict[str, str] = field(default_factory=dict)
    _uses: Rates = field(init=False)
    _refusals: Rates = field(init=False)
    _open: OpenIntents = field(default_factory=OpenIntents)
    _died: set[str] = field(default_factory=set)
    _in_doubt: set[str] = field(default_factory=set)
    _late: set[tuple[str, str]] = field(default_factory=set)
    _restores: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        told = self.settings
        self._uses = Rates(seconds=told.burst_seconds, most=told.burst_uses)
        self._refusals = Rates(seconds=told.refusal_seconds, most=told.refusals)

    def observe(self, index: int, body: Body) -> list[Anomaly]:
        """One record, as ``record.decode`` reads it: what it gives rise to."""
        match body["kind"]:
            case RecordKind.INTENT:
                return self._intent(index, body)
            case RecordKind.OUTCOME:
                return self._outcome(body)
            case RecordKind.CLOSED:
                return self._closed(body)
            case RecordKind.REFUSAL:
                return self._refusal(index, body)
            case RecordKind.ADMINISTRATIVE:
                return self._administrative(index, body)
            case _:
                return []

    def overdue(self, at: datetime) -> list[Anomaly]:
        """Of the intents that are open at this moment those that should have ended. The record that tells of one keeps
        it from being told again (``observe``).
        """
        most = self.settings.open_seconds
        late = self._open.overdue(int(at.timestamp()) - most)
        expected = f"an outcome within {most} s"
        return [
            _anomaly(Detector.WITHOUT_OUTCOME, index, each.worker, expected, f"none; the use is of {each.key}")
            for index, each in late
        ]

    def _intent(self, index: int, body: Body) -> list[Anomaly]:
        key, second = str(body["key"]), _second(body)
        self._open.begin(index, OpenIntent(str(body["worker"]), key, second))
        return [
            *self._new_pair(index, body, self._sessions.get(key, key)),
            *self._burst(index, key, second),
            *(self._gaps(index, body) if "taken" in body else ()),
        ]

    def _new_pair(self, index: int, body: Body, key: str) -> list[Anomaly]:
        caller = body["caller"]
        identity = str(caller.get("identity")) if isinstance(caller, dict) else ""
        if (identity, key) in self._pairs:
            return []
        self._pairs.add((identity, key))
        return [_anomaly(Detector.NEW_PAIR, index, f"{identity} {key}", "a caller who used this key", "its first use")]

    def _burst(self, index: int, key: str, second: int) -> list[Anomaly]:
        count = self._uses.add(key, second)
        if count is None:
            return []
        expected = f"at most {self.settings.burst_uses} uses in {self.settings.burst_seconds} s"
        return [_anomaly(Detector.BURST, index, key, expected, f"{count} uses")]

    def _gaps(self, index: int, body: Body) -> list[Anomaly]:
        """A number that the ledger gives is the next, but for what a restore advanced."""
        taken, found = body["taken"], []
        for claim in taken if isinstance(taken, list) else ():
            after = claim.get("after") if isinstance(claim, dict) else None
            if not isinstance(claim, dict) or claim.get("form") != "allocated" or not isinstance(after, int):
                continue
            grown = sum(by for at, by in self._restores if after < at)
            expected, given = _number_of(self.find(after), claim) + grown + 1, _number(claim)
            if given != expected:
                subject = f"{claim['scope']} {claim['name']}"
                found.append(_anomaly(Detector.COUNTER_GAP, index, subject, f"number {expected}", f"number {given}"))
        return found

    def _outcome(self, body: Body) -> list[Anomaly]:
        intent = int(str(body["intent"]))
        begun = self._open.end(intent)
        if begun is None:
            return []
        if body["state"] != UNKNOWN:
            self._in_doubt.discard(begun.key)
            return []
        if begun.key in self._in_doubt:
            return []
        self._in_doubt.add(begun.key)
        found = f"unknown: {body.get('reason', '')}; until the key's next known outcome no other is told"
        return [_anomaly(Detector.WITHOUT_OUTCOME, intent, begun.key, "an outcome that is known", found)]

    def _closed(self, body: Body) -> list[Anomaly]:
        """Whatever a worker that died left open is told once, by the first of it."""
        intent, died = int(str(body["intent"])), str(body["died"])
        self._open.end(intent)
        if died in self._died:
            return []
        self._died.add(died)
        return [
            _anomaly(Detector.WITHOUT_OUTCOME, intent, died, "an outcome", "none: the worker ended, and it was closed")
        ]

    def _refusal(self, index: int, body: Body) -> list[Anomaly]:
        told = body["body"] if isinstance(body.get("body"), dict) else body
        who = told.get("caller") or told.get("actor") if isinstance(told, dict) else None
        name = str(who.get("identity")) if isinstance(who, dict) else str(who)
        count = self._refusals.add(name, _second(body))
        if count is None:
            return []
        expected = f"at most {self.settings.refusals} refusals in {self.settings.refusal_seconds} s"
        return [_anomaly(Detector.REFUSAL_STORM, index, name, expected, f"{count} refusals")]

    def _administrative(self, index: int, body: Body) -> list[Anomaly]:
        act = body["body"]
        if not isinstance(act, dict):
            return []
        match act.get("act"):
            case name if name == ANOMALOUS:
                if act.get("detector") == Detector.WITHOUT_OUTCOME and isinstance(act.get("record"), int):
                    self._open.tell(str(act.get("subject")), int(str(act["record"])))
                return []
            case "BeginSession":
                self._sessions[str(act.get("key"))] = str(act.get("parent"))
            case "SessionKeyDestroyed":
                self._sessions.pop(str(act.get("key")), None)
            case name if name == RESTORE:
                self._restores.append((index, int(str(act.get("by")))))
                return [*self._restored(index, act), *self._out_of_hours(index, act, body)]
            case name if name == ADVANCE:
                return []
        return self._out_of_hours(index, act, body)

    def _restored(self, index: int, act: Body) -> list[Anomaly]:
        found = f"every number that the ledger gives advanced by {act.get('by')}"
        return [_anomaly(Detector.COUNTER_GAP, index, "the ledger was restored", "numbers without a gap", found)]

    def _out_of_hours(self, index: int, act: Body, body: Body) -> list[Anomaly]:
        """Of what people do: once a day for each of them at the machine, and for each ceremony."""
        actor, ceremony = act.get("actor"), act.get("ceremony")
        who = actor if isinstance(actor, dict) else {}
        at = _at(body)
        if who.get("kind") == CallerKind.BROKER or self.settings.is_worked(at):
            return []
        name = ceremony.get("name") if isinstance(ceremony, dict) else ceremony
        subject = f"ceremony {name}" if name else str(who.get("identity"))
        mark = (subject, at.astimezone(self.settings.zone).date().isoformat())
        if mark in self._late:
            return []
        self._late = {each for each in self._late if each[1] == mark[1]} | {mark}
        found = f"{act.get('act')} at {at.astimezone(self.settings.zone):%a %H:%M}"
        return [_anomaly(Detector.OUT_OF_HOURS, index, subject, self.settings.hours, found)]


def differing_uses(
    intents: Mapping[str, int], signed: Mapping[str, int], modules: Mapping[str, int], *, record: int
) -> list[Anomaly]:
    """Keys that the module used more often than there are intents, or less often than signatures were recorded, by
    label. ``record``: the last that was counted. SEC G2.27: the ledger tells of every use.
    """
    found = []
    for key, counted in sorted(modules.items()):
        least, most = signed.get(key, 0), intents.get(key, 0)
        if not least <= counted <= most:
            expected, told = f"{least} to {most} uses, as the ledger tells", f"{counted}, as the module counts"
            found.append(_anomaly(Detector.USES_DIFFER, record, key, expected, told))
    return found


def _anomaly(detector: Detector, record: int, subject: str, expected: str, found: str) -> Anomaly:
    return Anomaly(detector=detector, record=record, subject=subject, expected=expected, found=found)


def _at(body: Body) -> datetime:
    return datetime.fromisoformat(str(body["at"]))


def _second(body: Body) -> int:
    return int(_at(body).timestamp())


def _number(claim: Body) -> int:
    return int.from_bytes(bytes.fromhex(str(claim["value"]))[:NUMBER_OCTETS], "big")


def _number_of(earlier: Body, claim: Body) -> int:
    """The number that an earlier intent took under the same name; one that took none gives a gap."""
    taken = earlier.get("taken")
    for each in taken if isinstance(taken, list) else ():
        if isinstance(each, dict) and (each.get("scope"), each.get("name")) == (claim["scope"], claim["name"]):
            return _number(each)
    return -1
