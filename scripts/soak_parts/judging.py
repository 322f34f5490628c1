"""What do strangers say of what a run left? The checker, the verifier of evidence packages, and a search for the PIN.

Each in a process of its own, or of files alone: they share nothing with the broker but what it wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.soak_parts.operator import keybroker, ledger_is_sound
from scripts.soak_parts.scene import Scene
from tests.process_memory import spellings

_VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_evidence.py"
_TOLD = 20
_PIECE = 1 << 24


def judge(scene: Scene) -> dict[str, Any]:
    """Two at a time: while the package is made, ``keybroker ledger verify``; while it is verified, the checker."""
    package = scene.replies.parent / "package"
    with ThreadPoolExecutor(2) as both:
        sound = both.submit(ledger_is_sound, scene.deployment)
        exported = export_whole(scene, package)
        whole = both.submit(package_is_whole, package, exported, checkpoint_key(scene))
        figures = check(scene)
        return {
            **figures,
            "package_whole": whole.result(),
            "secrets": len(files_that_tell_a_pin(scene)),
            "verified_by_keybroker_too": sound.result(),
        }


def check(scene: Scene) -> dict[str, Any]:
    """By the checker."""
    command = [sys.executable, "-P", "-m", "scripts.soak_parts.checker", str(scene.ledger), "--uses", str(scene.uses)]
    replies = [str(file) for file in scene.reply_files()]
    said = _run([*command, "--since", str(scene.since), "--checkpoints", str(scene.checkpoints), "--replies", *replies])
    *sentences, figures = said.stdout.splitlines() or ["{}"]
    _tell(sentences)
    told: dict[str, Any] = json.loads(figures)
    return {"signatures": told.pop("replies"), **told}


def export_whole(scene: Scene, package: Path) -> str:
    """All of the ledger, as an operator would; answers the manifest's digest, nothing where it failed."""
    done = keybroker(scene.deployment, "ledger", "export", "--json", "--output", str(package))
    if done.returncode:
        _tell([f"ledger export: {done.stderr.strip()}"])
        return ""
    return str(json.loads(done.stdout)["manifest_sha256"])


def checkpoint_key(scene: Scene) -> str:
    """As the operator hands it to whoever verifies checkpoints (C2SP signed-note)."""
    return keybroker(scene.deployment, "ledger", "key").stdout.strip()


def package_is_whole(package: Path, manifest_sha256: str, key: str) -> bool:
    """Does the verifier find nothing, with what an assessor has from elsewhere: digest and checkpoint key?"""
    held = ["--manifest-sha256", manifest_sha256, "--checkpoint-key", key]
    said = _run([sys.executable, "-I", str(_VERIFIER), str(package), *held, "--json"])
    if not said.stdout.startswith("{"):
        return False
    told = json.loads(said.stdout)
    _tell([f"package: {each['file']}, record {each['record']}: {each['sentence']}" for each in told["wrong"][:_TOLD]])
    return said.returncode == 0 and told["whole"] and told["key_from_elsewhere"] and told["under_checkpoint"] > 0


def files_that_tell_a_pin(scene: Scene) -> list[str]:
    """Of all that the broker wrote: its log, its data, and what it publishes."""
    pins = [spelled for pin in (scene.deployment.pin, scene.deployment.so_pin) for spelled in spellings(pin)]
    found = [
        str(file) for file in scene.written() if any(pin in piece for piece in _pieces(file, pins) for pin in pins)
    ]
    _tell([f"secret: {file} tells a PIN" for file in found])
    return found


def _pieces(file: Path, secrets: Sequence[bytes]) -> Iterator[bytes]:
    """Each begins with the end of the one before, so that no secret is cut in two."""
    end, longest = b"", max(map(len, secrets))
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield end + piece
            end = (end + piece)[-longest:]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    return done


def _tell(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
