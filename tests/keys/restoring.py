"""A ledger with two administrators, its back-up, what came after, and the back-up put back: for tests of restores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from keybroker.cli.dev.evidence import take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, KINDS, OFFICER, common, statements
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.restore import Restored, restore_ledger
from keybroker.ledger.behind import find_behind
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.model import Head
from keybroker.ledger.record import order_target
from keybroker.ledger.restore_form import RESTORE, Behind
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location, Order, Person
from keybroker.terms import CallerKind, PartyName, RelevantSystem
from tests import evidence
from tests.ledger import books
from tests.situations import AT, ORIGIN, packaged_policies

PEOPLE = PeopleSettings(system=RelevantSystem.USER_SYSTEMS, cooling_off=timedelta())
ACTOR = Actor(identity="local:tests", kind=CallerKind.OPERATOR, party=PartyName("operator"))
FIRST, SECOND = ADMINISTRATORS
UNTIL = evidence.an_attester(OFFICER).until


def enrol(journal: Journal, at: datetime = evidence.BEFORE) -> None:
    """The officer and two administrators, and what the officer states of them."""
    for name in (OFFICER, *ADMINISTRATORS):
        certificate = evidence.attests(name).certificate
        asked = Enrolment(name=name, party="operator", certificate=certificate, kinds=KINDS[name], until=UNTIL)
        enrol_attester(journal, ACTOR, asked, PEOPLE, at)
    vouch(journal, at)


def vouch(journal: Journal, at: datetime) -> None:
    """The officer states who the administrators are, and where."""
    for said in statements(evidence.a_scene(systems={}, users={}, at=at)):
        if isinstance(said, Person | Location) and getattr(said, "of", "person") == "person":
            take_in(journal, ACTOR, said, evidence.attests(OFFICER), PEOPLE, at)


def vouch_for(
    journal: Journal, name: str, party: str, at: datetime = AT, *, by: str = OFFICER, role: str = "thresholds"
) -> None:
    """The officer states of somebody what he states of an administrator, but that he has another role."""
    scene = evidence.a_scene(systems={}, users={}, at=evidence.BEFORE)
    of_administrators = next(said for said in statements(scene) if isinstance(said, Person))
    common = evidence.in_common(StatementKind.PERSON)
    said = {**of_administrators.model_dump(), **common, "person": name, "party": party, "roles": [role]}
    take_in(journal, ACTOR, Person.model_validate(said), evidence.attests(by), PEOPLE, at)


def an_order(told: Behind, by: str, *, at: datetime = AT, act: str = RESTORE) -> bytes:
    return order_of({**told.told()}, by, at=at, act=act)


def order_of(told: Mapping[str, Json], by: str, *, at: datetime = AT, act: str = "") -> bytes:
    """For any act; ``act``: under another name."""
    given = common(ORIGIN, at, StatementKind.ORDER, last=timedelta(hours=1))
    target, act = order_target(told), act or str(told["act"])
    said = Order.model_validate({**given, "act": act, "target": target, "at": int(at.timestamp())})
    return evidence.attests(by).state(said)


def orders(told: Behind, *, at: datetime = AT) -> list[bytes]:
    return [an_order(told, by, at=at) for by in ADMINISTRATORS]


def back_up(journal: Journal, to: Path) -> Path:
    """A directory with a copy of the ledger as it is."""
    to.mkdir()
    with journal.ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(journal.ledger.file, to / journal.ledger.file.name)
    return to


def start(journal: Journal) -> None:
    """The record of a worker's start: from here on the ledger was served."""
    journal.write([Entry(kind=RecordKind.START, party=PartyName(""), body={"worker": "worker-0"})], at=AT)


def behind(journal: Journal, remembered: Head | None) -> Behind:
    with journal.ledger.read() as connection:
        found = find_behind(connection, remembered)
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class PutBack:
    """``journal`` is an operator's pen on the ledger that was put back; ``remembered`` is what the module has."""

    journal: Journal
    remembered: Head | None

    @property
    def behind(self) -> Behind:
        return behind(self.journal, self.remembered)

    def restore(self, *given: bytes, at: datetime = AT) -> Restored:
        return restore_ledger(self.journal, ACTOR, self.remembered, given, PEOPLE, packaged_policies(), at)


@contextmanager
def put_back(directory: Path, remembered: Head | None) -> Iterator[PutBack]:
    with books.a_book(directory, "operator") as journal:
        yield PutBack(journal, remembered)
