"""What a client notices of a ledger that is not what it was; each in its own words, and at every call from then on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.client.ledger_watch import OVERDUE_SECONDS, LedgerWatch
from keybroker.errors import ContentMalformed, LedgerForked, NoteUnfit
from tests.client.a_log import ALog

RECORDS = [f"record {number}" for number in range(7)]


async def watched(log: ALog, state: Path | None = None) -> LedgerWatch:
    """Having seen seven records, each of which has a receipt that was checked."""
    watch = LedgerWatch(log.vkey, state)
    for receipt in log.append(*RECORDS):
        watch.add(receipt, 0.0)
    await watch.look(log, 0.0)
    assert watch.pending == 0
    return watch


async def cut_short(log: ALog) -> None:
    del log.leaves[5:]
    log.shown = 5


async def an_old_one_put_back_that_has_grown(log: ALog) -> None:
    del log.leaves[5:]
    log.append("other 5", "other 6", "other 7", "other 8")


async def rewritten(log: ALog) -> None:
    log.leaves[3] = log.leaves[4]
    log.append("more")


async def reordered(log: ALog) -> None:
    log.leaves[3], log.leaves[4] = log.leaves[4], log.leaves[3]
    log.append("more")


async def another_of_the_same_size(log: ALog) -> None:
    log.leaves[6] = log.leaves[0]


async def signed_by_another_key(log: ALog) -> None:
    log.private_key = ALog().private_key


FORKS: dict[str, tuple[Callable[[ALog], Awaitable[None]], str]] = {
    "cut short": (cut_short, "it showed 7 records, and shows 5 now"),
    "an old database": (an_old_one_put_back_that_has_grown, "not proven to extend that of 7"),
    "a record rewritten": (rewritten, "not proven to extend that of 7"),
    "two records reordered": (reordered, "not proven to extend that of 7"),
    "another tree of the same size": (another_of_the_same_size, "expected no hashes and root"),
    "another key": (signed_by_another_key, "a checkpoint that its key did not sign"),
}


@pytest.mark.parametrize("name", FORKS)
async def test_raises_at_a_ledger_that_is_not_what_it_was_and_goes_on_raising(name: str) -> None:
    spoil, sentence = FORKS[name]
    log = ALog()
    watch = await watched(log)
    watch.check()
    await spoil(log)
    with pytest.raises(LedgerForked, match=sentence):
        await watch.look(log, 1.0)
    with pytest.raises(LedgerForked, match=sentence):
        watch.check()


@pytest.mark.parametrize("name", FORKS)
async def test_remembers_in_its_file_what_it_was_shown_before_it_was_started_again(tmp_path: Path, name: str) -> None:
    spoil, _ = FORKS[name]
    log, vkey = ALog(), ""
    vkey = log.vkey
    await watched(log, tmp_path / "state")
    await spoil(log)
    with pytest.raises(LedgerForked):
        await LedgerWatch(vkey, tmp_path / "state").look(log, 0.0)


async def test_raises_at_a_receipt_for_what_the_ledger_does_not_hold() -> None:
    log = ALog()
    watch = await watched(log)
    (receipt,) = log.append("promised")
    watch.add(replace(receipt, leaf_hash=bytes(32)), 0.0)
    with pytest.raises(LedgerForked, match="a receipt for what it does not hold: leaf 7"):
        await watch.look(log, 0.0)


async def test_raises_at_a_receipt_that_no_checkpoint_covers_in_time() -> None:
    log = ALog()
    watch = await watched(log)
    (receipt,) = log.append("promised")
    log.shown -= 1
    watch.add(receipt, 0.0)
    await watch.look(log, OVERDUE_SECONDS)
    with pytest.raises(LedgerForked, match="no checkpoint covers record 7"):
        await watch.look(log, OVERDUE_SECONDS + 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"origin": "other.example"}, "a receipt of other.example"),
        ({"leaf_hash": bytes(32)}, "two receipts for record"),
    ],
)
async def test_raises_at_a_receipt_that_cannot_be_this_ledgers(changes: dict[str, object], sentence: str) -> None:
    log = ALog()
    watch = await watched(log)
    (receipt,) = log.append("promised")
    watch.add(receipt, 0.0)
    with pytest.raises(LedgerForked, match=sentence):
        watch.add(replace(receipt, **changes), 0.0)  # type: ignore[arg-type]  # a table of fields


async def test_two_clients_who_were_shown_two_ledgers_find_out_when_they_compare() -> None:
    mine, yours = ALog(), ALog()
    yours.private_key = mine.private_key
    watch, other = await watched(mine), await watched(yours)
    assert watch.head is not None
    await other.compare(yours, watch.head.note)
    mine.append("what I was shown")
    yours.append("what you were shown", "and more")
    await watch.look(mine, 0.0)
    with pytest.raises(LedgerForked, match="not proven to extend"):
        await other.compare(yours, watch.head.note)


async def test_compares_with_whoever_saw_more_or_less_of_the_same() -> None:
    log = ALog()
    watch = await watched(log)
    earlier = log.note(3)
    log.append("more")
    await watch.compare(log, earlier)
    await watch.compare(log, log.note(8))
    assert watch.head is not None
    assert watch.head.tree_size == 8


async def test_a_checkpoint_longer_than_what_the_broker_holds_is_a_fork() -> None:
    log, longer = ALog(), ALog()
    longer.private_key = log.private_key
    watch = await watched(log)
    longer.append(*RECORDS, "more")
    with pytest.raises(LedgerForked, match="expected at most 7, found 8"):
        await watch.compare(log, longer.note(8))


def test_refuses_a_state_or_a_key_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ContentMalformed):
        LedgerWatch("no key", None)
    log = ALog()
    log.append("one")
    (tmp_path / "state").write_text("{}")
    with pytest.raises(ValueError, match="what a client kept"):
        LedgerWatch(log.vkey, tmp_path / "state")
    (tmp_path / "state").write_text(json.dumps({"note": ALog().note(0).decode()}))
    with pytest.raises(NoteUnfit):
        LedgerWatch(log.vkey, tmp_path / "state")
