"""How does a life of one side begin without waiting for imports? As a fork of a process that has done them.

``python -m tests.ceremony.lives`` is that process: it loads no token and starts no thread. Each line that it reads is a
life, ``[module, arguments, file for what it says]``; it answers with the life's number, and when that ended, how.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import NoReturn

MODULES = ("tests.ceremony.conducting", "tests.ceremony.renouncing")


def live(module: str, arguments: list[str], *, seconds: float) -> tuple[int, str]:
    """Its exit status, and what it said; it is killed (-9) after so many seconds."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as directory:
        said = Path(directory) / "said"
        server.stdin.write(json.dumps([module, arguments, str(said)]) + "\n")
        server.stdin.flush()
        number = int(server.stdout.readline())
        ended, _, _ = select.select([server.stdout], [], [], seconds)
        if not ended:
            os.kill(number, signal.SIGKILL)
        return int(server.stdout.readline()), said.read_text(errors="replace")


@cache
def _server() -> subprocess.Popen[str]:
    """One in this process; it ends when this one does."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ceremony.lives"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def _serve() -> None:
    for line in sys.stdin:
        module, arguments, said = json.loads(line)
        number = os.fork()
        if number == 0:
            _live(module, arguments, said)
        print(number, flush=True)
        _, status = os.waitpid(number, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(module: str, arguments: list[str], said: str) -> NoReturn:
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(number, stream)
    status = 1
    try:
        status = importlib.import_module(module).run(arguments)
    except BaseException:  # noqa: BLE001 - as the interpreter does: told, and the status is 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    for each in MODULES:
        importlib.import_module(each)
    _serve()
