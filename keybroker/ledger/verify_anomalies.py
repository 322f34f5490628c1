"""Are the records of Anomalous Events and of reviews of the audit log as they may be? SEC G2.26, G2.29, G3.15. Pure.

Of an event: form, that it tells of a record before it of the sort that its detector looks at, and of each once. Whether
nothing else should have been found depends on figures that the configuration had, and is not recomputed but for first
uses (``verify_first_uses``). Of a review: that a person ordered it, never backwards and never beyond what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from keybroker.errors import LedgerBroken
from keybroker.ledger.anomaly_form import ANOMALOUS, Anomaly, Detector, read_anomaly
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import RecordKind
from keybroker.ledger.review_form import REVIEW, Review, read_review, why_not
from keybroker.ledger.verify_first_uses import FirstUses
from keybroker.ledger.verify_form import expect, moment_of
from keybroker.ledger.verify_rows import check_rows
from keybroker.terms import CallerKind

Body = Mapping[str, Json]

_OF_KIND: Mapping[Detector, frozenset[RecordKind]] = {
    Detector.NEW_PAIR: frozenset({RecordKind.INTENT}),
    Detector.BURST: frozenset({RecordKind.INTENT}),
    Detector.REFUSAL_STORM: frozenset({RecordKind.REFUSAL}),
    Detector.OUT_OF_HOURS: frozenset({RecordKind.ADMINISTRATIVE}),
    Detector.COUNTER_GAP: frozenset({RecordKind.INTENT, RecordKind.ADMINISTRATIVE}),
    Detector.WITHOUT_OUTCOME: frozenset({RecordKind.INTENT}),
    Detector.USES_DIFFER: frozenset(RecordKind),
}
"""What gives rise to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedRow:
    leaf_index: int
    up_to: int
    person: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRows:
    """The three tables: how far it was looked (None: never), the events of which messages are kept, reviews."""

    looked_to: int | None
    messages: Iterable[int]
    reviews: Iterable[ReviewedRow]


@dataclass(slots=True, kw_only=True)
class Watched:
    """What is remembered between records grows with events and reviews.

    ``find`` gives the body of an earlier record (index of the asker, index asked for), empty where there is none.
    """

    find: Callable[[int, Json], Body]
    first_uses: FirstUses = field(default_factory=FirstUses)
    _events: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _indexes: set[int] = field(default_factory=set)
    _furthest: int = -1
    _reviews: dict[int, ReviewedRow] = field(default_factory=dict)
    _up_to: int | None = None

    def administer(self, index: int, body: Body) -> None:
        """An administrative act. Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        if act.get("act") == ANOMALOUS:
            self._event(index, act)
        elif act.get("act") == REVIEW:
            self._review(index, act, body)
        else:
            self.first_uses.administer(act)

    def check_tables(self, rows: WatchRows | None, size: int) -> None:
        """The tables say what the records do; ``size``: of the tree. Raises: LedgerBroken."""
        if rows is None:
            return
        looked_to = 0 if rows.looked_to is None else rows.looked_to
        if not self._furthest < looked_to <= size:
            raise LedgerBroken(
                f"the table anomaly_watch says that the ledger was looked at up to {looked_to}; records tell of"
                f" {self._furthest} at least, and there are {size}"
            )
        self.first_uses.check(looked_to)
        for index in rows.messages:
            if index not in self._indexes:
                raise LedgerBroken(f"the table webhook_delivery holds {index}, which tells of no Anomalous Event")
        check_rows("ledger_review", self._reviews, rows.reviews, lambda row: row.leaf_index)

    def _event(self, index: int, act: Body) -> None:
        try:
            told = read_anomaly(act)
        except ValueError as error:
            raise LedgerBroken(f"record {index}: expected an Anomalous Event; found {act}") from error
        actor = act.get("actor")
        by = actor.get("kind") if isinstance(actor, dict) else None
        expect(by == CallerKind.BROKER, index, "an Anomalous Event that the broker found", str(by))
        self._check_cause(index, told)
        before = self._events.setdefault(told.identity, index)
        expect(before == index, index, "each Anomalous Event once", f"{told.identity} in record {before} already")
        self._indexes.add(index)
        self.first_uses.tell(told)
        # Whoever compares counts with the module's does not wait for whoever looks through the records.
        if told.detector is not Detector.USES_DIFFER:
            self._furthest = max(self._furthest, told.record)

    def _check_cause(self, index: int, told: Anomaly) -> None:
        cause = self.find(index, told.record)
        if not cause and 0 <= told.record < index:
            return  # It was aged out: the event stays.
        kinds = _OF_KIND[told.detector]
        expected = f"record {told.record} before it, of kind {' or '.join(sorted(kinds))}"
        expect(cause.get("kind") in kinds, index, expected, str(cause.get("kind")))
        if told.detector is Detector.NEW_PAIR:
            caller = cause.get("caller")
            named = str(caller.get("identity")) if isinstance(caller, dict) else ""
            expect(told.subject.startswith(f"{named} "), index, f"the caller {named}", told.subject)

    def _review(self, index: int, act: Body, body: Body) -> None:
        try:
            told = read_review(act)
        except ValueError as error:
            raise LedgerBroken(f"record {index}: expected a review; found {act}") from error
        expect(not (why := why_not(told, before=self._up_to, last=index - 1)), index, "a review that may be", why)
        order = act.get("order")
        person = order.get("attester") if isinstance(order, dict) else None
        expect(isinstance(person, str), index, "a review that a person ordered", "no order")
        self._up_to = told.up_to
        self._reviews[index] = _row(index, told, str(person), int(moment_of(index, body).timestamp()))


def _row(index: int, review: Review, person: str, at: int) -> ReviewedRow:
    return ReviewedRow(leaf_index=index, up_to=review.up_to, person=person, at=at)
