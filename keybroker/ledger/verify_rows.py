"""Do the tables of evidence hold the rows that records tell of, and no others? The first that differs is named. Pure.

The broker relies on these tables: a row that somebody slipped in would make an attester of him, or shut no gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar, Protocol, TypeVar

from keybroker.errors import LedgerBroken
from keybroker.ledger.verify_form import expect
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class AttesterRow:
    """``certificate`` is SHA-256, in hex, of the certificate that is there; moments are in seconds."""

    kid: str
    name: str
    party: str
    certificate: str
    kinds: str
    since: int
    until: int
    withdrawn_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """``sha256`` is of the payload, ``compact`` of the statement's octets, both in hex."""

    leaf_index: int
    kind: str
    attester: str
    sha256: str
    compact: str
    withdrawn_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRow:
    """A statement that was taken in or acted on: ``attester#nonce``, and SHA-256 of its payload in hex."""

    identity: str
    sha256: str
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonActRow:
    leaf_index: int
    subject: str
    person: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRow:
    leaf_index: int
    at: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRows:
    """All five tables, as they are now."""

    attesters: Iterable[AttesterRow]
    statements: Iterable[StatementRow]
    used: Iterable[UsedRow]
    person_acts: Iterable[PersonActRow]
    restores: Iterable[RestoreRow]


@dataclass(slots=True, kw_only=True)
class ToldRows:
    """The rows of which the records told so far; ``held`` by SHA-256 of the payload, in hex."""

    held: dict[str, StatementRow] = field(default_factory=dict)
    _used: dict[str, UsedRow] = field(default_factory=dict)
    _person_acts: dict[tuple[int, str], PersonActRow] = field(default_factory=dict)
    _restores: dict[int, RestoreRow] = field(default_factory=dict)

    def hold(self, index: int, statement: Statement) -> None:
        """It counts from here on. Raises: LedgerBroken."""
        self.spend(index, statement)
        name = statement.sha256.hex()
        self.held[name] = StatementRow(
            leaf_index=index,
            kind=statement.kind.value,
            attester=statement.attester,
            sha256=name,
            compact=sha256(statement.compact.encode()).hexdigest(),
            withdrawn_index=None,
        )

    def release(self, index: int, name: str) -> None:
        """It counts no more; thresholds are replaced, and never withdrawn. Raises: LedgerBroken."""
        row = self.held.get(name)
        if row is None or row.withdrawn_index is not None or row.kind == StatementKind.THRESHOLD_NOTIFICATION:
            raise LedgerBroken(
                f"record {index}: expected a statement that is held, of a kind that is withdrawn; found {name}"
            )
        self.held[name] = replace(row, withdrawn_index=index)

    def spend(self, index: int, statement: Statement) -> None:
        """It is used, for the first time. Raises: LedgerBroken."""
        name, identity = statement.sha256.hex(), statement.identity
        never = identity not in self._used and name not in self.held
        expect(never, index, "a statement that was never used", f"{identity}, {name}, again")
        self._used[identity] = UsedRow(identity=identity, sha256=name, leaf_index=index)

    def acted(self, index: int, subject: str, person: str, at: datetime) -> None:
        seconds = int(at.timestamp())
        row = PersonActRow(leaf_index=index, subject=subject, person=person, at=seconds)
        self._person_acts[index, subject] = row

    def restored(self, index: int, *, at: int, lost: int) -> None:
        """``at`` in whole seconds, rounded up."""
        self._restores[index] = RestoreRow(leaf_index=index, at=at, lost=lost)

    def check(self, rows: EvidenceRows, attesters: Mapping[str, AttesterRow]) -> None:
        """The tables hold these rows, and ``attesters`` (by kid), and no others. Raises: LedgerBroken."""
        check_rows("attester", attesters, rows.attesters, lambda row: row.kid)
        statements = {row.leaf_index: row for row in self.held.values()}
        check_rows("statement", statements, rows.statements, lambda row: row.leaf_index)
        check_rows("statement_used", self._used, rows.used, lambda row: row.identity)
        check_rows("person_act", self._person_acts, rows.person_acts, lambda row: (row.leaf_index, row.subject))
        check_rows("restore", self._restores, rows.restores, lambda row: row.leaf_index)


Key = TypeVar("Key")


class _OfTable(Protocol):
    """A dataclass: a column each."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=_OfTable)


def check_rows(table: str, told: Mapping[Key, Row], found: Iterable[Row], key: Callable[[Row], Key]) -> None:
    """``told`` are the rows of which the records tell, by primary key. Raises: LedgerBroken."""
    left = dict(told)
    for row in found:
        expected = left.pop(key(row), None)
        if expected is None:
            raise LedgerBroken(f"the table {table} holds {key(row)}, of which no record tells")
        for column in fields(row):
            says, tell = getattr(row, column.name), getattr(expected, column.name)
            if says != tell:
                raise LedgerBroken(
                    f"the table {table} says of {key(row)} {column.name} {says!r}; the records tell {tell!r}"
                )
    if left:
        raise LedgerBroken(f"the records tell of {next(iter(left))}, and the table {table} does not hold it")
