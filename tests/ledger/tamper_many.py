"""``scripts/tamper``: tampers with packages and databases at random, and tells whether each tampering was found."""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import shutil
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.ledger import exported, tampering_rows, tampering_sealed
from tests.ledger.tampering import NAIVE, REWRITTEN, Scene, Tamper, Tampered, digest_of
from tests.ledger.tampering_sealed import SEALED, WITH_THE_DIGEST

PACKAGES: tuple[Tamper, ...] = (*NAIVE, *NAIVE, *SEALED, *WITH_THE_DIGEST, *REWRITTEN)
"""With each of these the draw is fair; what nobody sealed comes twice as often."""
ROWS_EVERY = 4
"""Every so many tamperings one is of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``found``: what was said of it, empty where nothing was; ``where``: did it name the place?"""

    kind: str
    told: str
    found: str
    where: bool


def verifier() -> ModuleType:
    """The file itself, loaded once: a process for each tampering would cost ten times as much."""
    spec = importlib.util.spec_from_file_location("verify_evidence", exported.VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def look(module: ModuleType, scene: Scene, tamper: Tamper, tampered: Tampered) -> Result:
    """What the verifier says: with the exporter's digest, or a checkpoint's key, where it takes one."""
    told = scene.manifest_sha256 if tamper in WITH_THE_DIGEST else None
    keys = (
        [module.read_vkey(exported.vkey())]
        if tamper in REWRITTEN or tamper is tampering_sealed.alter_a_checkpoint
        else []
    )
    try:
        report, _ = module.verify(tampered.package, manifest_sha256=told, vkeys=keys, receipts=[])
    except tarfile.TarError as error:
        return Result(kind=tamper.__name__, told=tampered.told, found=str(error), where=True)
    named = [each for each in report.wrong if not tampered.places or each["file"] in tampered.places]
    if tampered.records:
        named = [each for each in named if each["record"] in tampered.records]
    found = report.wrong[0]["sentence"] if report.wrong else ""
    return Result(kind=tamper.__name__, told=tampered.told, found=found, where=bool(named))


def results(scene: Scene, scratch: Path, count: int, seed: int) -> Iterator[Result]:
    """As many tamperings as asked, the same ones for the same seed."""
    draw, module = random.Random(seed), verifier()  # noqa: S311 - to be repeated, not to be secret
    untouched = {digest_of(each) for each in (scene.package, scene.archive)}
    number = 0
    while number < count:
        place = scratch / "tampered"
        place.mkdir()
        if number % ROWS_EVERY == ROWS_EVERY - 1:
            yield tampering_rows.tamper_and_look(scene, place, draw)
            number += 1
        else:
            tamper = draw.choice(PACKAGES)
            tampered = tamper(scene, place, draw)
            # A digest that was flipped and then sealed is what it was: no tampering at all.
            if digest_of(tampered.package) not in untouched:
                yield look(module, scene, tamper, tampered)
                number += 1
        shutil.rmtree(place)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/tamper", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the last line alone: one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "scene").mkdir()
        done = list(results(Scene.made(directory / "scene"), directory, asked.count, asked.seed))
    missed = [each for each in done if not each.found or not each.where]
    if not asked.json:
        for kind, times in sorted(Counter(each.kind for each in done).items()):
            print(f"{times:6}  {kind}")
    for each in missed:
        print(f"{'NOT FOUND' if not each.found else 'NOT SAID WHERE'}: {each.told}: {each.found}", file=sys.stderr)
    told = {
        "count": len(done),
        "found": sum(1 for each in done if each.found),
        "said_where": len(done) - len(missed),
        "seed": asked.seed,
    }
    print(json.dumps(told))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
