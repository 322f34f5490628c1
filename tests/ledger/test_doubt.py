"""A COMMIT that raises is indeterminate: the truth is in the file, and what stays unknown is called unknown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event

from keybroker.errors import LedgerUnavailable, ModuleBusy, OutcomeUnknown
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, Failure, GivenAgain, Intent, Signature
from tests.ledger.books import a_permit, a_request, intend, intends, sign, signature_for
from tests.situations import AT

TROUBLE = "disk I/O error"


def lost(connection: Connection) -> None:
    """A COMMIT that raises and did not commit."""
    raise sqlite3.OperationalError(TROUBLE)


def kept(connection: Connection) -> None:
    """A COMMIT that raises and had in fact committed."""
    connection.connection.driver_connection.commit()  # type: ignore[union-attr]
    raise sqlite3.OperationalError(TROUBLE)


def unreadable(connection: Connection) -> None:
    """Nothing can be begun."""
    raise sqlite3.OperationalError(TROUBLE)


@contextmanager
def commits(
    journal: Journal, how: Callable[[Connection], None], *, times: int = 1, then: bool = True
) -> Iterator[None]:
    """Let the next ``times`` commits go as told; ``then`` says whether the file can be read after the last."""
    engine = journal.ledger._engine
    left = times

    def commit(connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            return
        if not then and left == 0:
            event.listen(engine, "begin", unreadable)
        how(connection)

    event.listen(engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(engine, "commit", commit)
        if event.contains(engine, "begin", unreadable):
            event.remove(engine, "begin", unreadable)


def test_goes_on_when_the_intents_are_there(journal: Journal) -> None:
    with commits(journal, kept):
        (intent,) = intends(journal, a_request("r"))
    assert isinstance(journal.conclude([signature_for(intent)], at=AT)[0], Concluded)
    assert audit.verify(journal.ledger, AT).signatures == 1


def test_says_unavailable_when_the_intents_are_not_there(journal: Journal) -> None:
    with commits(journal, lost), pytest.raises(LedgerUnavailable, match="nothing was written"):
        intends(journal, a_request("r"))
    assert isinstance(intend(journal, a_request("r"))[0], Intent)


@pytest.mark.parametrize("how", [lost, kept])
def test_uses_no_key_when_nobody_can_say_whether_the_intents_are_there(
    journal: Journal, how: Callable[[Connection], None]
) -> None:
    (before,) = intends(journal, a_request("before"))
    with commits(journal, how, then=False), pytest.raises(LedgerUnavailable, match="nothing was signed"):
        intends(journal, a_request("r", a_permit(2)))
    # The next batch closes what was left, and only that; this worker's other intent still ends as it should.
    sign(journal, a_request("s", a_permit(3)))
    assert isinstance(journal.conclude([signature_for(before)], at=AT)[0], Concluded)
    verified = audit.verify(journal.ledger, AT)
    assert verified.open_intents == ()
    assert verified.kinds.get("closed", 0) == (how is kept)
    assert isinstance(intend(journal, a_request("r", a_permit(2)))[0], Intent)


@pytest.mark.parametrize(("how", "times"), [(lost, 1), (kept, 1), (kept, 2)])
def test_concludes_at_the_second_attempt_or_finds_that_the_first_was_kept(
    journal: Journal, how: Callable[[Connection], None], times: int
) -> None:
    intents = intends(journal, a_request("r"), a_request("f", a_permit(2)))
    busy = ModuleBusy("busy")
    results: list[Signature | Failure] = [
        signature_for(intents[0]),
        Failure(intent=intents[1], error=busy, module_serial="1"),
    ]
    with commits(journal, how, times=times):
        concluded, failed = journal.conclude(results, at=AT)
    assert isinstance(concluded, Concluded)
    assert failed is busy
    assert audit.verify(journal.ledger, AT).kinds["outcome"] == 2


def test_finds_its_own_outcome_after_a_doubt_that_nobody_could_settle(journal: Journal) -> None:
    intents = intends(journal, a_request("r"), a_request("f", a_permit(2)))
    busy = ModuleBusy("busy")
    results: list[Signature | Failure] = [
        signature_for(intents[0]),
        Failure(intent=intents[1], error=busy, module_serial="1"),
    ]
    with commits(journal, kept, then=False), pytest.raises(OutcomeUnknown, match="nothing is released"):
        journal.conclude(results, at=AT)
    concluded, failed = journal.conclude(results, at=AT)
    assert isinstance(concluded, Concluded)
    assert failed is busy
    (again,) = intend(journal, a_request("r"))
    assert isinstance(again, GivenAgain)
    assert again.signature == concluded.signature


@pytest.mark.parametrize("how", [lost, kept])
def test_releases_nothing_whose_outcome_is_not_known_to_be_durable(
    journal: Journal, how: Callable[[Connection], None]
) -> None:
    (intent,) = intends(journal, a_request("r"))
    with commits(journal, how, then=False), pytest.raises(OutcomeUnknown):
        journal.conclude([signature_for(intent)], at=AT)
    # Asked again, the request meets what became of it: closed as unknown and judged anew, or the signature recorded.
    (answer,) = intend(journal, a_request("r"))
    assert isinstance(answer, GivenAgain if how is kept else Intent)
    if isinstance(answer, Intent):
        journal.conclude([signature_for(answer)], at=AT)
    assert audit.verify(journal.ledger, AT).open_intents == ()


def test_a_ledger_that_cannot_be_begun_is_unavailable(journal: Journal) -> None:
    event.listen(journal.ledger._engine, "begin", unreadable)
    with pytest.raises(LedgerUnavailable, match=TROUBLE):
        sign(journal, a_request("r"))
    with pytest.raises(LedgerUnavailable, match=TROUBLE):
        journal.head(AT)
    event.remove(journal.ledger._engine, "begin", unreadable)
    sign(journal, a_request("r"))


def test_a_ledger_whose_file_is_gone_is_unavailable(journal: Journal) -> None:
    file = journal.ledger.file
    journal.ledger._engine.dispose()
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    with pytest.raises(LedgerUnavailable, match="not there"):
        sign(journal, a_request("r"))
    with pytest.raises(LedgerUnavailable):
        journal.head(AT)
    file.rmdir()
    file.with_suffix(".away").rename(file)
    sign(journal, a_request("r"))


def test_a_reader_that_stands_in_the_way_leaves_it_unknown(journal: Journal) -> None:
    # A checkpoint cannot pass a reader of an earlier moment: durability is not proven, so nothing goes on.
    engine = journal.ledger._engine
    event.listen(engine, "connect", _impatient)
    with journal.ledger.read() as reader:
        reader.exec_driver_sql("SELECT * FROM head")
        with commits(journal, kept), pytest.raises(LedgerUnavailable):
            intends(journal, a_request("r"))
        reader.invalidate()  # its pool was given up meanwhile, and nobody else would close it
    event.remove(engine, "connect", _impatient)
    engine.dispose()
    sign(journal, a_request("s", a_permit(2)))
    assert audit.verify(journal.ledger, AT).kinds["closed"] == 1


def _impatient(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout = 50")
