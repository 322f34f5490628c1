"""``keybroker ledger verify PACKAGE``: the verifier that travels with this version, then today's decoder and rules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.ledger_rejudge import show, told
from keybroker.cli.output import show_json
from keybroker.config.packaged import packaged_verifier
from keybroker.config.rejudging_package import rejudge_package


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What whoever verifies holds from elsewhere, as the verifier takes it."""

    manifest_sha256: str | None
    keys: Sequence[str]
    receipts: Sequence[str]

    @property
    def arguments(self) -> tuple[str, ...]:
        digest = () if self.manifest_sha256 is None else (f"--manifest-sha256={self.manifest_sha256}",)
        keys = tuple(f"--checkpoint-key={key}" for key in self.keys)
        return (*digest, *keys, *(f"--receipt={receipt}" for receipt in self.receipts))


def verify_package(package: Path, held: Held, *, as_json: bool) -> None:
    """Raises: BadParameter for what the verifier does not take; Exit unless it is whole and nothing would be refused;
    ConfigurationInvalid for what today's rules cannot read.
    """
    verified = _verified(package, held, as_json=as_json)
    if verified.returncode:
        print(verified.stdout, end="")
        raise typer.Exit(ExitStatus.FAULT)
    again = rejudge_package(package)
    if as_json:
        show_json({**json.loads(verified.stdout), "rejudged": told(again)})
    else:
        print(verified.stdout, end="")
        show(again)
    if again.refused:
        raise typer.Exit(ExitStatus.REFUSED)


def _verified(package: Path, held: Held, *, as_json: bool) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as a stranger runs it: this version's, never the one that is in the package."""
    command = [sys.executable, "-I", str(packaged_verifier()), *held.arguments, *(["--json"] if as_json else [])]
    command += ["--", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - Python and our own file
    if done.returncode not in (0, ExitStatus.FAULT):
        raise typer.BadParameter(done.stderr.strip().rpartition("error: ")[2] or f"it ended with {done.returncode}")
    return done
