"""Whoever holds the machine puts another ledger in place, so that the broker itself cannot tell: others can.

The attacker has everything: the database, the token's files with the head that is kept in it, the audit-checkpoint key
inside. Only what was shown to others is out of reach: a client's last checkpoint, and the tiles that somebody copied.
A ledger cut short or reordered is found in the same way, without a broker: tests/client/test_ledger_watch.py and
tests/ledger/test_publishing.py.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.client import Broker
from keybroker.errors import LedgerForked
from keybroker.ledger.merkle import Frontier, leaf_hash
from keybroker.ledger.note_keys import write_vkey
from tests.server.broker import RunningBroker, running, wait_until
from tests.server.test_transparency import a_deployment, client, key_of, sign

pytestmark = pytest.mark.hsm

_HELD = ("data", "tokens")
_VIEW = "tiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A deployment that was served twice. ``early``: its ledger and token after the first time; ``late``: after the
    second, of which ``state`` is a client's and ``tiles`` are what was published."""

    deployment: Deployment
    vkey: str
    early: Path
    late: Path
    early_size: int

    @property
    def state(self) -> Path:
        return self.late / "state"

    def put_back(self, source: Path, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.deployment.directory / name)
            shutil.copytree(source / name, self.deployment.directory / name)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    directory = tmp_path_factory.mktemp("story")
    made = a_deployment(directory / "d", tiles=_VIEW)
    vkey = write_vkey(key_of(made))
    early, late = directory / "early", directory / "late"
    served(made, vkey, early, signatures=1)
    served(made, vkey, late, signatures=3)
    with sqlite3.connect(early / "data" / "ledger.sqlite") as connection:
        (size,) = connection.execute("SELECT tree_size FROM head").fetchone()
    connection.close()
    return Story(deployment=made, vkey=vkey, early=early, late=late, early_size=size)


def served(made: Deployment, vkey: str, keep: Path, *, signatures: int) -> None:
    """Serve and sign; every receipt is checked; then keep what there is."""
    keep.mkdir()
    with running(made) as broker:
        with watching(made, vkey, keep / "state") as supplier:
            for _ in range(signatures):
                sign(broker, supplier)
        shown = size_of(json.loads((keep / "state").read_text())["note"])
        wait_until(lambda: published_size(made) >= shown, seconds=30, otherwise=broker.log)
    for name in (*_HELD, _VIEW):
        shutil.copytree(made.directory / name, keep / name)


def watching(made: Deployment, vkey: str, state: Path | None = None) -> Broker:
    return client(made, "supplier-a", verify_receipts=True, ledger_key=vkey, ledger_state=state)


def size_of(note: str) -> int:
    return int(note.split("\n")[1])


def published_size(made: Deployment) -> int:
    file = made.directory / _VIEW / "checkpoint"
    return size_of(file.read_text()) if file.exists() else 0


Tamper = Callable[[sqlite3.Connection, int], object]


def leave(_connection: sqlite3.Connection, _size: int) -> None:
    """The old ledger whole, with the token of then."""


def rewrite(connection: sqlite3.Connection, size: int) -> None:
    """An outcome tells another moment."""
    wanted = "SELECT leaf_index, octets FROM record WHERE kind = 'outcome' AND leaf_index > ? LIMIT 1"
    index, octets = connection.execute(wanted, (size,)).fetchone()
    other = octets.replace(b'"at":"2', b'"at":"3', 1)
    assert other != octets
    connection.execute("UPDATE record SET octets = ? WHERE leaf_index = ?", (other, index))


def forge(file: Path, tamper: Tamper, size: int) -> None:
    """Change records behind ``size``, and make hashes and head again, as whoever knows the format can."""
    connection = sqlite3.connect(file)
    tamper(connection, size)
    frontier = Frontier()
    for index, octets in connection.execute("SELECT leaf_index, octets FROM record ORDER BY leaf_index").fetchall():
        leaf = leaf_hash(octets)
        connection.execute("UPDATE record SET leaf_hash = ? WHERE leaf_index = ?", (leaf, index))
        frontier.append(leaf)
    head = (frontier.size, frontier.root(), frontier.to_octets())
    connection.execute("UPDATE head SET tree_size = ?, root_hash = ?, frontier = ?", head)
    connection.commit()
    connection.close()


FORKS: dict[str, tuple[str, Tamper]] = {
    "an old database put back": ("early", leave),
    "a record rewritten": ("late", rewrite),
}


@pytest.mark.parametrize("name", FORKS)
def test_a_client_and_the_published_tiles_find_what_the_broker_cannot(story: Story, tmp_path: Path, name: str) -> None:
    source, tamper = FORKS[name]
    # The token's head is that of the early ledger, which every forged one extends: the broker starts.
    story.put_back(story.early if source == "early" else story.late, "data")
    story.put_back(story.early, "tokens")
    story.put_back(story.late, _VIEW)
    forge(story.deployment.directory / "data" / "ledger.sqlite", tamper, story.early_size)
    shutil.copy(story.state, tmp_path / "state")
    with running(story.deployment) as broker:
        supplier = watching(story.deployment, story.vkey, tmp_path / "state")
        with pytest.raises(LedgerForked, match="is not the one that it was"):
            find(broker, supplier)
        with pytest.raises(LedgerForked):
            sign(broker, supplier)
        supplier.close()
        wait_until(lambda: not_published(broker), seconds=20, otherwise=broker.log)
    published = (story.deployment.directory / _VIEW / "checkpoint").read_bytes()
    assert published == (story.late / _VIEW / "checkpoint").read_bytes()


def test_two_clients_who_are_shown_two_ledgers_find_out_when_they_compare(story: Story) -> None:
    """The same broker, key and token; each client has only ever seen one of the two, and each is content."""
    story.put_back(story.early, *_HELD, _VIEW)
    with running(story.deployment) as broker, watching(story.deployment, story.vkey) as other:
        for _ in range(6):
            sign(broker, other)
        other.settle_receipts()
        kept = (story.late / _VIEW / "checkpoint").read_bytes()
        with pytest.raises(LedgerForked, match="is not the one that it was"):
            other.compare_checkpoint(kept)
        with pytest.raises(LedgerForked):
            sign(broker, other)
        other.close()


def find(broker: RunningBroker, supplier: Broker) -> None:
    """As a caller would: sign, and wait for the receipts."""
    for _ in range(3):
        sign(broker, supplier)
        supplier.settle_receipts()


def not_published(broker: RunningBroker) -> bool:
    told: list[dict[str, Any]] = broker.events("ledger not published")
    return any(event["reason"] == "LEDGER_FORKED" for event in told)
