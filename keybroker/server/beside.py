"""What do the processes beside the workers have in common? How they are called, what they read, and when they end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from keybroker.config import Configuration, read_accepted_configuration
from keybroker.errors import KeybrokerError
from keybroker.server.exit_status import ExitStatus, exit_status
from keybroker.server.logging import Logger, configure_logging

Over = Callable[[float], bool]
"""Waits that many seconds, or less where it is over: told to stop, or the supervisor is gone."""


def run_beside(name: str, arguments: Sequence[str], work: Callable[[Configuration, Logger, Over], None]) -> int:
    """Do ``work`` until it is over; ``name`` is of the module in ``keybroker.server``. Answers an ExitStatus."""
    parser = argparse.ArgumentParser(prog=f"keybroker.server.{name}")
    parser.add_argument("accepted", type=Path, help="what the supervisor keeps of the configuration it accepted")
    parser.add_argument("--supervisor", type=int, required=True, help="its process; this one ends when it is gone")
    asked = parser.parse_args(arguments)
    # Told, not looked up here: it may be gone before this process has come so far.
    supervisor, stop = asked.supervisor, threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        configuration = read_accepted_configuration(asked.accepted)
        log = configure_logging(configuration.file.server.log, worker=name)
        work(configuration, log, lambda seconds: stop.wait(seconds) or os.getppid() != supervisor)
    except KeybrokerError as error:
        sys.stderr.write(f"keybroker: {error.reason}: {error.sentence}\n")
        return exit_status(error)
    return ExitStatus.CLEAN
