"""A ledger whose register holds an officer, who vouches, and people who may act: for tests of evidence and orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.standing import read_standing
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger import audit
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import KINDS
from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.terms import CallerKind, PartyName, RelevantSystem
from tests.ledger import books
from tests.statement.attested import AT, ORDERS, Attests, a_location, a_person

ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PartyName("supplier-a"))
PEOPLE = PeopleSettings(system=RelevantSystem.USER_SYSTEMS, cooling_off=timedelta(days=30))
OFFICER, ALICE, BOB, CAROL = (Attests(name=name) for name in ("officer", "alice", "bob", "carol"))
VOUCHES = frozenset({StatementKind.PERSON, StatementKind.LOCATION, StatementKind.COMMITTEE_OPINION})


@dataclass(slots=True, kw_only=True)
class StandingBook:
    """``at`` is the moment of everything that is done."""

    journal: Journal
    at: datetime = field(default=AT)

    def enrol(
        self,
        who: Attests,
        kinds: frozenset[StatementKind] = ORDERS,
        *,
        order: bytes | None = None,
        **changes: Any,
    ) -> Receipt:
        return enrol_attester(self.journal, ACTOR, enrolment(who, kinds, **changes), PEOPLE, self.at, order)

    def add(self, octets: bytes, kind: StatementKind) -> Receipt:
        return add_statement(self.journal, ACTOR, octets, kind, PEOPLE, self.at)

    def take_in(self, said: Said, by: Attests = OFFICER) -> Receipt:
        return self.add(by.state(said), KINDS[type(said)])

    def withdraw(self, sha256: bytes, because: str = "test", order: bytes | None = None) -> Receipt:
        asked = StatementWithdrawal(sha256=sha256, because=because)
        return withdraw_statement(self.journal, ACTOR, asked, PEOPLE, self.at, order)

    def vouch_for(self, who: Attests, **changes: Any) -> None:
        """So that the person may act, in the United Kingdom."""
        self.take_in(a_person(who.name, at=self.at, **changes))
        self.take_in(a_location(who.name, at=self.at))

    def standing(self) -> Standing:
        with self.journal.ledger.read() as connection:
            return read_standing(connection)

    def version(self) -> int:
        """Of the register."""
        return self.journal.ledger.transact(lambda turn: turn.register_version)

    def last(self) -> dict[str, Json]:
        """The body of the last record."""
        return self.record(self.journal.head(self.at).tree_size - 1)

    def record(self, index: int) -> dict[str, Json]:
        (stored,) = audit.read_records(self.journal.ledger, index, 1)
        body = decode(stored.octets)
        inner = body["body"]
        assert isinstance(inner, dict)
        return {**inner, "kind": stored.kind}

    def check(self) -> None:
        """The ledger is whole."""
        audit.verify(self.journal.ledger, self.at)


def enrolment(who: Attests, kinds: frozenset[StatementKind] = ORDERS, **changes: Any) -> Enrolment:
    given: dict[str, Any] = {
        "name": who.name,
        "party": who.party,
        "certificate": who.certificate,
        "kinds": kinds,
        "until": AT + timedelta(days=365),
    }
    return Enrolment(**(given | changes))


@contextmanager
def a_standing_book(directory: Path) -> Iterator[StandingBook]:
    """The officer and Alice are enrolled, and Alice may act; she is the only one."""
    with books.a_book(directory) as journal:
        book = StandingBook(journal=journal)
        book.enrol(OFFICER, VOUCHES)
        book.enrol(ALICE)
        book.vouch_for(ALICE)
        yield book
