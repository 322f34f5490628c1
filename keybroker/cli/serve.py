"""``keybroker serve``: run a broker until it is told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.options import Config


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    config: Config,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes, one for each core.")] = 1,
) -> None:
    """Run a broker: a supervisor and its workers, on one port.

    The process becomes the supervisor; it stops on SIGTERM and reads its configuration again on SIGHUP. Exit status 0
    when it was stopped, 65 ledger broken, 75 not now, 77 wrong PIN, 78 configuration.
    """
    arguments = [sys.executable, "-m", "keybroker.server", str(Path(config).absolute()), "--workers", str(workers)]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own module; signals reach it directly
