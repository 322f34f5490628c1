"""kill -9 at any moment, two workers at once: no outcome without intent, nothing acknowledged that is not recorded."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

from keybroker.ledger import audit, canonical_json
from keybroker.ledger.anchor import check_anchor
from tests.ledger import at_work, books
from tests.situations import AT

LIVES = 14


def told(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def wait_for_both(file: Path, life: int) -> None:
    """Until both were at work in this life: on a busy machine that takes its time."""
    until = time.monotonic() + 60
    while not all(any(line.startswith(f"worker-{number}-{life}-") for line in told(file)) for number in range(2)):
        assert time.monotonic() < until, "the workers do not work"
        time.sleep(0.01)


def test_loses_nothing_that_was_acknowledged_when_workers_are_killed(tmp_path: Path) -> None:
    moments = random.Random(20260115)  # noqa: S311 - reproducible moments, no secrets
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ledger.at_work"])
    books.a_ledger(tmp_path).close()
    killed = 0
    for life in range(LIVES):
        workers = [
            context.Process(target=at_work.work, args=(tmp_path, f"worker-{number}", life), daemon=True)
            for number in range(2)
        ]
        for worker in workers:
            worker.start()
        wait_for_both(tmp_path / "acknowledged", life)
        time.sleep(moments.random() * 0.25)
        for worker in workers:
            time.sleep(moments.random() * 0.02)
            worker.kill()
        for worker in workers:
            worker.join()
            killed += worker.exitcode == -9
    assert killed == 2 * LIVES

    with books.a_book(tmp_path) as journal:
        # Intents without outcome are there, closed or open; verification finds every outcome behind its intent.
        check_anchor(journal.ledger, journal.head(AT))
        audit.verify(journal.ledger, AT)
        journal.close_open_intents(AT)
        verified = audit.verify(journal.ledger, AT)
        assert verified.open_intents == ()
        assert verified.kinds["intent"] == verified.kinds["outcome"] + verified.kinds.get("closed", 0)
        acknowledged = (tmp_path / "acknowledged").read_text().splitlines()
        assert len(acknowledged) > LIVES
        for line in acknowledged:
            name, signature, index = line.split()
            stored = journal.find(int(index))
            assert stored is not None, name
            assert canonical_json.decode(stored.octets)["signature"] == signature
        assert verified.signatures >= len(acknowledged)
        # They took turns: neither starved.
        shares = [sum(line.startswith(f"worker-{number}-") for line in acknowledged) for number in range(2)]
        assert min(shares) > sum(shares) / 5
