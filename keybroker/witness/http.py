"""How is a witness asked? HTTP, or HTTPS where it has a certificate: C2SP tlog-witness's two paths, and no others.

    POST /add-checkpoint                  cosign this
    GET  /<SHA-256 of origin>/checkpoint  what was cosigned last

Nobody is asked who he is: what counts is the ledger's signature. Bodies, headers, connections and times are bounded.
"""

from __future__ import annotations

import re
import ssl
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6, socket
from typing import Any, cast

from keybroker.errors import BrokerStopping, ConfigurationInvalid
from keybroker.witness.cosigning import Answer, Witness
from keybroker.witness.settings import TlsTable

LONGEST_BODY = 256 * 1024
MOST_CONNECTIONS = 64
_SECONDS = 10.0
_LAST = re.compile(r"/([0-9a-f]{64})/checkpoint")


def make_server(witness: Witness, listen: str, tls: TlsTable | None, directory: Path) -> WitnessServer:
    """Bound; ``serve_forever`` serves. Raises: ConfigurationInvalid, BrokerStopping when the port cannot be had."""
    host, _, port = listen.rpartition(":")
    try:
        context = None if tls is None else _context(directory / tls.certificate, directory / tls.private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationInvalid(f"certificate and key cannot be used: {error}", where="witness.toml: tls") from error
    kind = _WitnessServer6 if host.startswith("[") else WitnessServer
    try:
        return kind(witness, (host.strip("[]"), int(port)), context)
    except OSError as error:
        raise BrokerStopping(f"{listen} cannot be had ({error.strerror}): does another witness run?") from error


class WitnessServer(ThreadingHTTPServer):
    """A thread a connection, so many at most; they end with the process."""

    daemon_threads = True
    address_family = AF_INET

    def __init__(self, witness: Witness, address: tuple[str, int], context: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.witness = witness
        self._context = context
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One more than there are places for is closed at once."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a peer that is slow to shake hands keeps nobody else waiting."""
        connection = cast(socket, request)
        connection.settimeout(_SECONDS)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        super().finish_request(connection, client_address)
        connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off, or did not shake hands, is no news."""


class _WitnessServer6(WitnessServer):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    timeout = _SECONDS
    protocol_version = "HTTP/1.1"
    """Connections are kept: "witnesses SHOULD support HTTP keep-alive"."""

    def do_POST(self) -> None:
        """One request to cosign."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/add-checkpoint":
            self._refuse(HTTPStatus.NOT_FOUND, b"expected POST /add-checkpoint\n")
        elif not length.isascii() or not length.isdigit() or len(length) > 9 or int(length) > LONGEST_BODY:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"expected a Content-Length of at most %d\n" % LONGEST_BODY
            )
        else:
            body = self.rfile.read(int(length))
            self._answer(self.server.witness.add(body, _dated(self.headers.get("Date"))))

    def do_GET(self) -> None:
        """What was cosigned last."""
        found = _LAST.fullmatch(self.path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, b"expected GET /<SHA-256 of the origin>/checkpoint\n")
        else:
            self._answer(self.server.witness.last(found[1]))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """What was cosigned and what was not, the witness says itself."""

    def _refuse(self, status: HTTPStatus, body: bytes) -> None:
        """What follows on this connection is no request: nothing of the body was read."""
        self.close_connection = True
        self._answer(Answer(status=status, body=body))

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)


def _dated(header: str | None) -> datetime | None:
    """What the asker's clock said, None where it said nothing that can be read."""
    try:
        dated = None if header is None else parsedate_to_datetime(header)
    except ValueError:
        return None
    return dated if dated is None or dated.tzinfo is not None else dated.replace(tzinfo=UTC)


def _context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, private_key)
    return context
