"""One worker as the supervisor sees it: a process, the socket to it, and what it says on standard error."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, final

from keybroker.server.control import Control
from keybroker.server.service_manager import OF_THE_SUPERVISOR
from keybroker.server.tls import CIPHER_SUITES, VARIABLE

_HANDSHAKE_FAILED = re.compile(rb"Handshake failed with error .*?(?:OPENSSL_internal:([A-Z0-9_]+)|$)")
"""As gRPC's ssl_transport_security.cc logs a failed handshake, at level INFO; the group is BoringSSL's reason."""

_INFORMATION = re.compile(rb"I\d{4} ")
_NOT_FOR_PRODUCTION = b"Log level INFO is not suitable for production"


@final
class WorkerProcess:
    """Started by exec, never by fork alone: grpc and PKCS#11 do not survive it."""

    def __init__(
        self,
        *,
        number: int,
        accepted: Path,
        listen: str,
        broker: str,
        since: int,
        metrics_directory: Path,
        pin: str,
        hidden: frozenset[str],
        handshake_failed: Callable[[str], None],
    ) -> None:
        """``accepted``: the file in which the supervisor keeps the configuration that it accepted. ``broker``: this
        run of the supervisor, ``since``: when it began (POSIX seconds). ``hidden``: names that must not stand in the
        worker's environment (the PIN's); the service manager's never do.
        """
        self.number = number
        self.ready = False
        self.stopping = False
        self.heard_all = False
        self.why = ""
        self.started = self.heard = time.monotonic()
        self._handshake_failed = handshake_failed
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "keybroker.server.worker", str(accepted)]
        command += ["--name", f"worker-{number}", "--listen", listen, "--control", str(theirs.fileno())]
        command += ["--broker", broker, "--since", str(since)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module, arguments as a list
                command,
                env=_environment(metrics_directory, hidden),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        self.control = Control(ours)
        self.control.say("pin", pin)
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit status (negative: the signal), None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        self.stopping = True
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """After it ended."""
        self._process.wait()
        self._listener.join(timeout=1)
        self.control.close()

    def _listen(self, stderr: IO[bytes] | None) -> None:
        if stderr is None:
            return
        with stderr:
            for line in stderr:
                self._heard(line)

    def _heard(self, line: bytes) -> None:
        """Failed handshakes are counted; the rest of what gRPC says at level INFO is left out; all else goes on."""
        failed = _HANDSHAKE_FAILED.search(line)
        if failed:
            self._handshake_failed((failed[1] or b"OTHER").decode("ascii"))
        elif not _INFORMATION.match(line) and _NOT_FOR_PRODUCTION not in line:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()


def _environment(metrics_directory: Path, hidden: frozenset[str]) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in hidden | OF_THE_SUPERVISOR}
    environment[VARIABLE] = CIPHER_SUITES
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_directory)
    # Failed handshakes stand in gRPC's log at this level only.
    environment.setdefault("GRPC_VERBOSITY", "INFO")
    return environment
