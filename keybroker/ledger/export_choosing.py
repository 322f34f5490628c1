"""Which records does an evidence package hold whole: for a period, a key or a party, and what these rest on? Pure.

An outcome brings its intent and an intent its outcome, a release brings both, a statement brings its attester's
enrolment, a Reload the order that it names. Origin, starts and stops, Reloads, restores and retentions are in every
package: they say what was in force, what was void, and what was aged out. What a use takes over (``after``) brings
nothing: that would be the whole history of a name.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.ledger import restore_form
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import BEGIN
from keybroker.ledger.model import RecordKind
from keybroker.ledger.record import moment

Body = Mapping[str, Json]

_ALWAYS_KINDS = frozenset({RecordKind.ORIGIN.value, RecordKind.START.value, RecordKind.STOP.value})
_ALWAYS_ACTS = frozenset({"Reload", restore_form.RESTORE, restore_form.ADVANCE, "RetainLedger", "AgeRecords"})
_ENROL, _WITHDRAW, _ADD, _BEGIN_SESSION = "EnrolAttester", "WithdrawAttester", "AddStatement", "BeginSession"
_NAMES_A_KEY = ("key", "successor", "parent", "renews")
_compact = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Everything, where all is None; ``since`` is the first moment of a period and ``until`` the first behind it."""

    since: datetime | None = None
    until: datetime | None = None
    key: str | None = None
    party: str | None = None

    @property
    def is_whole(self) -> bool:
        return (self.since, self.until, self.key, self.party) == (None, None, None, None)

    def told(self) -> dict[str, Json]:
        """As manifest and record say it."""
        since, until = (None if each is None else moment(each) for each in (self.since, self.until))
        return {"key": self.key, "party": self.party, "since": since, "until": until}


@dataclass(slots=True, kw_only=True)
class Choosing:
    """Sees every record once, in order; then ``chosen`` are the leaf indexes, and ``labels`` the key and those that
    were made for its sessions."""

    selection: Selection
    chosen: set[int] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    _ceremonies: set[str] = field(default_factory=set)
    _intent_of: dict[int, int] = field(default_factory=dict)
    _enrolments: dict[str, list[int]] = field(default_factory=dict)
    _added: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.selection.key is not None:
            self.labels.add(self.selection.key)

    def see(self, index: int, body: Body) -> None:
        act = act_of(body)
        self._remember(index, body, act)
        if self._is_wanted(body, act) or self._follows(body):
            self.chosen.add(index)
            self._bring(body, act)

    def _remember(self, index: int, body: Body, act: Body) -> None:
        """Where something stands that a later record may bring."""
        if body["kind"] == RecordKind.OUTCOME:
            self._intent_of[index] = _index(body["intent"])
        if act.get("act") in (_ENROL, _WITHDRAW):
            self._enrolments.setdefault(str(act.get("kid")), []).append(index)
        if act.get("act") == _ADD:
            self._added[str(act.get("sha256"))] = index

    def _is_wanted(self, body: Body, act: Body) -> bool:
        selection = self.selection
        if body["kind"] in _ALWAYS_KINDS or act.get("act") in _ALWAYS_ACTS or selection.is_whole:
            return True
        if selection.key is not None:
            return self._is_of_key(body, act)
        if selection.party is not None:
            return body["party"] == selection.party
        at, told = str(body["at"]), selection.told()
        return (told["since"] is None or at >= str(told["since"])) and (
            told["until"] is None or at < str(told["until"])
        )

    def _is_of_key(self, body: Body, act: Body) -> bool:
        """Of the key, of a session's key that was made under it, or of a ceremony that holds it."""
        if act.get("act") == _BEGIN_SESSION and act.get("parent") in self.labels:
            self.labels.add(str(act.get("key")))
        keys = act.get("keys")
        if act.get("act") == BEGIN and isinstance(keys, list) and not self.labels.isdisjoint(map(str, keys)):
            self._ceremonies.add(str(act.get("ceremony")))
        named = {str(each.get(name)) for each in (body, act) for name in _NAMES_A_KEY}
        return not named.isdisjoint(self.labels) or str(act.get("ceremony")) in self._ceremonies

    def _follows(self, body: Body) -> bool:
        return body["kind"] in (RecordKind.OUTCOME, RecordKind.CLOSED) and body["intent"] in self.chosen

    def _bring(self, body: Body, act: Body) -> None:
        """What a chosen record rests on, and what stands before it."""
        match body["kind"]:
            case RecordKind.OUTCOME | RecordKind.CLOSED:
                self.chosen.add(_index(body["intent"]))
            case RecordKind.RELEASE:
                outcome = _index(body["outcome"])
                self.chosen |= {outcome, self._intent_of.get(outcome, outcome)}
            case RecordKind.INTENT if "released" in body:
                self.chosen.add(_index(body["released"]))
        if self.selection.is_whole:
            return
        if act.get("act") == "Reload" and str(act.get("order")) in self._added:
            self.chosen.add(self._added[str(act.get("order"))])

    def bring_attesters(self, body: Body) -> None:
        """For each chosen record, once all were seen: who stated what stands in it was enrolled, and perhaps
        withdrawn."""
        for kid in _kids(body):
            self.chosen.update(self._enrolments.get(kid, ()))


def act_of(body: Body) -> Body:
    """An administrative act or a read; nothing for other records."""
    act = body.get("body")
    return act if isinstance(act, dict) else {}


def _kids(value: Json | Body) -> Iterator[str]:
    """Of every compact JWS that stands anywhere in it."""
    match value:
        case str() if (kid := _kid(value)) is not None:
            yield kid
        case list():
            for each in value:
                yield from _kids(each)
        case Mapping():
            for each in value.values():
                yield from _kids(each)


def _kid(text: str) -> str | None:
    if _compact(text) is None:
        return None
    try:
        header = json.loads(urlsafe_b64decode(text.partition(".")[0] + "=="))
    except ValueError:
        return None
    return str(header.get("kid")) if isinstance(header, dict) else None


def _index(value: Json) -> int:
    return int(str(value))
