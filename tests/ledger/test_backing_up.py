"""A back-up is one whole moment of a ledger that serves meanwhile, or there is none; and it is on record."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid, LedgerBroken, LedgerUnavailable
from keybroker.keys.upkeep import back_ups, last_back_up
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.backing_up import open_back_up, write_back_up
from keybroker.ledger.journal import Journal
from keybroker.ledger.merkle import Frontier, leaf_hash
from tests.ledger import backups, books
from tests.ledger.backups import RECIPIENT, in_the_open
from tests.ledger.books import a_permit, a_request, sign
from tests.situations import AT, ORIGIN


def filled(journal: Journal, count: int) -> None:
    sign(journal, *[a_request(f"r-{number}", a_permit(number)) for number in range(count)])


def test_replaces_no_file(journal: Journal, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"precious")
    with pytest.raises(ConfigurationInvalid, match="replaces nothing"):
        backups.made(journal, there)
    backups.made(journal, tmp_path / "back-up")
    with pytest.raises(ConfigurationInvalid, match="put nothing over a ledger"):
        open_back_up(tmp_path / "back-up", there, lambda header: header.envelope_for(RECIPIENT))
    assert there.read_bytes() == b"precious"


def test_leaves_nothing_where_it_cannot_be_opened(journal: Journal, tmp_path: Path) -> None:
    filled(journal, 3)
    backups.made(journal, tmp_path / "back-up")
    (tmp_path / "cut").write_bytes((tmp_path / "back-up").read_bytes()[:-1])
    with pytest.raises(LedgerBroken, match="a file that was cut there"):
        backups.opened(tmp_path / "cut", tmp_path / "opened")
    assert list((tmp_path / "opened").iterdir()) == []


def _limited(journal: Journal, to: Path) -> subprocess.CompletedProcess[str]:
    """A back-up in a process that may write no file longer than 100,000 octets."""
    url = books.url(journal.ledger.file.parent)
    program = (
        "import resource, signal; from datetime import UTC, datetime; from pathlib import Path;"
        "from keybroker.ledger.backing_up import write_back_up; from keybroker.ledger.reading import open_for_reading;"
        "from keybroker.terms import DeploymentKind;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"book = open_for_reading({url!r}, origin={ORIGIN!r}, deployment=DeploymentKind.TEST);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        f"write_back_up(book, Path({str(to)!r}), [b'c'], lambda key, _: key, datetime.now(UTC))"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_a_disk_that_is_full_is_told_and_leaves_nothing(journal: Journal, tmp_path: Path) -> None:
    filled(journal, 200)
    before = set(tmp_path.iterdir())
    done = _limited(journal, tmp_path / "back-up")
    assert "LedgerUnavailable: the back-up was not made" in done.stderr
    assert "nothing is left of it" in done.stderr
    assert set(tmp_path.iterdir()) - before == set()


def test_killed_while_it_is_written_nothing_stands_under_its_name(journal: Journal, tmp_path: Path) -> None:
    filled(journal, 20)
    to, part = tmp_path / "back-up", tmp_path / "back-up.part"
    program = (
        "import time; from pathlib import Path; from keybroker.ledger import backing_up;"
        "chunks = (bytes(65536) for number in range(10**6) if not time.sleep(0.01));"
        f"backing_up._write(Path({str(to)!r}), b'', chunks)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    until = time.monotonic() + 30
    while not part.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert part.exists()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not to.exists()
    # The next one takes the place of what was left.
    backups.made(journal, to)
    assert not part.exists()
    backups.opened(to, tmp_path / "opened")


def test_writers_go_on_and_the_copy_is_one_moment_of_them(journal: Journal, tmp_path: Path) -> None:
    filled(journal, 50)
    stop = threading.Event()

    def write() -> None:
        for number in range(50, 1_000):
            if stop.is_set():
                return
            sign(journal, a_request(f"r-{number}", a_permit(number)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [backups.made(journal, tmp_path / f"back-up-{number}") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    assert made[0].tree_size < made[1].tree_size < made[2].tree_size < journal.head(AT).tree_size
    # Each is whole by itself, and the ledger that went on holds the very trees that they hold.
    for number, each in enumerate(made):
        with books.a_book(backups.opened(tmp_path / f"back-up-{number}", tmp_path / f"opened-{number}")) as copy:
            verified = audit.verify(copy.ledger, AT)
        assert (verified.tree_size, verified.root_hash.hex()) == (each.tree_size, each.root_hash)
    audit.verify(journal.ledger, AT)


def test_each_is_on_record_with_its_digest(journal: Journal, tmp_path: Path) -> None:
    made = [backups.made(journal, tmp_path / name) for name in ("first", "second")]
    assert [each.backed_up for each in back_ups(journal.ledger)] == made
    with journal.ledger.read() as connection:
        assert last_back_up(connection) == AT.replace(microsecond=0)
    audit.verify(journal.ledger, AT)


def anew(change: Callable[[dict[str, object]], object]) -> Callable[[sqlite3.Connection], None]:
    """The record of the back-up says something else, and the tree is made anew over it."""

    def tamper(connection: sqlite3.Connection) -> None:
        frontier = Frontier()
        for index, octets in connection.execute("SELECT leaf_index, octets FROM record ORDER BY leaf_index").fetchall():
            body = canonical_json.decode(octets)
            act = body.get("body")
            if isinstance(act, dict) and act.get("act") == "BackUpLedger":
                change(act)  # type: ignore[arg-type]
            written = canonical_json.encode(body)
            frontier.append(leaf_hash(written))
            row = (written, leaf_hash(written), index)
            connection.execute("UPDATE record SET octets = ?, leaf_hash = ? WHERE leaf_index = ?", row)
        connection.execute("UPDATE head SET root_hash = ?, frontier = ?", (frontier.root(), frontier.to_octets()))

    return tamper


def statement(sql: str) -> Callable[[sqlite3.Connection], object]:
    return lambda connection: connection.execute(sql)


TAMPERED: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "a back-up of another tree": (anew(lambda act: act.update(root_hash="ab" * 32)), "a back-up held the root abab"),
    "a back-up of more records": (anew(lambda act: act.update(tree_size=99)), "expected what a back-up holds"),
    "a back-up for nobody": (anew(lambda act: act.update(recipients=[])), "expected what a back-up holds"),
    "a back-up that the table forgot": (statement("DELETE FROM upkeep"), "in the table upkeep; found None"),
    "a back-up at another time": (statement("UPDATE upkeep SET at = at + 1"), "in the table upkeep; found ('BackUp"),
    "another act": (statement("UPDATE upkeep SET act = 'RetainLedger'"), "found ('RetainLedger'"),
    "an act slipped in": (statement("INSERT INTO upkeep VALUES (1, 'RetainLedger', 0)"), "names 1, which tells of no"),
    "an act that is no record": (statement("INSERT INTO upkeep VALUES (99, 'AgeRecords', 0)"), "99, which is none"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_an_auditor_names(journal: Journal, tmp_path: Path, case: str) -> None:
    filled(journal, 2)
    backups.made(journal, tmp_path / "back-up")
    tamper, said = TAMPERED[case]
    connection = sqlite3.connect(journal.ledger.file)
    with connection:
        tamper(connection)
    connection.close()
    with pytest.raises(LedgerBroken) as found:
        audit.verify(journal.ledger, AT)
    assert said in found.value.sentence


def test_says_where_there_is_no_ledger_in_it(journal: Journal, tmp_path: Path) -> None:
    write_back_up(journal.ledger, tmp_path / "back-up", [RECIPIENT], in_the_open, AT)
    with pytest.raises(LedgerBroken, match="expected a recipient"):
        open_back_up(tmp_path / "back-up", tmp_path / "x", lambda header: header.envelope_for(b"another"))
    with pytest.raises(LedgerUnavailable, match="the back-up was not opened"):
        backups.opened(tmp_path / "nowhere", tmp_path / "opened")
