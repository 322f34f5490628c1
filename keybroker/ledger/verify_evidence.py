"""Do the tables of evidence say what the acts did, and does every statement that a record holds verify? Pure.

Attesters, statements that are held, those that were used, who acted by order on what, and restores: each row follows
from one record, and each use of a statement is its first. A statement that came with a request is spent in what its
intent took, which ``verify_claims`` follows; no act takes one of its kind, and no request one of another.

Whether the person who ordered an act might act was judged by the broker, and is not judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.errors import LedgerBroken
from keybroker.ledger import module_form, restore_form, upkeep_form
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.restore_form import whole_second_after
from keybroker.ledger.review_form import REVIEW
from keybroker.ledger.verify_form import expect, moment_of
from keybroker.ledger.verify_rows import EvidenceRows, ToldRows
from keybroker.ledger.verify_statements import NOTIFIED, Attesters, check_names, check_notifies
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import QuarantineAction, QuarantineReport, SupplySensitiveCheck
from keybroker.statement.said import moment
from keybroker.statement.statement import Statement

Body = Mapping[str, Json]

_GIVEN_OTHERWISE = frozenset(
    {
        StatementKind.SUPPLY_SENSITIVE_CHECK,
        StatementKind.THRESHOLD_NOTIFICATION,
        StatementKind.QUARANTINE_ACTION,
        StatementKind.QUARANTINE_REPORT,
    }
)
"""Kinds that ``AddStatement`` does not take in."""
_NOT_ORDERED = frozenset(
    {
        *("actor", "certificate", "from", "to", "register_version"),
        *("order", "second_order", "ceremony", "successor_from", "successor_to"),
    }
)
"""What the record of an act has beside what its order names."""
_SCOPE = "statement"
"""Under which a statement that came with a request is taken."""
_EVIDENCE, _CONFIGURATION, _RESTORED = "evidence", "configuration", ("ledger", "ledger:second")
"""What acts by order act on, beside keys (``PersonAct.subject``)."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What is remembered between records: the rows of which they tell, and the orders for reloads.

    ``find`` gives the body of an earlier record (index of the asker, index asked for), empty where there is none.
    """

    origin: str
    find: Callable[[int, Json], Body]
    _attesters: Attesters = field(init=False)
    _rows: ToldRows = field(default_factory=ToldRows)
    _orders: dict[str, Statement] = field(default_factory=dict)
    _applied: dict[int, tuple[Json, ...]] = field(default_factory=dict)
    _last_reload: int = -1

    def __post_init__(self) -> None:
        self._attesters = Attesters(origin=self.origin)

    def begin(self, index: int, body: Body) -> None:
        """An intent: each statement that came with it is of these octets, and is what it took. Raises: LedgerBroken."""
        told, at, octets = body.get("evidence", []), moment_of(index, body), body["octets"]
        spent = []
        for each in told if isinstance(told, list) else [told]:
            statement = self._attesters.read(index, each, StatementKind.SUPPLY_SENSITIVE_CHECK, at)
            said = statement.payload
            of = said.octets_sha256 if isinstance(said, SupplySensitiveCheck) else ""
            expect(of == octets, index, f"a check of octets {octets}", of)
            spent.append(("once", statement.identity.encode().hex(), statement.sha256.hex()))
        found = _taken_statements(body)
        expect(found == spent, index, f"statements taken: {spent}", str(found))

    def administer(self, index: int, body: Body) -> None:
        """An administrative act. Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        at = moment_of(index, body)
        match act.get("act"):
            case "EnrolAttester":
                self._order(index, act, at, _EVIDENCE)
                self._attesters.enrol(index, act, at)
            case "WithdrawAttester":
                self._order(index, act, at, _EVIDENCE)
                self._attesters.withdraw(index, act, at)
            case "AddStatement":
                self._add(index, act, at)
            case "WithdrawStatement":
                self._order(index, act, at, _EVIDENCE)
                self._rows.release(index, str(act.get("sha256")))
            case "CheckThresholdNotification":
                self._check(index, act, at)
            case "ApplyThresholds":
                self._apply(index, act, at)
            case "ActOnQuarantined":
                self._act_on(index, act, at)
            case "CheckQuarantineReport":
                self._report(index, act, at)
            case "Reload":
                self._reload(index, act, at)
            case restore_form.RESTORE:
                self._restore(index, act, at)
            case upkeep_form.RETAIN:
                self._order(index, act, at, upkeep_form.SUBJECT)
            case module_form.UNLATCH:
                self._order(index, act, at, module_form.module_subject(act.get("module")))
            case name if name == REVIEW:
                self._review(index, act, at)
            case _:
                self._order(index, act, at, f"key:{act.get('key')}")

    def check_tables(self, rows: EvidenceRows | None) -> None:
        """The tables say what the records do. Raises: LedgerBroken."""
        for index in self._applied:
            raise LedgerBroken(f"record {index} says that a notification was applied, and no record applies it")
        if rows is not None:
            self._rows.check(rows, self._attesters.rows())

    def _order(self, index: int, act: Body, at: datetime, subject: str) -> None:
        """Where people ordered the act: each order is of this very act, and used here."""
        for name, whose in (("order", subject), ("second_order", f"{subject}:second")):
            if name not in act:
                continue
            statement = self._attesters.read(index, act[name], StatementKind.ORDER, at)
            check_names(index, statement, {name: act[name] for name in act.keys() - _NOT_ORDERED})
            self._rows.spend(index, statement)
            self._rows.acted(index, whose, statement.attester, at)

    def _add(self, index: int, act: Body, at: datetime) -> None:
        kind = _kind(index, act)
        statement = self._attesters.read(index, act, kind, at)
        self._rows.hold(index, statement)
        if kind is StatementKind.ORDER:
            self._orders[statement.sha256.hex()] = statement

    def _check(self, index: int, act: Body, at: datetime) -> None:
        """A notification whose protection was checked: it is in the next record where it was applied, else in this."""
        if act.get("applied") is True:
            self._applied[index] = tuple(act.get(name) for name in NOTIFIED)
            return
        statement = self._attesters.read(index, act.get("checked"), StatementKind.THRESHOLD_NOTIFICATION, at)
        check_notifies(index, statement, act)
        self._rows.spend(index, statement)

    def _apply(self, index: int, act: Body, at: datetime) -> None:
        statement = self._attesters.read(index, act, StatementKind.THRESHOLD_NOTIFICATION, at)
        check_notifies(index, statement, act)
        found, checked = tuple(act.get(name) for name in NOTIFIED), self._applied.pop(index - 1, None)
        expect(found == checked, index, f"the notification that record {index - 1} checked: {checked}", str(found))
        self._rows.hold(index, statement)

    def _act_on(self, index: int, act: Body, at: datetime) -> None:
        """A User says what becomes of a communication in quarantine."""
        statement = self._attesters.read(index, act, StatementKind.QUARANTINE_ACTION, at)
        said, refusal = statement.payload, self.find(index, act.get("record"))
        told = (act.get("action"), act.get("record"), act.get("user"), refusal.get("octets"))
        stated = (said.action, said.record, said.user, said.octets_sha256) if isinstance(said, QuarantineAction) else ()
        expect(told == stated, index, f"{stated}, as the statement says", str(told))
        self._rows.spend(index, statement)

    def _report(self, index: int, act: Body, at: datetime) -> None:
        """A file that tells what somebody quarantined: whole, and whose."""
        statement = self._attesters.read(index, act, StatementKind.QUARANTINE_REPORT, at)
        said, told = statement.payload, (act.get("file_sha256"), act.get("communications"))
        stated = (said.file_sha256, said.communications) if isinstance(said, QuarantineReport) else ()
        expect(told == stated, index, f"{stated}, as the statement says", str(told))
        self._rows.spend(index, statement)

    def _reload(self, index: int, act: Body, at: datetime) -> None:
        """Every worker takes a configuration by the same order: the first ends its holding, and moves the register."""
        name = str(act.get("order"))
        order, row = self._orders.get(name), self._rows.held.get(name)
        if order is None or row is None or order.attester != act.get("person"):
            raise LedgerBroken(
                f"record {index}: expected an order that was taken in, of {act.get('person')}; found {name}"
            )
        check_names(index, order, {name: act[name] for name in ("act", "configuration") if name in act})
        self._attesters.check_counts(index, order, at)
        first = "register_version" in act
        ended = None if first else self._last_reload
        expect(row.withdrawn_index == ended, index, f"an order whose holding ended {ended}", str(row.withdrawn_index))
        if first:
            self._rows.release(index, name)
            self._rows.acted(index, _CONFIGURATION, order.attester, at)
            self._last_reload = index

    def _review(self, index: int, act: Body, at: datetime) -> None:
        """Whoever reviews the audit log runs nothing: no act of his is remembered (``PersonAct``)."""
        if "order" in act:
            statement = self._attesters.read(index, act["order"], StatementKind.ORDER, at)
            check_names(index, statement, {name: act[name] for name in act.keys() - _NOT_ORDERED})
            self._rows.spend(index, statement)

    def _restore(self, index: int, act: Body, at: datetime) -> None:
        """Two orders (``verify_restores``); what was issued until now is void."""
        orders = act.get("orders")
        for told, subject in zip(orders if isinstance(orders, list) else [], _RESTORED, strict=False):
            statement = self._attesters.read(index, told, StatementKind.ORDER, at)
            self._rows.spend(index, statement)
            self._rows.acted(index, subject, statement.attester, at)
        seconds = whole_second_after(at)
        self._rows.restored(index, at=seconds, lost=int(str(act.get("lost"))))
        self._attesters.void_before(moment(seconds))


def concerns_statements(body: Body) -> bool:
    """Did a statement come with this intent, or does it take one?"""
    return "evidence" in body or ("taken" in body and bool(_taken_statements(body)))


def _taken_statements(body: Body) -> list[tuple[Json, ...]]:
    taken = body.get("taken")
    claims = [each for each in taken if isinstance(each, dict)] if isinstance(taken, list) else []
    return [(each.get("form"), each.get("name"), each.get("value")) for each in claims if each.get("scope") == _SCOPE]


def _kind(index: int, act: Body) -> StatementKind:
    """Of a statement that ``AddStatement`` takes in. Raises: LedgerBroken."""
    found = str(act.get("statement_kind"))
    kind = next((each for each in StatementKind if each == found), StatementKind.SUPPLY_SENSITIVE_CHECK)
    expect(kind not in _GIVEN_OTHERWISE, index, "a kind of statement that is added", found)
    return kind
