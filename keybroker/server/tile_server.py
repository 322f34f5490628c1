"""Who reads the tiles? Anybody who reaches the port: HTTP GET of the paths that C2SP tlog-tiles names, and no other.

Plain, read-only and bounded: so many connections at once, so many seconds each, a request line and headers as long as
the standard library takes them. What is served is public to that network; TLS and who may come are for what stands
before it (docs/operations/checkpoints.md).
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from keybroker.errors import BrokerStopping
from keybroker.ledger.publishing import CHECKPOINT
from keybroker.ledger.tiles import is_path
from keybroker.server.port import split_address

CONNECTIONS = 32
"""At once."""
_SECONDS = 10.0
_FOR_EVER = "public, max-age=31536000, immutable"
_A_MOMENT = "no-cache"


@final
class TileServer:
    """Serves while it is entered. ``entries``: the records too."""

    def __init__(self, directory: Path, address: str, *, entries: bool) -> None:
        host, port = split_address(address, where="checkpoints.listen")
        handler = type("Handler", (_Handler,), {"directory": directory, "entries": entries})
        try:
            self._server = _BoundedServer((host, port), handler)
        except OSError as error:
            raise BrokerStopping(f"{address} cannot be had ({error.strerror}): is another broker running?") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="tiles", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _BoundedServer(ThreadingHTTPServer):
    """A connection more than there is room for is closed at once: it may come again."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in place[0]:
            self.address_family = socket.AF_INET6
        self._room = threading.Semaphore(CONNECTIONS)
        super().__init__(place, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    directory: Path
    entries: bool
    timeout = _SECONDS
    server_version, sys_version = "keybroker", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Readers of what is public are not logged."""

    def _answer(self, *, with_body: bool) -> None:
        octets = self._found()
        if octets is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        is_checkpoint = self.path == f"/{CHECKPOINT}"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if is_checkpoint else "application/octet-stream")
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("Cache-Control", _A_MOMENT if is_checkpoint else _FOR_EVER)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(octets)

    def _found(self) -> bytes | None:
        path = self.path.removeprefix("/")
        if self.path == path or not is_path(path) or (path.startswith("tile/entries/") and not self.entries):
            return None
        try:
            return (self.directory / path).read_bytes()
        except OSError:
            return None
