"""Does the ledger extend what the module remembers, asked once a batch: each way in which it does not, and the cost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from keybroker.hsm.remembered import Remembered, awake_or_not
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Head
from tests.fakes import FakeModule
from tests.keys.restoring import start
from tests.ledger import books
from tests.ledger.books import a_request, sign
from tests.situations import AT

PAUSE = 10.0


@dataclass(slots=True)
class Stage:
    """``seconds`` is what the machine's own clock shows."""

    journal: Journal
    module: FakeModule = field(default_factory=FakeModule)
    seconds: float = 1000.0
    remembered: Remembered = field(init=False)

    def __post_init__(self) -> None:
        self.remembered = Remembered(self.module, self.journal, pause_seconds=PAUSE, now=lambda: self.seconds)

    def keep(self) -> Head:
        head = self.journal.head(AT)
        self.module.write_anchor(head)
        return head

    def put(self, head: Head | None) -> None:
        """As if somebody else had put it there, or taken it away."""
        self.module._head = head

    def ask(self) -> str:
        return self.remembered(AT)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with books.a_book(tmp_path) as journal:
        start(journal)
        sign(journal, a_request("a"), a_request("b"))
        yield Stage(journal)


def goes_away(stage: Stage) -> None:
    stage.module.away = True


REFUSED: dict[str, tuple[Callable[[Stage], object], str]] = {
    "more than the ledger has": (lambda it: it.put(replace(it.keep(), tree_size=9)), "has 6 records, the module reme"),
    "another root": (lambda it: it.put(replace(it.keep(), root_hash=bytes(32))), "of 6 records the module remembers"),
    "another ledger": (lambda it: it.put(replace(it.keep(), origin="x/TEST")), "the module remembers ledger x/TEST"),
    "no head any more": (lambda it: it.put(None), "found none"),
    "unreachable": (goes_away, "no comparison: the module is away"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_shuts_where_the_module_remembers(stage: Stage, case: str) -> None:
    """At the first batch; and after a pause, where it stood open before."""
    spoil, why = REFUSED[case]
    spoil(stage)
    assert why in stage.ask()
    assert why in stage.ask()


@pytest.mark.parametrize("case", REFUSED)
def test_shuts_after_a_pause_and_not_within_it(stage: Stage, case: str) -> None:
    spoil, why = REFUSED[case]
    stage.keep()
    assert stage.ask() == ""
    spoil(stage)
    stage.seconds += PAUSE
    assert stage.ask() == ""
    stage.seconds += 1
    assert (why if case != "no head any more" else "remembers no head of this ledger any more") in stage.ask()


def test_a_head_that_became_smaller_is_noticed_although_the_ledger_extends_it(stage: Stage) -> None:
    before = stage.keep()
    sign(stage.journal, a_request("c"))
    stage.keep()
    assert stage.ask() == ""
    stage.put(before)
    stage.seconds += PAUSE + 1
    assert "remembered 8 records before, and now 6" in stage.ask()


def test_another_history_that_has_grown_beyond_what_is_remembered_is_noticed(stage: Stage, tmp_path: Path) -> None:
    """Put into the very file that is open, so that no file was replaced."""
    stage.keep()
    older = tmp_path / "older"
    older.mkdir()
    with stage.journal.ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(stage.journal.ledger.file, older / stage.journal.ledger.file.name)
    sign(stage.journal, a_request("c"))
    assert stage.ask() == ""
    with books.a_book(older, "worker-9") as other:
        sign(other, a_request("d"), a_request("e"))
        with other.ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    stage.journal.ledger._engine.dispose()
    stage.journal.ledger.file.write_bytes((older / stage.journal.ledger.file.name).read_bytes())
    stage.seconds += PAUSE + 1
    assert "record 7 of the ledger is not the one that it was" in stage.ask()


@pytest.mark.parametrize("leap", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "back"])
def test_a_clock_that_leaps_counts_as_a_pause(stage: Stage, leap: timedelta) -> None:
    stage.keep()
    assert stage.ask() == ""
    stage.module.away = True
    assert "away" in stage.remembered(AT + leap)


def test_opens_again_with_the_next_comparison_that_is_good(stage: Stage) -> None:
    stage.keep()
    stage.module.away = True
    assert stage.ask() != ""
    stage.module.away = False
    assert stage.ask() == ""


def test_a_ledger_that_never_served_needs_no_head(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        assert Stage(journal).ask() == ""


def test_other_workers_may_have_kept_a_greater_head_meanwhile(stage: Stage, tmp_path: Path) -> None:
    with books.a_book(tmp_path, "worker-1") as other:
        stage.keep()
        for number in range(3):
            sign(other, a_request(f"other-{number}"))
            stage.module.write_anchor(other.head(AT))
            stage.seconds += PAUSE + 1
            assert stage.ask() == ""


def test_the_clock_of_pauses_runs_on() -> None:
    first = awake_or_not()
    assert awake_or_not() >= first
