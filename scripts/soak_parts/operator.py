"""What does the operator do, where nothing recovers by itself? What docs/operations.md says, with its commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from keybroker.cli.dev.deployment import Deployment
from keybroker.config.latch import find_latch
from scripts.soak_parts.world import World

_LATCH_SECONDS = 20.0


def keybroker(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command at the machine, on the deployment."""
    environment = {**os.environ, **deployment.operator_environment}
    command = [sys.executable, "-P", "-m", "keybroker.cli.main", *arguments]
    options = ["--config", str(deployment.config_path)]
    return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)


def wait_for_latch(world: World) -> None:
    """Until the supervisor latched the module."""
    last = time.monotonic() + _LATCH_SECONDS
    while find_latch(world.deployment.directory / "data") is None and time.monotonic() < last:
        time.sleep(0.1)


def unlatch(world: World) -> None:
    """The PIN is right again."""
    if find_latch(world.deployment.directory / "data") is None:
        world.tell("    the module was not latched: nobody logged in meanwhile")
        return
    done = keybroker(world.deployment, "module", "unlatch")
    world.notes["latched_and_unlatched"] += 1
    world.tell(f"    operator: keybroker module unlatch: {done.returncode}")


def ledger_is_sound(deployment: Deployment) -> bool:
    """Does ``keybroker ledger verify`` say so?"""
    return keybroker(deployment, "ledger", "verify").returncode == 0
