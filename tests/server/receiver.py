"""A receiver of messages on Anomalous Events: a real HTTPS server that fails, hangs, and takes what it is told to."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HANG, TRICKLE, HANG_UP = "hang", "trickle", "hang-up"


@dataclass(slots=True)
class Receiver:
    """``does``: what it does with the next messages, in order; the last of it for ever."""

    port: int
    anchors: Path
    does: list[int | str] = field(default_factory=lambda: [200])
    took: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/events"

    def next(self) -> int | str:
        self.asked += 1
        return self.does.pop(0) if len(self.does) > 1 else self.does[0]


@contextmanager
def receiving(directory: Path, port: int = 0) -> Iterator[Receiver]:
    """Serves while it is entered."""
    anchors, key = certificate(directory)
    server = _Quiet(("127.0.0.1", port), BaseHTTPRequestHandler)
    receiver = Receiver(server.server_address[1], anchors)
    server.RequestHandlerClass = handler_of(receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(anchors, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever refuses its certificate hangs up."""


def handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            octets = self.rfile.read(int(self.headers["Content-Length"]))
            what = receiver.next()
            if what == HANG:
                receiver.closing.wait(30)
            elif what == TRICKLE:
                self._trickle()
            elif isinstance(what, int):
                if what == 200:
                    receiver.took.append((dict(self.headers), octets))
                self.send_response(what)
                self.send_header("Location", receiver.url)
                self.end_headers()
            self.close_connection = True

        def _trickle(self) -> None:
            """One octet of a status line that never ends, again and again: each comes before a read would time out."""
            with contextlib.suppress(OSError):
                while not receiver.closing.is_set():
                    self.wfile.write(b"H")
                    self.wfile.flush()
                    time.sleep(0.1)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def certificate(directory: Path) -> tuple[Path, Path]:
    """For 127.0.0.1, and its own authority."""
    file, key_file = directory / "receiver.pem", directory / "receiver.key"
    if file.exists():
        return file, key_file
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file, key_file
