"""Who might state what when this was recorded, and does a statement that the record holds whole verify? Pure.

The certificates stand in the records of the enrolments, so that no table need be believed. A statement is judged as the
broker judged it, at the moment of its record: kind, attester, signature, audience, time, and no restore since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import order_target
from keybroker.ledger.verify_form import expect
from keybroker.ledger.verify_rows import AttesterRow
from keybroker.statement.attester import Attester, public_key_of
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Order, ThresholdNotification
from keybroker.statement.said import moment
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement, read_statement

NOTIFIED = ("attester", "part", "sequence", "sha256", "user")
"""What the records of a notification of thresholds say of it."""


@dataclass(slots=True, kw_only=True)
class Attesters:
    """Those whom the records enrolled so far."""

    origin: str
    _enrolled: dict[str, Attester] = field(default_factory=dict)
    _restored_at: datetime | None = None

    def enrol(self, index: int, act: Mapping[str, Json], at: datetime) -> None:
        """Raises: LedgerBroken."""
        try:
            attester = _attester(act, at)
        except (ValueError, OverflowError) as error:
            raise LedgerBroken(f"record {index}: expected an attester and its certificate, found {act}") from error
        kid = sha256(attester.certificate).hexdigest()
        expect(attester.kid == kid, index, f"kid {kid}, of the certificate", attester.kid)
        expect(kid not in self._enrolled, index, "a certificate that was never enrolled", kid)
        self._enrolled[kid] = attester

    def withdraw(self, index: int, act: Mapping[str, Json], at: datetime) -> None:
        """Raises: LedgerBroken."""
        kid = str(act.get("kid"))
        attester = self._enrolled.get(kid)
        if attester is None or attester.withdrawn_at is not None:
            raise LedgerBroken(f"record {index}: expected an attester that stands; found {kid}")
        self._enrolled[kid] = replace(attester, withdrawn_at=_seconds(at))

    def void_before(self, at: datetime) -> None:
        """A restore: what was issued before counts no more."""
        self._restored_at = at if self._restored_at is None else max(at, self._restored_at)

    def read(self, index: int, told: Json | Mapping[str, Json], kind: StatementKind, at: datetime) -> Statement:
        """The statement that a record holds whole, with what the record says of it. Raises: LedgerBroken."""
        if not isinstance(told, Mapping):
            raise LedgerBroken(f"record {index}: expected a whole {kind}; found {told!r}")
        try:
            statement = read_statement(
                str(told.get("statement")).encode(), self._enrolled, kind=kind, origin=self.origin, at=at
            )
        except StatementUnfit as unfit:
            raise LedgerBroken(f"record {index}: expected a sound {kind}; found {unfit}") from unfit
        self.check_counts(index, statement, at)
        found = (told.get("attester"), told.get("sha256"), told.get("statement_kind", told.get("kind")))
        expected = (statement.attester, statement.sha256.hex(), kind.value)
        expect(found == expected, index, f"{expected}, as the statement says", str(found))
        return statement

    def check_counts(self, index: int, statement: Statement, at: datetime) -> None:
        """It was neither void by a restore nor lapsed at this moment, and its attester stood. Raises: LedgerBroken."""
        void = Standing(attesters=self._enrolled, restored_at=self._restored_at).why_void(statement, at)
        expect(void is None, index, f"that the {statement.kind} counts", str(void))

    def rows(self) -> dict[str, AttesterRow]:
        """What the table must hold, by kid."""
        return {kid: _row(attester) for kid, attester in self._enrolled.items()}


def check_names(index: int, statement: Statement, act: Mapping[str, Json]) -> None:
    """The order is for this act. Raises: LedgerBroken."""
    order, target = statement.payload, order_target(act)
    ordered = (order.act, order.target) if isinstance(order, Order) else ()
    expect(ordered == (act.get("act"), target), index, f"the order of {act.get('act')} {target}", str(ordered))


def check_notifies(index: int, statement: Statement, act: Mapping[str, Json]) -> None:
    """The notification says what the record does. Raises: LedgerBroken."""
    said, told = statement.payload, tuple(act.get(name) for name in NOTIFIED)
    stated: tuple[Json, ...] = ()
    if isinstance(said, ThresholdNotification):
        stated = (statement.attester, said.part, str(said.sequence), statement.sha256.hex(), said.user)
    expect(told == stated, index, f"{stated}, as the notification says", str(told))


def _attester(act: Mapping[str, Json], at: datetime) -> Attester:
    """Raises: ValueError, OverflowError."""
    match act:
        case {
            "certificate": str(certificate),
            "kid": str(kid),
            "kinds": list(kinds),
            "name": str(name),
            "party": str(party),
            "until": str(until),
        }:
            der = bytes.fromhex(certificate)
            public_key_of(der)
            return Attester(
                kid=kid,
                name=name,
                party=party,
                certificate=der,
                kinds=frozenset(StatementKind(str(kind)) for kind in kinds),
                since=_seconds(at),
                until=moment(int(until)),
            )
        case _:
            raise ValueError("certificate, kid, kinds, name, party, until")


def _row(attester: Attester) -> AttesterRow:
    withdrawn_at = attester.withdrawn_at
    return AttesterRow(
        kid=attester.kid,
        name=attester.name,
        party=attester.party,
        certificate=attester.kid,
        kinds=" ".join(sorted(attester.kinds)),
        since=int(attester.since.timestamp()),
        until=int(attester.until.timestamp()),
        withdrawn_at=None if withdrawn_at is None else int(withdrawn_at.timestamp()),
    )


def _seconds(at: datetime) -> datetime:
    """As the table holds a moment: whole seconds."""
    return moment(int(at.timestamp()))
