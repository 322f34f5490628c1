"""Uses that count against Anomaly Detection Thresholds, for the ledger's tests; and what a User says of one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from keybroker.cli.dev.statements import KINDS, OFFICER
from keybroker.errors import KeybrokerError, ThresholdExceeded
from keybroker.gates.model import Permit
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.quarantine import Quarantined, act_on, quarantined
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Intent, RequestIdentity
from keybroker.policy.claim import Counted
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import QuarantineAction
from tests import evidence
from tests.keys.restoring import ACTOR, PEOPLE, UNTIL, vouch_for
from tests.ledger import books
from tests.situations import AT

USER = "90-B3-D5-1F-AA-01-00-00"
SPEAKS = "speaks-for-supplier-a"
"""Who says what becomes of its quarantined communications."""
VOUCHES = "vouches-for-whoever-speaks"
SECOND = timedelta(seconds=1)
Asked = tuple[RequestIdentity, Permit]


def counted(name: str = "critical 7.2", most: int = 3, *, period: int = 3_600, **changes: Any) -> Counted:
    """A count with a threshold of ``most``, and no warning before it."""
    given: dict[str, Any] = {
        "clause": "G6.3(a)(i)",
        "name": name,
        "told": f"{name} of the User",
        "period_seconds": period,
        "warning": most,
        "quarantine": most,
        "user": USER,
    }
    return Counted(**(given | changes))


def asking(name: str, *counts: Counted, counter: int = 1) -> Asked:
    """A request that counts; one ``counter`` is one message."""
    permit = replace(books.a_permit(counter), counts=counts)
    return books.a_request(name, permit, sha256=sha256(f"{name} {counter}".encode()).digest())


def begin(journal: Journal, *asked: Asked, at: datetime = AT) -> list[Intent | KeybrokerError]:
    """The first transaction: an intent for each, or why there is none."""
    answers = books.intend(journal, *asked, at=at)
    return [answer if isinstance(answer, Intent) else answer.error for answer in answers]  # type: ignore[union-attr]


def let_through(journal: Journal, *asked: Asked, at: datetime = AT) -> int:
    """How many of them got an intent; the others exceeded a threshold."""
    answers = begin(journal, *asked, at=at)
    intents = [answer for answer in answers if isinstance(answer, Intent)]
    assert all(isinstance(answer, Intent | ThresholdExceeded) for answer in answers), answers
    return len(intents)


def held(journal: Journal, *, every: bool = False) -> list[Quarantined]:
    with journal.ledger.read() as connection:
        return quarantined(connection, every=every)


def act(journal: Journal, which: int, action: str) -> None:
    """The User says what becomes of it."""
    (one,) = (each for each in held(journal, every=True) if each.record == which)
    enrol_user(journal)
    said = {"user": one.user, "record": which, "octets_sha256": one.octets_sha256, "action": action}
    given = evidence.in_common(StatementKind.QUARANTINE_ACTION)
    octets = evidence.attests(SPEAKS).state(QuarantineAction.model_validate(given | said))
    act_on(journal, ACTOR, octets, PEOPLE, AT)


def enrol_user(journal: Journal) -> None:
    """Whoever speaks for the User, unless somebody is enrolled already."""
    with journal.ledger.read() as connection:
        if read_standing(connection).attesters:
            return
    speaks = frozenset({StatementKind.ORDER, StatementKind.QUARANTINE_ACTION})
    for name, party, kinds in ((SPEAKS, "supplier-a", speaks), (VOUCHES, "operator", KINDS[OFFICER])):
        certificate = evidence.attests(name).certificate
        asked = Enrolment(name=name, party=party, certificate=certificate, kinds=kinds, until=UNTIL)
        enrol_attester(journal, ACTOR, asked, PEOPLE, evidence.BEFORE)
    vouch_for(journal, SPEAKS, "supplier-a", by=VOUCHES)


def rows(journal: Journal) -> dict[bytes, bytes]:
    with journal.ledger.read() as connection:
        return {row.name: row.buckets for row in connection.execute(select(tables.anomaly_count))}


def put_row(journal: Journal, name: bytes, buckets: bytes) -> None:
    journal.ledger.transact(
        lambda turn: turn.connection.execute(insert(tables.anomaly_count).values(name=name, buckets=buckets))
    )


def count(directory: Path, worker: str, life: int, most: int) -> None:
    """Ask without end, in batches, for what ``most`` may have; tell each intent as soon as it is durable."""
    journal, told = _begin_life(directory, worker)
    batch = 0
    while True:
        batch += 1
        names = [f"{worker}-{life}-{batch}-{item}" for item in range(1 + batch % 4)]
        for name in _intents(journal, *(asking(name, counted(most=most), counter=1 + batch % 5) for name in names)):
            os.write(told, f"{name}\n".encode())


def count_so_often(directory: Path, worker: str, often: int, most: int) -> None:
    """The same, ``often`` times, one at a time, by four threads."""
    journal, told = _begin_life(directory, worker)

    def ask(number: int) -> None:
        for name in _intents(journal, asking(f"{worker}-{number}", counted(most=most), counter=1 + number % 5)):
            os.write(told, f"{name}\n".encode())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(often)))


def _begin_life(directory: Path, worker: str) -> tuple[Journal, int]:
    """A pen, with every permit made; and where it tells what was let through."""
    for counter in range(1, 6):
        books.a_permit(counter)
    journal = books.a_journal(books.a_ledger(directory), worker)
    journal.close_open_intents(AT)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.write(os.open(directory / "started", flags, 0o600), b".")
    return journal, os.open(directory / "let-through", flags, 0o600)


def _intents(journal: Journal, *asked: Asked) -> list[str]:
    return [answer.identity.request_id for answer in begin(journal, *asked) if isinstance(answer, Intent)]
