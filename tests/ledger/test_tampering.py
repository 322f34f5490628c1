"""Each tampering with a package, or with the database behind it, is found and said where; some by a checkpoint alone.

``scripts/tamper`` is the long form of the first test.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ledger import exported, tamper_many, tampering
from tests.ledger.tampering import REWRITTEN, Scene, Tamper
from tests.ledger.tampering_sealed import SEALED, WITH_THE_DIGEST

COUNT, SEED = 100, 20260301


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene.made(tmp_path_factory.mktemp("scene"))


def test_a_hundred_tamperings_at_random_are_each_found_and_said_where(scene: Scene, tmp_path: Path) -> None:
    done = list(tamper_many.results(scene, tmp_path, COUNT, SEED))
    assert [each for each in done if not each.found or not each.where] == []
    assert len(done) == COUNT


def test_each_that_agrees_with_its_manifest_is_found_by_the_records_or_by_the_manifests_digest(
    scene: Scene, tmp_path: Path
) -> None:
    draw, module = random.Random(SEED), tamper_many.verifier()  # noqa: S311 - to be repeated, not to be secret
    for tamper in (*SEALED, *WITH_THE_DIGEST):
        (tmp_path / tamper.__name__).mkdir()
        tampered = tamper(scene, tmp_path / tamper.__name__, draw)
        result = tamper_many.look(module, scene, tamper, tampered)
        assert result.found, result
        assert result.where, result


@pytest.mark.parametrize("tamper", REWRITTEN, ids=lambda tamper: tamper.__name__)
def test_what_is_rewritten_whole_is_found_with_a_checkpoint_or_a_receipt_and_not_without(
    scene: Scene, tmp_path: Path, tamper: Tamper
) -> None:
    tampered = tamper(scene, tmp_path, random.Random(SEED))  # noqa: S311 - to be repeated, not to be secret
    assert exported.verify(tampered.package, expect=0)["under_checkpoint"] == 0
    told = exported.verify(tampered.package, "--checkpoint-key", exported.vkey(), expect=3)
    assert [each["file"] for each in told["wrong"]] == ["checkpoints.ndjson"]
    exported.verify(tampered.package, "--manifest-sha256", scene.manifest_sha256, expect=3)
    leaves = (scene.package / "leaves.txt").read_text().splitlines()
    receipts = [f"{index}:{line[:64]}" for index, line in enumerate(leaves)]
    arguments = [argument for receipt in receipts for argument in ("--receipt", receipt)]
    assert {each["file"] for each in exported.verify(tampered.package, *arguments, expect=3)["wrong"]} == {"leaves.txt"}
    exported.verify(scene.package, *arguments, expect=0)


def test_a_checkpoint_by_another_key_does_not_count(scene: Scene) -> None:
    another = exported.vkey(ec.derive_private_key(5, ec.SECP256R1()))
    told = exported.verify(scene.package, "--checkpoint-key", another, expect=3)
    assert {each["file"] for each in told["wrong"]} == {"checkpoints.ndjson"}


def test_whatever_stands_in_the_place_of_a_value_the_verifier_comes_to_its_end(scene: Scene, tmp_path: Path) -> None:
    """In any JSON of the package, with everything that hashes it made to agree again."""
    draw, module = random.Random(SEED), tamper_many.verifier()  # noqa: S311 - to be repeated, not to be secret
    for number in range(60):
        (tmp_path / str(number)).mkdir()
        package = tampering.replace_a_value(scene, tmp_path / str(number), draw)
        report, _ = module.verify(package, manifest_sha256=None, vkeys=[], receipts=[])
        assert isinstance(report.wrong, list)


@pytest.mark.parametrize(
    "arguments",
    [["--checkpoint-key", "no key"], ["--receipt", "first:00"], ["--manifest-sha256"], ["--no-such-option"]],
    ids=" ".join,
)
def test_the_verifier_says_when_it_is_called_wrongly(scene: Scene, arguments: list[str]) -> None:
    exported.verify(scene.package, *arguments, expect=2)


def test_the_verifier_says_when_there_is_no_package(tmp_path: Path) -> None:
    exported.verify(tmp_path / "nowhere", expect=2)
    assert exported.verify(tmp_path, expect=3)["wrong"]
