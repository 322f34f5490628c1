"""What do people ask of the records? All of it answered in one pass over them. Pure.

It takes the records as they are and proves nothing: ``verify`` does. What it remembers grows with keys, callers and
ceremonies, and with intents that are open, never with every record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keybroker.ledger.anomaly_form import ANOMALOUS, read_anomaly
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import RecordKind
from keybroker.ledger.record import FAILED, UNKNOWN
from keybroker.ledger.report_acts import Acts, Refusals
from keybroker.ledger.report_model import AnomalyRow, Answers, Period, ReviewRow, UseRow, UserRow
from keybroker.ledger.review_form import REVIEW, read_review
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.terms import KeyPurpose

Body = Mapping[str, Json]

_CLAUSES: Mapping[str, str] = {purpose.value: OBLIGATIONS[purpose].use_clause for purpose in KeyPurpose}


@dataclass(slots=True)
class _Uses:
    """Of one purpose in one stretch of time."""

    uses: int = 0
    made: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(slots=True)
class _User:
    """One caller with one key."""

    purpose: str
    system: str
    first: str
    last: str = ""
    uses: int = 0
    again: int = 0


@dataclass(slots=True, kw_only=True)
class Reporting:
    """Give ``observe`` every record from the first on, in order; then ask for the ``answers``."""

    period: Period
    _records: int = 0
    _within: int = 0
    _first: str = ""
    _last: str = ""
    _uses: dict[tuple[str, str], _Uses] = field(default_factory=dict)
    _users: dict[tuple[str, str, str], _User] = field(default_factory=dict)
    _open: dict[int, _Uses] = field(default_factory=dict)
    _key_uses: dict[str, int] = field(default_factory=dict)
    _refusals: Refusals = field(default_factory=Refusals)
    _acts: Acts = field(default_factory=Acts)
    _anomalies: list[AnomalyRow] = field(default_factory=list)
    _reviews: list[ReviewRow] = field(default_factory=list)
    _bounds: tuple[str, str] = field(init=False)
    _of_kind: Mapping[str, Callable[[int, Body, str, bool], None]] = field(init=False)

    def __post_init__(self) -> None:
        self._bounds = self.period.bounds
        self._of_kind = {
            RecordKind.INTENT.value: self._intent,
            RecordKind.OUTCOME.value: self._outcome,
            RecordKind.CLOSED.value: self._outcome,
            RecordKind.RELEASE.value: self._release,
            RecordKind.REFUSAL.value: self._refusal,
            RecordKind.ADMINISTRATIVE.value: self._administrative,
        }

    def observe(self, index: int, body: Body) -> None:
        """One record, as ``record.decode`` reads it."""
        at = str(body["at"])
        first, until = self._bounds
        within = first <= at < until
        self._records += 1
        if within:
            self._within += 1
            self._first = min(self._first or at, at)
            self._last = max(self._last, at)
        of_kind = self._of_kind.get(str(body["kind"]))
        if of_kind is not None:
            of_kind(index, body, at, within)

    def answers(self) -> Answers:
        """What was seen so far."""
        return Answers(
            records=self._records,
            within=self._within,
            first=self._first,
            last=self._last,
            uses=tuple(self._use_row(*each) for each in sorted(self._uses)),
            refusals=self._refusals.rows(),
            users=tuple(self._user_row(*each) for each in sorted(self._users)),
            ceremonies=self._acts.ceremonies(self._bounds),
            people=self._acts.people(),
            anomalies=tuple(self._anomalies),
            reviews=tuple(self._reviews),
            key_uses=tuple(sorted(self._key_uses.items())),
        )

    def _intent(self, index: int, body: Body, at: str, within: bool) -> None:
        key, purpose = str(body["key"]), str(body["purpose"])
        self._key_uses[key] = self._key_uses.get(key, 0) + 1
        if not within:
            return
        uses = self._uses.setdefault((at[: self.period.grain], purpose), _Uses())
        uses.uses += 1
        self._open[index] = uses
        user = self._user(body, at, purpose)
        user.uses += 1

    def _outcome(self, _index: int, body: Body, _at: str, _within: bool) -> None:
        """Counted where its intent was: an outcome in the next month is of this month's use."""
        intent = body["intent"]
        uses = self._open.pop(intent, None) if isinstance(intent, int) else None
        if uses is None:
            return
        match body["state"]:
            case state if state == FAILED:
                uses.failed += 1
            case state if state == UNKNOWN:
                uses.unknown += 1
            case _:
                uses.made += 1

    def _release(self, _index: int, body: Body, at: str, within: bool) -> None:
        if within:
            self._user(body, at, "").again += 1

    def _refusal(self, _index: int, body: Body, at: str, within: bool) -> None:
        if within:
            self._refusals.observe(body, at)

    def _administrative(self, index: int, body: Body, at: str, within: bool) -> None:
        act = body["body"]
        if not isinstance(act, dict):
            return
        # A ceremony that ended within the period began, perhaps, before it.
        self._acts.observe(act, at, within=within)
        if not within:
            return
        if act.get("act") == ANOMALOUS:
            self._anomalies.append(_anomaly_row(index, act, at))
        elif act.get("act") == REVIEW:
            self._reviews.append(_review_row(index, act, at))

    def _user(self, body: Body, at: str, purpose: str) -> _User:
        key, party, caller = str(body["key"]), str(body["party"]), body["caller"]
        told = caller if isinstance(caller, dict) else {}
        name = (key, str(told.get("identity")), party)
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = _User(purpose, str(told.get("system")), at)
        user.purpose = user.purpose or purpose
        user.last = at
        return user

    def _use_row(self, when: str, purpose: str) -> UseRow:
        each = self._uses[when, purpose]
        return UseRow(
            when=when,
            purpose=purpose,
            clause=_CLAUSES.get(purpose, ""),
            uses=each.uses,
            made=each.made,
            failed=each.failed,
            unknown=each.unknown,
            open=each.uses - each.made - each.failed - each.unknown,
        )

    def _user_row(self, key: str, caller: str, party: str) -> UserRow:
        each = self._users[key, caller, party]
        return UserRow(
            key=key,
            purpose=each.purpose,
            caller=caller,
            system=each.system,
            party=party,
            uses=each.uses,
            again=each.again,
            first=each.first,
            last=each.last,
        )


def _anomaly_row(index: int, act: Body, at: str) -> AnomalyRow:
    told = read_anomaly(act)
    return AnomalyRow(
        event=index,
        at=at,
        detector=told.detector.value,
        subject=told.subject,
        record=told.record,
        expected=told.expected,
        found=told.found,
    )


def _review_row(index: int, act: Body, at: str) -> ReviewRow:
    told, order = read_review(act), act.get("order")
    person = str(order.get("attester")) if isinstance(order, dict) else ""
    return ReviewRow(record=index, at=at, person=person, up_to=told.up_to, marked=told.marked, because=told.because)
