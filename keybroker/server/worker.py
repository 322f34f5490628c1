"""What does one worker do? ``python -m keybroker.server.worker``: open the line, then bind, serve, drain.

Started by the supervisor alone, with exec: grpc and PKCS#11 do not survive a fork. Token start-up is one worker at a
time (a lock in the data directory); the port is bound only when ledger and token are ready.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from keybroker.config import Configuration, Works, build_line, read_accepted_configuration
from keybroker.config.pin import given
from keybroker.errors import KeybrokerError
from keybroker.server.baton import Baton, BatonSelector
from keybroker.server.control import Control
from keybroker.server.exit_status import exit_status
from keybroker.server.logging import configure_logging
from keybroker.server.own_process import keep_to_itself
from keybroker.server.serving import Serving

SWITCH_SECONDS = 0.0005
"""How long one of our two threads may keep the interpreter from the other (see docs/performance.md)."""


def main(arguments: Sequence[str]) -> int:
    """Run one worker. Answers an ExitStatus."""
    parser = argparse.ArgumentParser(prog="keybroker.server.worker")
    parser.add_argument("accepted", type=Path, help="what the supervisor keeps of the configuration it accepted")
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--broker", required=True, help="this run of the supervisor")
    parser.add_argument("--since", type=int, required=True, help="when it began, POSIX seconds")
    asked = parser.parse_args(arguments)
    keep_to_itself()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's, which stops us in order.
    sys.setswitchinterval(SWITCH_SECONDS)
    control = Control(socket.socket(fileno=asked.control))
    try:
        return _run(control, asked)
    except KeybrokerError as error:
        control.say("failed", error.sentence)
        return exit_status(error)


def _run(control: Control, asked: argparse.Namespace) -> int:
    configuration, name = read_accepted_configuration(asked.accepted), asked.name
    log = configure_logging(configuration.file.server.log, worker=name)
    works = _open(configuration, _pin(control), name, asked.since)
    baton = Baton() if configuration.profile.sessions.in_process else None
    if baton is not None:
        _keep_to_one_processor(name)
    serving = Serving(configuration, works, control, log, name, baton, asked.broker)
    # What stands now stands as long as the process: looking through it again and again cost a tenth of the line's time.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=lambda: _loop(baton)) as runner:
        return runner.run(serving.run(asked.listen))


def _keep_to_one_processor(name: str) -> None:
    """Worker ``…-N`` keeps to the N-th processor, counted from the last: threads that take turns wake each other
    without waking another processor, which is a fifth of a unary call's time (docs/performance.md)."""
    processors = sorted(os.sched_getaffinity(0), reverse=True)
    number = int(name.rpartition("-")[2])
    os.sched_setaffinity(0, {processors[number % len(processors)]})


def _loop(baton: Baton | None) -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(BatonSelector(baton) if baton else None)


def _pin(control: Control) -> str:
    """The first thing that the supervisor says."""
    for word, text in control.hear():
        if word == "pin":
            return text
    raise EOFError("the supervisor said no PIN")


def _open(configuration: Configuration, pin: str, name: str, since: int) -> Works:
    """Tokens that several processes initialise at the same instant fail now and then: one at a time."""
    configuration.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(configuration.data_directory / "token-start.lock"):
        return build_line(configuration, given(pin), worker=name, since=since)


@contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
