"""The soak's checker finds what is planted, by its kind, and nothing where all is well."""

from __future__ import annotations

import ast
import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keybroker.client import AsyncBroker
from scripts.soak_parts import checker, checker_ledger, checker_uses
from scripts.soak_parts.client import SORTS, Client
from scripts.soak_parts.judging import checkpoint_key, export_whole, files_that_tell_a_pin, package_is_whole
from scripts.soak_parts.scene import MOST, Scene, make_scene
from tests.scripts import planted
from tests.scripts.planted import Left
from tests.server.broker import running, wait_until

pytestmark = pytest.mark.hsm

NOTHING = dict.fromkeys(checker_ledger.KINDS, 0)


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


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (planted.hold_what_the_ledger_lacks, {"lost"}),
        (planted.hold_another_signature_for_the_same_check, {"lost", "doubled"}),
        (planted.hold_a_signature_over_other_octets, {"lost"}),
        (planted.cut_the_last_records, {"lost", "unrecorded"}),
        (planted.cut_what_a_checkpoint_covered, {"broken"}),
        (planted.use_without_an_intent, {"unrecorded"}),
        (planted.use_twice_for_one_intent, {"unrecorded"}),
        (planted.forget_a_use, {"broken"}),
        (planted.forget_that_it_was_asked_for, {"broken"}),
        (planted.make_another_signature, {"broken"}),
        (planted.never_come_to_the_module_and_be_unknown, {"broken"}),
        (planted.be_used_once_more_and_unknown, {"unrecorded"}),
        (planted.be_cut_short_and_unknown, {"broken"}),
        (planted.be_used_twice_and_closed, {"unrecorded"}),
        (planted.say_that_a_used_key_was_not_used, {"lost", "unrecorded"}),
        (planted.spend_a_statement_twice, {"doubled", "broken"}),
        (planted.exceed_a_threshold, {"exceeded"}),
        (planted.count_too_little, {"broken"}),
        (planted.put_another_signature, {"lost", "broken"}),
        (planted.show_another_ledger, {"broken"}),
        (planted.cut_a_row, {"broken", "lost"}),
        (planted.change_an_octet, {"broken"}),
        (planted.swap_two_rows, {"broken"}),
        (planted.change_the_head, {"broken"}),
        (planted.end_an_intent_twice, {"broken"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_finds_what_is_planted(left: Left, plant: Callable[[Left], None], kinds: set[str]) -> None:
    plant(left)
    assert {kind for kind, count in left.found().items() if count} == kinds


@pytest.mark.parametrize("lines", [(), ("asked",), ("asked", "made"), ("stopped",)], ids=lambda lines: " ".join(lines))
def test_an_intent_whose_worker_died_came_to_the_module_or_did_not(left: Left, lines: tuple[str, ...]) -> None:
    digest = planted.end_otherwise(left, "closed")
    planted.uses_of(left, digest)
    planted.note_uses(left, *(f"{word} {digest}{'' if word == 'asked' else ' 05'}\n" for word in lines))
    assert left.found() == NOTHING


@pytest.mark.parametrize(
    "lines", [("asked", "made"), ("asked", "failed"), ("stopped",)], ids=lambda lines: " ".join(lines)
)
def test_an_unknown_outcome_is_of_one_call_that_came_back(left: Left, lines: tuple[str, ...]) -> None:
    digest = planted.end_otherwise(left, "outcome")
    planted.uses_of(left, digest)
    planted.note_uses(left, *(f"{word} {digest}{'' if word == 'asked' else ' 05'}\n" for word in lines))
    assert left.found() == NOTHING


def test_tells_between_what_bounds_the_uses_must_be(left: Left) -> None:
    """One number, where no worker died."""
    uses, least, most = bounds(left)
    assert uses == least == most >= 40
    planted.end_otherwise(left, "closed")
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
