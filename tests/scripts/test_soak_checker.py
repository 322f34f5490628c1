"""The soak's checker finds what is planted, by its kind, and nothing where all is well."""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keybroker.client import AsyncBroker
from scripts.soak_parts import checker, checker_ledger
from scripts.soak_parts.client import SORTS, Client
from scripts.soak_parts.scene import MOST, Scene, make_scene
from tests.server.broker import running, wait_until

pytestmark = pytest.mark.hsm

Record = dict[str, Any]
NOTHING = dict.fromkeys(checker_ledger.KINDS, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left behind, to be spoilt: a copy of each test's own."""

    ledger: Path
    uses: Path
    replies: Path
    checkpoints: Path
    since: int

    def found(self) -> dict[str, int]:
        findings, _ = checker.check(
            self.ledger, self.uses, [self.replies], since=self.since, checkpoints=self.checkpoints
        )
        return findings.counts

    def records(self) -> list[Record]:
        with closing(sqlite3.connect(self.ledger)) as connection:
            rows = connection.execute("SELECT octets FROM record ORDER BY leaf_index").fetchall()
        return [json.loads(row[0]) for row in rows]

    def rewrite(self, records: list[Record]) -> None:
        """These instead of those, with hashes and head that fit: as somebody would who may write the whole file, while
        nobody looks at what is published."""
        self.checkpoints.write_text("")
        octets = [
            json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() for each in records
        ]
        leaves = [hashlib.sha256(b"\0" + each).digest() for each in octets]
        rows = [(n, leaves[n], records[n]["kind"], "", octets[n]) for n in range(len(records))]
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            connection.execute("DELETE FROM record")
            connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("UPDATE head SET tree_size = ?, root_hash = ?", (len(leaves), root(leaves)))

    def write(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            connection.execute(statement, values)


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, as it stands there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Forty signatures, half of them with Supply Sensitive Checks."""
    scene = make_scene(tmp_path_factory.mktemp("checked"))
    with running(scene.deployment, environment=scene.broker_environment):
        for sort in ("stream", "checked"):
            asyncio.run(ask(scene, sort, 20))
        wait_until(scene.published.exists, seconds=30)
    return scene


async def ask(scene: Scene, sort: str, times: int) -> None:
    own, caller = scene.deployment, SORTS[sort].caller
    client = Client(own, SORTS[sort], scene.replies / "all.jsonl", random.Random(1))  # noqa: S311
    async with AsyncBroker(
        own.target, certificate=own.certificate(caller), private_key=own.private_key(caller), anchors=own.anchors
    ) as broker:
        for _ in range(times):
            request = client.request()
            assert client.hold(request, await broker.send(request))


@pytest.fixture
def left(scene: Scene, tmp_path: Path) -> Left:
    left = Left(
        ledger=tmp_path / "ledger.sqlite",
        uses=tmp_path / "uses",
        replies=tmp_path / "replies",
        checkpoints=tmp_path / "checkpoints",
        since=scene.since,
    )
    left.checkpoints.write_text(json.dumps(scene.published.read_text()) + "\n")
    with closing(sqlite3.connect(scene.ledger)) as source, closing(sqlite3.connect(left.ledger)) as copy:
        source.backup(copy)
    shutil.copy(scene.uses, left.uses)
    shutil.copy(scene.replies / "all.jsonl", left.replies)
    return left


def test_finds_nothing_where_all_is_well(left: Left) -> None:
    assert left.found() == NOTHING
    assert checker.main([str(left.ledger), "--uses", str(left.uses), "--since", str(left.since), "--replies",
                         str(left.replies)]) == 0  # fmt: skip


def test_shares_no_code_with_what_it_judges() -> None:
    for module in (checker, checker_ledger):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert not [name for name in imported if str(name).startswith(("keybroker", "tests"))]
        assert {str(name) for name in imported if str(name).startswith("scripts")} <= {checker_ledger.__name__}


def _reply(left: Left, number: int) -> Record:
    reply: Record = json.loads(left.replies.read_text().splitlines()[number])
    return reply


def _hold(left: Left, reply: Record) -> None:
    with left.replies.open("a") as file:
        file.write(json.dumps(reply) + "\n")


def _intent(records: list[Record], **wanted: Any) -> int:
    """The last one that has these fields."""
    return max(n for n, each in enumerate(records) if each["kind"] == "intent" and wanted.items() <= each.items())


def hold_what_the_ledger_lacks(left: Left) -> None:
    _hold(left, {**_reply(left, 0), "request_id": "elsewhere", "leaf_index": 10**6})


def hold_another_signature_for_the_same_check(left: Left) -> None:
    """As if the statement had been used twice: the second signature is under another name."""
    _hold(left, {**_reply(left, -1), "request_id": "elsewhere", "signature": _reply(left, -2)["signature"]})


def hold_a_signature_over_other_octets(left: Left) -> None:
    octets = bytearray.fromhex(_reply(left, 0)["octets"])
    octets[-1] ^= 1
    _hold(left, {**_reply(left, 0), "request_id": "elsewhere", "octets": octets.hex()})


def cut_the_last_records(left: Left) -> None:
    """An old database with a head that fits it."""
    left.rewrite(left.records()[: left.since + 30])


def cut_what_a_checkpoint_covered(left: Left) -> None:
    """Nobody holds a signature, and the module's account is gone: the checkpoint tells it all the same."""
    shown = left.checkpoints.read_text()
    left.replies.write_text("")
    left.uses.write_text("")
    left.rewrite(left.records()[: left.since])
    left.checkpoints.write_text(shown)


def use_without_an_intent(left: Left) -> None:
    with left.uses.open("a") as file:
        file.write(f"asked {'ab' * 32}\n")


def use_twice_for_one_intent(left: Left) -> None:
    asked = [line for line in left.uses.read_text().splitlines() if line.startswith("asked")]
    with left.uses.open("a") as file:
        file.write(f"{asked[-1]}\n")


def say_that_a_used_key_was_not_used(left: Left) -> None:
    records = left.records()
    outcome = _reply(left, -1)["leaf_index"]
    records[outcome] = {**records[outcome], "state": "failed", "reason": "MODULE_BUSY", "sentence": "no room"}
    del records[outcome]["signature"]
    left.rewrite(records)


def spend_a_statement_twice(left: Left) -> None:
    records = left.records()
    spent = next(n for n, each in enumerate(records) if each.get("evidence"))
    again = {**records[spent], "request_id": "elsewhere", "digest": "cd" * 32}
    closing_record = {
        "v": 1,
        "kind": "closed",
        "at": again["at"],
        "party": "",
        "intent": len(records),
        "state": "unknown",
    }
    left.rewrite([*records, again, closing_record])


def exceed_a_threshold(left: Left) -> None:
    records = left.records()
    counted = next(n for n, each in enumerate(records) if each.get("counted"))
    name, period, _, most = records[counted]["counted"][0]
    records[counted]["counted"] = [[name, period, most + 1, most]]
    left.rewrite(records)


def count_too_little(left: Left) -> None:
    """Each of them says that it is the first: together they may be more than may be."""
    records = left.records()
    for record in records:
        record.get("counted", [])[:] = [[name, period, 1, most] for name, period, _, most in record.get("counted", [])]
    left.rewrite(records)


def put_another_signature(left: Left) -> None:
    records = left.records()
    first, second = [n for n, each in enumerate(records) if each.get("signature")][-2:]
    records[first]["signature"], records[second]["signature"] = (
        records[second]["signature"],
        records[first]["signature"],
    )
    left.rewrite(records)


def show_another_ledger(left: Left) -> None:
    """As of a forked view: of the same size, with another root."""
    origin, size, _, *rest = json.loads(left.checkpoints.read_text()).split("\n")
    shown = "\n".join([origin, size, base64.b64encode(bytes(32)).decode(), *rest])
    with left.checkpoints.open("a") as file:
        file.write(json.dumps(shown) + "\n")


def cut_a_row(left: Left) -> None:
    left.write("DELETE FROM record WHERE leaf_index = 20")


def change_an_octet(left: Left) -> None:
    left.write("UPDATE record SET octets = CAST(octets || ' ' AS BLOB) WHERE leaf_index = 21")


def swap_two_rows(left: Left) -> None:
    for old, new in ((20, -1), (21, 20), (-1, 21)):
        left.write("UPDATE record SET leaf_index = ? WHERE leaf_index = ?", new, old)


def change_the_head(left: Left) -> None:
    left.write("UPDATE head SET tree_size = tree_size - 1")


def end_an_intent_twice(left: Left) -> None:
    records = left.records()
    left.rewrite([*records, {**next(each for each in reversed(records) if each["kind"] == "outcome")}])


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (hold_what_the_ledger_lacks, {"lost"}),
        (hold_another_signature_for_the_same_check, {"lost", "doubled"}),
        (hold_a_signature_over_other_octets, {"lost"}),
        (cut_the_last_records, {"lost", "unrecorded"}),
        (cut_what_a_checkpoint_covered, {"broken"}),
        (use_without_an_intent, {"unrecorded"}),
        (use_twice_for_one_intent, {"unrecorded"}),
        (say_that_a_used_key_was_not_used, {"lost", "unrecorded"}),
        (spend_a_statement_twice, {"doubled", "broken"}),
        (exceed_a_threshold, {"exceeded"}),
        (count_too_little, {"broken"}),
        (put_another_signature, {"lost", "broken"}),
        (show_another_ledger, {"broken"}),
        (cut_a_row, {"broken", "lost"}),
        (change_an_octet, {"broken"}),
        (swap_two_rows, {"broken"}),
        (change_the_head, {"broken"}),
        (end_an_intent_twice, {"broken"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_finds_what_is_planted(left: Left, plant: Callable[[Left], None], kinds: set[str]) -> None:
    plant(left)
    assert {kind for kind, count in left.found().items() if count} == kinds


def test_no_threshold_could_be_reached_unnoticed(left: Left) -> None:
    """The counts are recomputed from the records' own moments: they do not rest on what the broker counted."""
    counts = [each["counted"] for each in left.records() if each.get("counted")]
    assert any(most == MOST for (_, _, _, most), *_ in counts)
    assert max(number for (_, _, number, _), *_ in counts) > 1


def test_any_octet_of_any_record_is_missed_by_nothing(left: Left) -> None:
    chance = random.Random(7)  # noqa: S311
    with closing(sqlite3.connect(left.ledger)) as connection, connection:
        rows = connection.execute("SELECT leaf_index, octets FROM record").fetchall()
        for index, octets in chance.sample(rows, 25):
            at = chance.randrange(len(octets))
            spoilt = octets[:at] + bytes([octets[at] ^ 1 << chance.randrange(8)]) + octets[at + 1 :]
            connection.execute("UPDATE record SET octets = ? WHERE leaf_index = ?", (spoilt, index))
    assert left.found()["broken"] >= 25
