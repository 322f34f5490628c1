"""What evidence does the broker hold, at one moment of its register? Attesters, statements, and who acted on what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from keybroker.statement.attester import Attester
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.said import Said
from keybroker.statement.statement import Statement

P = TypeVar("P", bound=Said)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAct:
    """A person acted: by order, or by signing for the step of a ceremony that did it.

    ``subject`` is ``key:<label>`` (then ``:second`` of a second order), ``configuration``, ``evidence``, ``ledger`` or
    ``ledger:second``, or ``module:<serial>``, which was unlatched. Gates look at ``node:<identity>`` and
    ``system:<party/system>`` too: no act of this version is on one of these alone.
    """

    person: str
    subject: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``attesters`` by kid, withdrawn ones too; ``statements`` are those held, in the order in which they came, the
    withdrawn left out. ``restored_at``: evidence issued before it is void (the ledger was put back from a back-up).
    """

    attesters: Mapping[str, Attester] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    acts: tuple[PersonAct, ...] = ()
    restored_at: datetime | None = None

    def of(self, model: type[P], at: datetime) -> Iterator[tuple[Statement, P]]:
        """Statements of one kind that count at this moment, the newest first; each with its payload."""
        for statement in reversed(self.statements):
            payload = statement.payload
            if isinstance(payload, model) and self.why_void(statement, at) is None:
                yield statement, payload

    def ever(self, model: type[P]) -> Iterator[tuple[Statement, P]]:
        """The same whether they count or not: for telling why none does."""
        for statement in reversed(self.statements):
            if isinstance(statement.payload, model):
                yield statement, statement.payload

    def why_void(self, statement: Statement, at: datetime) -> StatementUnfit | None:
        """Why a held statement does not count at this moment, None where it does."""
        payload, attester = statement.payload, self.attesters.get(statement.kid)
        if self.restored_at is not None and payload.issued < self.restored_at:
            return StatementUnfit(
                Flaw.BEFORE_RESTORE,
                expected=f"evidence issued after the restore at {self.restored_at.isoformat()}",
                found=payload.issued.isoformat(),
            )
        if attester is None or attester.withdrawn_at is not None:
            return StatementUnfit(
                Flaw.ATTESTER_WITHDRAWN, expected="an attester that stands", found=f"{statement.attester}, withdrawn"
            )
        if at >= payload.expires:
            return StatementUnfit(
                Flaw.LAPSED, expected=f"one valid at {at.isoformat()}", found=f"until {payload.expires.isoformat()}"
            )
        return None
