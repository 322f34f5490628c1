"""No octet of a peer without a client certificate of ours is decoded: no call begins, nothing is counted or recorded.

The same octets with a certificate are a request, so what is sent would be one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keybroker.cli.dev import tls_pki
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, is_serving, running, wait_until
from tests.server.hand_made import PREFACE, call

pytestmark = pytest.mark.hsm

SIGN = "/keybroker.v1.SigningService/SignPreCommand"
COUNTED = ("keybroker_requests_total", "keybroker_batch_items_count", "keybroker_ledger_records")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with running(create_deployment(tmp_path_factory.mktemp("before") / "deployment")) as broker:
        yield broker


def counted(broker: RunningBroker) -> list[float]:
    return [broker.metric(name) for name in COUNTED]


def connected(broker: RunningBroker) -> socket.socket:
    host, _, port = broker.deployment.target.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def context() -> ssl.SSLContext:
    """Believes every server, as an attacker does."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols(["h2"])
    return made


def over_tls(broker: RunningBroker, octets: bytes, made: ssl.SSLContext) -> bytes:
    """What came back until the peer closed, or nothing more came."""
    with suppress(OSError), connected(broker) as plain, made.wrap_socket(plain) as secured:
        return exchange(secured, octets)
    return b""


def exchange(peer: socket.socket, octets: bytes) -> bytes:
    answer = b""
    peer.settimeout(2)
    with suppress(OSError):
        peer.sendall(octets)
        while more := peer.recv(65536):
            answer += more
    return answer


def with_certificate(broker: RunningBroker, octets: bytes) -> bytes:
    made = context()
    made.load_cert_chain(broker.deployment.certificate("supplier-a"), broker.deployment.private_key("supplier-a"))
    return over_tls(broker, octets, made)


def without_certificate(broker: RunningBroker, octets: bytes) -> bytes:
    return over_tls(broker, octets, context())


def of_another_authority(broker: RunningBroker, octets: bytes) -> bytes:
    """Whose authority, and the caller's certificate under it, have the very names of ours."""
    before = datetime.now(UTC) - timedelta(hours=1)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = tls_pki.create_tls_authority(not_before=before)
    certificate = tls_pki.tls_client_certificate(
        authority, key.public_key(), uri="urn:keybroker:supplier-a:head-end", not_before=before
    )
    file = broker.deployment.directory / "stranger.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    made = context()
    made.load_cert_chain(file)
    return over_tls(broker, octets, made)


def over_tls_1_2(broker: RunningBroker, octets: bytes) -> bytes:
    made = context()
    made.load_cert_chain(broker.deployment.certificate("supplier-a"), broker.deployment.private_key("supplier-a"))
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    return over_tls(broker, octets, made)


def in_plain(broker: RunningBroker, octets: bytes) -> bytes:
    with connected(broker) as plain:
        return exchange(plain, octets)


def beside_a_handshake_that_never_ends(broker: RunningBroker, octets: bytes) -> bytes:
    """The first record of a handshake, and behind it what is no TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context().wrap_bio(incoming, outgoing).do_handshake()
    return in_plain(broker, outgoing.read() + octets)


STRANGERS: dict[str, Callable[[RunningBroker, bytes], bytes]] = {
    "TLS without a client certificate": without_certificate,
    "a certificate of another authority, by our names": of_another_authority,
    "a good certificate over TLS 1.2": over_tls_1_2,
    "HTTP/2 without TLS": in_plain,
    "half a handshake and then HTTP/2": beside_a_handshake_that_never_ends,
}


@pytest.fixture
def request_octets(broker: RunningBroker) -> bytes:
    return call(SIGN, broker.request("by-hand").SerializeToString())


@pytest.mark.parametrize("who", STRANGERS)
def test_nothing_is_decoded_of(broker: RunningBroker, request_octets: bytes, who: str) -> None:
    before, said = counted(broker), len(broker.events("not signed"))
    answer = STRANGERS[who](broker, request_octets)
    assert b"grpc-status" not in answer
    assert b"application/grpc" not in answer
    assert is_serving(broker)
    assert counted(broker) == before
    assert len(broker.events("not signed")) == said


NO_TLS = [b"GET / HTTP/1.1\r\n\r\n", PREFACE * 100, bytes(range(256)) * 16, b"\x16\x03\x01\xff\xff"]


@pytest.mark.parametrize("octets", NO_TLS, ids=["HTTP/1.1", "HTTP/2", "octets", "a record cut short"])
def test_nothing_is_decoded_of_what_is_no_tls(broker: RunningBroker, octets: bytes) -> None:
    before = counted(broker)
    in_plain(broker, octets)
    assert is_serving(broker)
    assert counted(broker) == before


def test_the_same_octets_with_a_certificate_are_a_request(broker: RunningBroker, request_octets: bytes) -> None:
    before = counted(broker)
    with_certificate(broker, request_octets)
    wait_until(lambda: all(now > then for now, then in zip(counted(broker), before, strict=True)), seconds=10)
