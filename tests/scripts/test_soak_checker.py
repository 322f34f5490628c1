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
from scripts.soak_parts import checker, checker_ledger, checker_uses
from scripts.soak_parts.client import SORTS, Client
from scripts.soak_parts.judging import checkpoint_key, export_whole, files_that_tell_a_pin, package_is_whole
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
    for module in (checker, checker_ledger, checker_uses):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert not [name for name in imported if str(name).startswith(("keybroker", "tests"))]
        assert {str(name) for name in imported if str(name).startswith("scripts")} <= {
            checker_ledger.__name__,
            checker_uses.__name__,
        }


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


def _uses(left: Left, digest: str) -> list[str]:
    """The account's lines of a digest; the others stay behind."""
    lines = left.uses.read_text().splitlines(keepends=True)
    left.uses.write_text("".join(line for line in lines if digest not in line))
    return [line for line in lines if digest in line]


def _note(left: Left, *lines: str) -> None:
    with left.uses.open("a") as file:
        file.writelines(lines)


def use_without_an_intent(left: Left) -> None:
    _note(left, f"asked {'ab' * 32}\n", f"failed {'ab' * 32} 0005\n")


def use_twice_for_one_intent(left: Left) -> None:
    digest = _last(left)["digest"]
    _note(left, f"asked {digest}\n", f"failed {digest} 0005\n")


def forget_a_use(left: Left) -> None:
    _uses(left, _last(left)["digest"])


def forget_that_it_was_asked_for(left: Left) -> None:
    _, made = _uses(left, _last(left)["digest"])
    _note(left, made)


def make_another_signature(left: Left) -> None:
    asked, _ = _uses(left, (digest := _last(left)["digest"]))
    _note(left, asked, f"made {digest} {'ab' * 64}\n")


def _last(left: Left) -> Record:
    """The intent of the last signature that a client holds."""
    records = left.records()
    intent: Record = records[records[_reply(left, -1)["leaf_index"]]["intent"]]
    return intent


def _end_otherwise(left: Left, kind: str) -> str:
    """The last outcome is unknown, or its intent closed; no client holds anything. Answers the intent's digest."""
    records, digest = left.records(), _last(left)["digest"]
    index = _reply(left, -1)["leaf_index"]
    ended = {name: value for name, value in records[index].items() if name != "signature"}
    records[index] = {**ended, "kind": kind, "state": "unknown"}
    left.rewrite(records)
    left.replies.write_text("")
    return str(digest)


def never_come_to_the_module_and_be_unknown(left: Left) -> None:
    _uses(left, _end_otherwise(left, "outcome"))


def be_used_once_more_and_unknown(left: Left) -> None:
    digest = _end_otherwise(left, "outcome")
    _note(left, f"asked {digest}\n", f"failed {digest} 0005\n")


def be_cut_short_and_unknown(left: Left) -> None:
    """A use was cut short, so somebody died: then nobody was there to write an outcome."""
    asked, _ = _uses(left, _end_otherwise(left, "outcome"))
    _note(left, asked)


def be_used_twice_and_closed(left: Left) -> None:
    digest = _end_otherwise(left, "closed")
    _note(left, f"asked {digest}\n", f"failed {digest} 0005\n")


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
        (forget_a_use, {"broken"}),
        (forget_that_it_was_asked_for, {"broken"}),
        (make_another_signature, {"broken"}),
        (never_come_to_the_module_and_be_unknown, {"broken"}),
        (be_used_once_more_and_unknown, {"unrecorded"}),
        (be_cut_short_and_unknown, {"broken"}),
        (be_used_twice_and_closed, {"unrecorded"}),
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


@pytest.mark.parametrize("lines", [(), ("asked",), ("asked", "made"), ("stopped",)], ids=lambda lines: " ".join(lines))
def test_an_intent_whose_worker_died_came_to_the_module_or_did_not(left: Left, lines: tuple[str, ...]) -> None:
    digest = _end_otherwise(left, "closed")
    _uses(left, digest)
    _note(left, *(f"{word} {digest}{'' if word == 'asked' else ' 05'}\n" for word in lines))
    assert left.found() == NOTHING


@pytest.mark.parametrize(
    "lines", [("asked", "made"), ("asked", "failed"), ("stopped",)], ids=lambda lines: " ".join(lines)
)
def test_an_unknown_outcome_is_of_one_call_that_came_back(left: Left, lines: tuple[str, ...]) -> None:
    digest = _end_otherwise(left, "outcome")
    _uses(left, digest)
    _note(left, *(f"{word} {digest}{'' if word == 'asked' else ' 05'}\n" for word in lines))
    assert left.found() == NOTHING


def test_tells_between_what_bounds_the_uses_must_be(left: Left) -> None:
    """One number, where no worker died."""
    uses, least, most = bounds(left)
    assert uses == least == most >= 40
    _end_otherwise(left, "closed")
    assert bounds(left) == (uses, uses - 1, uses)


def bounds(left: Left) -> tuple[int, int, int]:
    _, figures = checker.check(left.ledger, left.uses, [left.replies], since=left.since)
    return figures["uses"], figures["uses_at_least"], figures["uses_at_most"]


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


def test_finds_a_pin_in_whatever_the_broker_wrote(scene: Scene) -> None:
    assert {file.name for file in scene.written()} >= {"ledger.sqlite", "checkpoint"}
    assert files_that_tell_a_pin(scene) == []
    planted = scene.deployment.directory / "data" / "planted"
    for secret in (scene.deployment.pin.encode(), scene.deployment.so_pin.encode().hex().encode()):
        # On the seam between two pieces that are read.
        planted.write_bytes(bytes((1 << 24) - 5) + secret + bytes(9))
        assert files_that_tell_a_pin(scene) == [str(planted)]
    planted.unlink()


def test_a_package_is_whole_as_it_was_made_and_with_the_digest_and_key_from_elsewhere(
    scene: Scene, tmp_path: Path
) -> None:
    package, key = tmp_path / "package", checkpoint_key(scene)
    digest = export_whole(scene, package)
    assert package_is_whole(package, digest, key)
    assert not package_is_whole(package, "ab" * 32, key)
    records = package / "records.ndjson"
    records.write_bytes(records.read_bytes().replace(b'"state":"signed"', b'"state":"failed"', 1))
    assert not package_is_whole(package, digest, key)
