"""TLS peers of tlslite-ng whose private key is elsewhere: what it is to sign is captured and asked of somebody else.

tlslite-ng gives its keys digests alone. What goes into each digest is seen where it is computed, so two functions of
that library are wrapped; nothing of ours is.
"""

from __future__ import annotations

import socket
import threading
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports asyncore
    from tlslite.api import X509, HandshakeSettings, TLSConnection, X509CertChain
    from tlslite.keyexchange import KeyExchange
    from tlslite.messages import ServerKeyExchange
    from tlslite.utils.python_ecdsakey import Python_ECDSAKey

Ask = Callable[[bytes], bytes]
"""The octets of a TLS handshake as ``content/tls_handshake.py`` reads them, to its signature in DER."""


class KeyElsewhere(Python_ECDSAKey):  # type: ignore[misc]  # tlslite has no types
    """Signs nothing itself: asks for a signature over what was captured last."""

    def __init__(self, point: bytes, ask: Ask) -> None:
        x, y = (int.from_bytes(point[at : at + 32], "big") for at in (1, 33))
        super().__init__(x, y, "NIST256p")
        # Looked at for its curve alone.
        self.private_key = SimpleNamespace(curve=self.public_key.curve)
        self._ask = ask
        self.captured: list[bytes] = []

    def sign(self, *_: Any, **__: Any) -> bytearray:
        return bytearray(self._ask(self.captured[-1]))


def capture(monkeypatch: pytest.MonkeyPatch, key: KeyElsewhere) -> None:
    """From here on ``key.captured`` holds what each digest is made from."""
    verify_bytes, exchange_hash = KeyExchange.calcVerifyBytes, ServerKeyExchange.hash

    def calc_verify_bytes(version: Any, hashes: Any, *rest: Any, **named: Any) -> Any:
        if version == (3, 4):
            prf = named.get("prf_name") or rest[4]
            tag = named.get("peer_tag") or (rest[5] if len(rest) > 5 else b"client")
            key.captured.append((b"\x01" if tag == b"client" else b"\x02") + bytes(hashes.digest(prf)))
        else:
            key.captured.append(b"\x04" + bytes(hashes._handshake_buffer))
        return verify_bytes(version, hashes, *rest, **named)

    def hash_exchange(self: Any, client_random: Any, server_random: Any) -> Any:
        key.captured.append(b"\x03" + bytes(client_random) + bytes(server_random) + bytes(self.writeParams()))
        return exchange_hash(self, client_random, server_random)

    monkeypatch.setattr(KeyExchange, "calcVerifyBytes", staticmethod(calc_verify_bytes))
    monkeypatch.setattr(ServerKeyExchange, "hash", hash_exchange)


def settings(version: tuple[int, int], group: str) -> HandshakeSettings:
    """That version of TLS alone, ecdsa_secp256r1_sha256 alone, and that group alone."""
    chosen = HandshakeSettings()
    chosen.minVersion = chosen.maxVersion = version
    chosen.ecdsaSigHashes = ["sha256"]
    chosen.rsaSigHashes, chosen.rsaSchemes, chosen.more_sig_schemes, chosen.dsaSigHashes = [], [], [], []
    chosen.eccCurves = chosen.keyShares = [group]
    chosen.defaultCurve = group
    # As a client it would compress its certificate where it could take one compressed itself, whatever the server says.
    chosen.certificate_compression_send = chosen.certificate_compression_receive = []
    return chosen


def chain(certificate: bytes) -> X509CertChain:
    read = X509()
    read.parseBinary(bytearray(certificate))
    return X509CertChain([read])


class Server:
    """One connection on a free port: its answer to what the client says is ``heard: `` and the same."""

    def __init__(self, key: KeyElsewhere, certificate: bytes, chosen: HandshakeSettings) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(20)
        self.port = self._listening.getsockname()[1]
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, args=(key, certificate, chosen))
        self._thread.start()

    def _serve(self, key: KeyElsewhere, certificate: bytes, chosen: HandshakeSettings) -> None:
        try:
            with self._listening:
                accepted, _ = self._listening.accept()
            accepted.settimeout(20)
            connection = TLSConnection(accepted)
            connection.handshakeServer(certChain=chain(certificate), privateKey=key, settings=chosen)
            connection.write(b"heard: " + connection.read(max=100, min=1))
            connection.close()
        except BaseException as failure:  # noqa: BLE001 - told in the test's own thread
            self.failure = failure

    def wait(self) -> None:
        """Raises: whatever the server raised."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure


def say_as_client(port: int, key: KeyElsewhere, certificate: bytes, chosen: HandshakeSettings, words: bytes) -> bytes:
    """Connect with a client certificate, say the words, and give what the server answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
        connection = TLSConnection(connected)
        connection.handshakeClientCert(chain(certificate), key, settings=chosen)
        connection.write(words)
        answer = bytes(connection.read(max=100, min=len(words)))
        connection.close()
    return answer
