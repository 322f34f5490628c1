"""How does a process begin without waiting for imports? As a fork of one that has done them.

``live`` is ``python -m MODULE ARGUMENTS``, with its own environment, memory and end, some 1.3 seconds of CPU sooner.
``python -m tests.lives FD`` is the process that is forked: it loads no token and starts no thread.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO, NoReturn

from keybroker.cli.main import COMMANDS

PRELOADED = (
    *dict.fromkeys(COMMANDS.values()),
    "keybroker.cli.dev.provision",
    "tests.ceremony.conducting",
    "tests.ceremony.conducting_by_hand",
    "tests.ceremony.renouncing",
)
_ORDER_OCTETS = 1 << 18
_NUMBER = struct.Struct("=i")


def live(
    module: str,
    arguments: Sequence[str],
    *,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
    seconds: float,
) -> subprocess.CompletedProcess[str]:
    """How it ended and what it said; it is killed (-9) after so many seconds. Its environment is ours unless told, its
    input ``given``."""
    own = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        read.write(given)
        read.seek(0)
        status = _lived([module, *arguments], own, (read, out, error), seconds)
        return subprocess.CompletedProcess([module, *arguments], status, _said(out), _said(error))


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _lived(words: Sequence[str], own: Mapping[str, str], streams: Sequence[IO[bytes]], seconds: float) -> int:
    if "LD_PRELOAD" in own:
        # The loader reads it, so this one has to be loaded; one that takes too long is an error of the test.
        read, out, error = streams
        command = [sys.executable, "-m", *words]
        return subprocess.run(
            command, env=own, stdin=read, stdout=out, stderr=error, check=False, timeout=seconds
        ).returncode
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            order = json.dumps([words, own, os.getcwd()]).encode()
            socket.send_fds(_server()[0], [order], [theirs.fileno(), *(each.fileno() for each in streams)])
        (number,) = _NUMBER.unpack(ours.recv(_NUMBER.size))
        ours.settimeout(seconds)
        try:
            told = ours.recv(_NUMBER.size)
        except TimeoutError:
            os.kill(number, signal.SIGKILL)
            ours.settimeout(None)
            told = ours.recv(_NUMBER.size)
        return os.waitstatus_to_exitcode(*_NUMBER.unpack(told))


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """One in this process; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.lives", str(theirs.fileno())]
        return ours, subprocess.Popen(command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL)


def _serve(orders: socket.socket) -> None:
    """Many may live at once: each is waited for by a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, given, _, _ = socket.recv_fds(orders, _ORDER_OCTETS, 4)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _keep(order, *given)
        for each in given:
            os.close(each)


def _keep(order: bytes, told: int, *streams: int) -> NoReturn:
    """Say what number the life has, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    number = os.fork()
    if number == 0:
        os.close(told)
        _live(order, streams)
    os.write(told, _NUMBER.pack(number))
    os.write(told, _NUMBER.pack(os.waitpid(number, 0)[1]))
    os._exit(0)


def _live(order: bytes, streams: Sequence[int]) -> NoReturn:
    """It ends as the interpreter does."""
    words, own, place = json.loads(order)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(own)
    os.chdir(place)
    sys.argv = words
    sys.modules.pop(words[0], None)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    for each in PRELOADED:
        importlib.import_module(each)
    # Nor need a life look for garbage in what they are.
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
