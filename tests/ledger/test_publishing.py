"""Tiles in a directory: another ledger's are not written over, and whenever whoever writes them dies they are whole."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from keybroker.errors import ConfigurationInvalid, LedgerForked, LedgerUnavailable
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.publishing import Publisher
from keybroker.ledger.reading import Reader, open_for_reading
from keybroker.ledger.tiles import decode_entries
from keybroker.terms import DeploymentKind, PartyName
from tests.ledger import books
from tests.ledger.published import read_published
from tests.situations import AT, ORIGIN

T = TypeVar("T")


def write(journal: Journal, count: int, text: str = "") -> None:
    entry = Entry(kind=RecordKind.READ, party=PartyName(""), body={"operation": f"ListKeys{text}"})
    journal.write([entry] * count, at=AT)


def checkpoint(journal: Journal) -> None:
    size = journal.head(AT).tree_size
    books.sign(journal, books.a_request(f"checkpoint {size}", books.a_checkpoint(journal)))


def a_reader(directory: Path) -> Reader:
    return open_for_reading(books.url(directory), origin=ORIGIN, deployment=DeploymentKind.TEST)


@pytest.fixture
def grown(journal: Journal) -> Journal:
    """700 records and three checkpoints, the last with a full tile of level 0 behind it twice."""
    for count in (100, 200, 400):
        write(journal, count)
        checkpoint(journal)
    return journal


def rewrite(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE record SET leaf_hash = zeroblob(32) WHERE leaf_index = 50")


def swap(connection: sqlite3.Connection) -> None:
    first, second = connection.execute("SELECT leaf_hash FROM record WHERE leaf_index IN (50, 102)").fetchall()
    for leaf, index in ((second, 50), (first, 102)):
        connection.execute("UPDATE record SET leaf_hash = ? WHERE leaf_index = ?", (*leaf, index))


def cut(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM record WHERE leaf_index >= 300")
    connection.execute("DELETE FROM checkpoint WHERE tree_size > 300")
    leaves = connection.execute("SELECT leaf_hash FROM record ORDER BY leaf_index").fetchall()
    frontier = Frontier()
    frontier.extend(leaf for (leaf,) in leaves)
    head = (frontier.size, frontier.root(), frontier.to_octets())
    connection.execute("UPDATE head SET tree_size = ?, root_hash = ?, frontier = ?", head)


@pytest.mark.parametrize("tamper", [rewrite, swap, cut])
def test_refuses_to_go_on_where_the_ledger_does_not_extend_what_was_published(
    grown: Journal, tmp_path: Path, tamper: Callable[[sqlite3.Connection], None]
) -> None:
    tiles = tmp_path / "tiles"
    with_reader(tmp_path, lambda ledger: Publisher(ledger, tiles, entries=False).publish())
    before = read_published(tiles)[0]
    with sqlite3.connect(grown.ledger.file) as connection:
        tamper(connection)
    connection.close()
    with pytest.raises(LedgerForked, match="does not extend it"):
        with_reader(tmp_path, lambda ledger: Publisher(ledger, tiles, entries=False))
    assert read_published(tiles)[0] == before


def test_refuses_to_publish_a_tree_that_is_not_the_one_that_was_signed(grown: Journal, tmp_path: Path) -> None:
    with sqlite3.connect(grown.ledger.file) as connection:
        rewrite(connection)
    connection.close()
    with pytest.raises(LedgerForked, match="changed since; nothing is published"):
        with_reader(tmp_path, lambda ledger: Publisher(ledger, tmp_path / "tiles", entries=False).publish())
    assert not (tmp_path / "tiles" / "checkpoint").exists()


def test_refuses_to_write_over_a_tile_that_holds_something_else(grown: Journal, tmp_path: Path) -> None:
    tile = tmp_path / "tiles" / "tile" / "0" / "000"
    tile.parent.mkdir(parents=True)
    tile.write_bytes(bytes(8192))
    with pytest.raises(LedgerForked, match="holds another tile"):
        with_reader(tmp_path, lambda ledger: Publisher(ledger, tmp_path / "tiles", entries=False).publish())
    assert tile.read_bytes() == bytes(8192)


def test_refuses_entries_that_no_bundle_can_hold_and_publishes_the_hashes_alone(
    journal: Journal, tmp_path: Path
) -> None:
    write(journal, 1, "x" * 66_000)
    checkpoint(journal)
    with pytest.raises(ConfigurationInvalid, match="entries cannot be published"):
        with_reader(tmp_path, lambda ledger: Publisher(ledger, tmp_path / "a", entries=True).publish())
    assert not (tmp_path / "a" / "checkpoint").exists()
    assert with_reader(tmp_path, lambda ledger: Publisher(ledger, tmp_path / "b", entries=False).publish())
    assert read_published(tmp_path / "b")[0] == 2


def test_says_that_a_place_cannot_be_written(grown: Journal, tmp_path: Path) -> None:
    (tmp_path / "tiles").write_text("a file")
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        with_reader(tmp_path, lambda ledger: Publisher(ledger, tmp_path / "tiles", entries=False))


def test_whenever_it_is_killed_whoever_reads_finds_every_tile_of_the_checkpoint(
    journal: Journal, tmp_path: Path
) -> None:
    """SIGKILL at moments that nobody chose, and each time somebody else goes on."""
    for count in (40, 180, 60, 300, 1, 7, 130, 256, 80, 33):
        write(journal, count)
        checkpoint(journal)
    tiles, chance, sizes = tmp_path / "tiles", random.Random(6), [0]  # noqa: S311  # moments, not secrets
    for _ in range(60):
        child = os.fork()
        if not child:
            try:
                with_reader(tmp_path, lambda ledger: Publisher(ledger, tiles, entries=True).publish())
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if (tiles / "checkpoint").exists():
            sizes.append(read_published(tiles)[0])
    assert sizes == sorted(sizes)
    with_reader(tmp_path, lambda ledger: Publisher(ledger, tiles, entries=True).publish())
    assert read_published(tiles)[0] == journal.head(AT).tree_size - 2


def test_publishes_what_was_signed_since_and_the_entries_hash_to_the_leaves(grown: Journal, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    with_reader(tmp_path, lambda ledger: Publisher(ledger, tiles, entries=True).publish())
    size, tree = read_published(tiles)
    assert size == 705
    for number, width in ((0, 256), (1, 256), (2, 705 - 512)):
        name = f"{number:03}" + ("" if width == 256 else f".p/{width}")
        records = decode_entries((tiles / "tile" / "entries" / name).read_bytes(), width)
        hashes = (tiles / "tile" / "0" / name).read_bytes()
        assert b"".join(map(leaf_hash, records)) == hashes
    assert not (tiles / "tile" / "0" / "000.p").exists()
    write(grown, 3)
    checkpoint(grown)
    reader = a_reader(tmp_path)
    publisher = Publisher(reader, tiles, entries=True)
    assert publisher.publish()
    assert not publisher.publish()
    reader.close()
    assert read_published(tiles)[0] == 710
    assert tree.get_size() == 705


def with_reader(directory: Path, work: Callable[[Reader], T]) -> T:
    reader = a_reader(directory)
    try:
        return work(reader)
    finally:
        reader.close()


def test_one_at_a_time_has_a_checkpoint_signed(journal: Journal, tmp_path: Path) -> None:
    other = books.a_ledger(tmp_path)
    held = journal.ledger.hold_checkpoints()
    assert held is not None
    assert other.hold_checkpoints() is None
    held.close()
    again = other.hold_checkpoints()
    assert again is not None
    again.close()
    other.close()
