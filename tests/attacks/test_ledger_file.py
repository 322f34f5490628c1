"""The ledger's file changed under a broker that runs: nothing is signed on a ledger that forgot."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid, LedgerBroken, LedgerUnavailable
from keybroker.ledger import audit, tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.store import hold_ledger
from tests.ledger import books
from tests.ledger.books import a_request, sign
from tests.situations import AT


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        yield journal


def checkpointed_copy(journal: Journal, to: Path) -> Path:
    with journal.ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(journal.ledger.file, to)
    return to


def test_yesterdays_file_moved_over_the_open_one_is_noticed(journal: Journal, tmp_path: Path) -> None:
    sign(journal, a_request("a"))
    yesterday = checkpointed_copy(journal, tmp_path / "yesterday")
    sign(journal, a_request("b"))
    yesterday.rename(journal.ledger.file)
    with pytest.raises(LedgerBroken, match="replaced"):
        sign(journal, a_request("c"))
    with pytest.raises(LedgerBroken, match="replaced"):
        journal.head(AT)


def test_an_open_file_that_is_removed_takes_no_more_intents(journal: Journal) -> None:
    sign(journal, a_request("a"))
    journal.ledger.file.unlink()
    with pytest.raises(LedgerUnavailable):
        sign(journal, a_request("b"))


@pytest.mark.parametrize("grown", [0, 1, 2], ids=["smaller", "as large", "larger"])
def test_yesterdays_content_put_into_the_open_file_is_noticed(journal: Journal, tmp_path: Path, grown: int) -> None:
    sign(journal, a_request("a"))
    yesterday = checkpointed_copy(journal, tmp_path / "yesterday")
    sign(journal, a_request("b"))
    checkpointed_copy(journal, tmp_path / "today")
    # The other history grows in a directory of its own, then is written into the same inode.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    yesterday.rename(elsewhere / journal.ledger.file.name)
    with books.a_book(elsewhere, "worker-9") as other:
        for number in range(grown):
            sign(other, a_request(f"other-{number}"))
        grown_copy = checkpointed_copy(other, tmp_path / "grown")
    journal.ledger._engine.dispose()
    journal.ledger.file.write_bytes(grown_copy.read_bytes())
    with pytest.raises(LedgerBroken, match="rolled back or replaced"):
        sign(journal, a_request("c"))


def test_several_writers_do_not_take_one_another_for_a_rollback(journal: Journal, tmp_path: Path) -> None:
    with books.a_book(tmp_path, "worker-1") as second:
        for number in range(3):
            sign(journal, a_request(f"first-{number}"))
            sign(second, a_request(f"second-{number}"))


def test_a_symbolic_link_does_not_let_a_second_broker_in(journal: Journal, tmp_path: Path) -> None:
    link = tmp_path / "link.sqlite"
    link.symlink_to(journal.ledger.file)
    held = hold_ledger(books.url(tmp_path))
    with pytest.raises(LedgerUnavailable, match="another broker"):
        hold_ledger(f"sqlite:///{link}")
    held.close()


def test_a_hard_link_is_no_ledger(journal: Journal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / journal.ledger.file.name).hardlink_to(journal.ledger.file)
    with pytest.raises(ConfigurationInvalid, match="hard link"), books.a_book(elsewhere):
        pass


@pytest.mark.parametrize("origin", ["", "two words", "a\nb", "keybroker.example/é", "x" * 256])
def test_an_origin_that_no_checkpoint_can_hold_is_refused_before_it_is_written(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="origin"):
        books.a_ledger(tmp_path, origin=origin)
    assert not list(tmp_path.iterdir())


def test_a_digest_that_is_not_of_the_octets_kept_is_named(journal: Journal) -> None:
    sign(journal, a_request("a"))
    records, octets = tables.record, tables.octets
    with journal.ledger._engine.begin() as connection:
        row = connection.execute(records.select().where(records.c.kind == "intent")).one()
        other = books.a_permit(2).decision.content
        forged = row.octets.replace(
            hashlib.sha256(books.a_permit().decision.content.octets).hexdigest().encode(),
            hashlib.sha256(other.octets).hexdigest().encode(),
        )
        connection.execute(
            records.update()
            .where(records.c.leaf_index == row.leaf_index)
            .values(octets=forged, leaf_hash=leaf_hash(forged))
        )
        connection.execute(octets.update().values(octets=other.octets, sha256=hashlib.sha256(other.octets).digest()))
    with pytest.raises(LedgerBroken, match="digest of the octets that are kept"):
        audit.verify(journal.ledger, AT)


def test_others_cannot_read_the_messages_that_are_kept(journal: Journal) -> None:
    assert journal.ledger.file.stat().st_mode & 0o077 == 0
