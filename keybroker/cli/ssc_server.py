"""How is a reference check system reached? ``POST /check`` with JSON, one request at a time for each connection.

    {"kind": "pre-command", "octets": "<base64>", "variant": "7.2"}      200 {"statement": "<compact JWS>"}
                                                                       403 {"reason": "...", "sentence": "..."}

Over mutual TLS who asks is the first URI, or else the common name, in the client's certificate. Without TLS, for trying
it out on one machine, it is what the request says in "by".
"""

from __future__ import annotations

import binascii
import json
import ssl
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any, cast

from keybroker.cli.ssc_check import KINDS, Asked, NotConfirmed, Rule, check_by, read_asked
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.strict_json import read_object
from keybroker.terms import ContentKind

LONGEST_BODY = 256 * 1024
_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM: its own certificate and key, and the authorities of those that may ask."""

    certificate: Path
    private_key: Path
    anchors: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """``rules`` are asked in order; ``state`` makes the statement."""

    rules: Sequence[Rule]
    state: partial[str]

    def answer(self, body: bytes, peer: str | None, at: datetime) -> tuple[HTTPStatus, Mapping[str, str]]:
        """``peer``: whom the connection shows, None where it shows nobody."""
        try:
            asked = _read(body, peer, at)
            return HTTPStatus.OK, {"statement": check_by(self.rules, asked, self.state)}
        except NotConfirmed as refusal:
            return HTTPStatus.FORBIDDEN, {"reason": refusal.reason, "sentence": refusal.sentence}
        except ValueError as error:
            return HTTPStatus.BAD_REQUEST, {"reason": "REQUEST_MALFORMED", "sentence": str(error)[:400]}


def make_server(checks: Checks, *, port: int = 0, tls: TlsFiles | None = None) -> CheckServer:
    """Listening on this machine alone; ``serve_forever`` serves.

    Raises: OSError, ssl.SSLError for files or a port that cannot be used.
    """
    return CheckServer(checks, ("127.0.0.1", port), _context(tls) if tls is not None else None)


class CheckServer(ThreadingHTTPServer):
    """Threads that end with the process."""

    daemon_threads = True

    def __init__(self, checks: Checks, address: tuple[str, int], context: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.checks = checks
        self._context = context

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


class _Handler(BaseHTTPRequestHandler):
    server: CheckServer
    timeout = _SECONDS

    def do_POST(self) -> None:
        """One check."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/check":
            self._answer(HTTPStatus.NOT_FOUND, {"reason": "NOT_FOUND", "sentence": "expected POST /check"})
        elif not length.isascii() or not length.isdigit() or int(length) > LONGEST_BODY:
            sentence = f"expected a Content-Length of at most {LONGEST_BODY}"
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"reason": "REQUEST_TOO_LONG", "sentence": sentence})
        else:
            body = self.rfile.read(int(length))
            self._answer(*self.server.checks.answer(body, self._peer(), datetime.now(UTC)))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Who asked for what is the check system's evidence, not a line of an access log."""

    def _peer(self) -> str | None:
        connection = self.connection
        if not isinstance(connection, ssl.SSLSocket):
            return None
        certificate: dict[str, Any] = dict(connection.getpeercert() or {})
        uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
        return next(iter([*uris, *names]), "")

    def _answer(self, status: HTTPStatus, answer: Mapping[str, str]) -> None:
        octets = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


def _read(body: bytes, peer: str | None, at: datetime) -> Asked:
    """Raises: ValueError for what is no such JSON, NotConfirmed for octets that need no check."""
    try:
        said = read_object(body)
    except StatementUnfit as unfit:
        raise ValueError(f"expected {unfit.expected}, found {unfit.found}") from unfit
    if not all(isinstance(each, str) for each in said.values()):
        raise ValueError("expected a JSON object of texts")
    if not {"kind", "octets"} <= said.keys() <= {"kind", "octets", "variant", "by"}:
        raise ValueError("expected kind and octets, and variant and by at most")
    if said["kind"] not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}")
    try:
        octets = b64decode(said["octets"], validate=True)
    except binascii.Error as error:
        raise ValueError("octets: expected base64") from error
    by = said.get("by", "") if peer is None else peer
    return read_asked(ContentKind(said["kind"]), octets, variant=said.get("variant", ""), by=by, at=at)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files.certificate, files.private_key)
    context.load_verify_locations(files.anchors)
    return context
