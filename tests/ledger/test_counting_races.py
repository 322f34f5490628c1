"""Anomaly Detection Thresholds between workers at once, also where they are killed: never more than N, exactly N."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest

from keybroker.ledger import audit
from tests.ledger import books
from tests.ledger.thresholds import count, count_so_often
from tests.situations import AT


@pytest.mark.clause("G6.3(a)", "G6.6(a)", "G6.6(c)", shows="refusal")
def test_a_race_of_two_workers_lets_exactly_n_through(tmp_path: Path) -> None:
    """Concurrency: two processes of four threads each, on one ledger."""
    books.a_ledger(tmp_path).close()
    context = multiprocessing.get_context("forkserver")
    workers = [
        context.Process(target=count_so_often, args=(tmp_path, f"worker-{number}", 120, 97)) for number in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert len((tmp_path / "let-through").read_text().splitlines()) == 97
    with books.a_book(tmp_path) as journal:
        journal.close_open_intents(AT)
        verified = audit.verify(journal.ledger, AT)
        assert verified.kinds["intent"] == 97
        assert verified.kinds["refusal"] == 240 - 97


LIVES = 6
"""At least; on a busy machine a life may end before much was let through."""


def intents(directory: Path) -> int:
    with books.a_book(directory) as journal:
        return audit.verify(journal.ledger, AT).kinds.get("intent", 0)


def test_a_race_of_workers_that_are_killed_lets_never_more_through(tmp_path: Path) -> None:
    """Concurrency and kill -9 at any moment: no count is lost with its worker."""
    moments = random.Random(20260116)  # noqa: S311 - reproducible moments, no secrets
    most = 60
    books.a_ledger(tmp_path).close()
    context = multiprocessing.get_context("forkserver")
    for life in range(40):
        if life >= LIVES and intents(tmp_path) == most:
            break
        workers = [
            context.Process(target=count, args=(tmp_path, f"worker-{number}", life, most), daemon=True)
            for number in range(2)
        ]
        for worker in workers:
            worker.start()
        wait_until_started(tmp_path, 2 * (life + 1))
        time.sleep(moments.random() * 0.1)
        for worker in workers:
            worker.kill()
            worker.join()
    with books.a_book(tmp_path) as journal:
        journal.close_open_intents(AT)
        verified = audit.verify(journal.ledger, AT)
        assert verified.kinds["intent"] == most
        told = (tmp_path / "let-through").read_text().splitlines()
        assert len(set(told)) == len(told) <= most


def wait_until_started(directory: Path, workers: int) -> None:
    started, until = directory / "started", time.monotonic() + 60
    while not started.exists() or len(started.read_bytes()) < workers:
        assert time.monotonic() < until, "the workers do not start"
        time.sleep(0.01)
