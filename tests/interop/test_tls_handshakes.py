"""Real handshakes: OpenSSL accepts what the line signs, as a server's and a client's, in TLS 1.3 and 1.2.

The peer at our side is tlslite-ng, its private key in a SoftHSM token; the other is
``openssl s_client`` or ``s_server``.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from keybroker.content.assembly import assemble
from keybroker.hsm.generate import generate_key
from keybroker.ledger.model import Concluded
from keybroker.terms import ContentKind, KeyLabel, KeyPurpose
from tests.dcc_uses import a_dcc_key
from tests.hsm.tokens import make_softhsm, opened
from tests.interop.peers import KeyElsewhere, Server, capture, say_as_client, settings
from tests.ledger import books
from tests.situations import a_policy, a_private_key
from tests.token_line import TokenLine, a_token_line

pytestmark = pytest.mark.hsm
PURPOSE = KeyPurpose.SMETS1_TLS
_requests = count(1)


def a_certificate(public: ec.EllipticCurvePublicKey, issuer: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    """Self-made: issued by the test's own CA, for anybody's public key."""
    subject, authority = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, "a CA"))
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority)
    builder = builder.serial_number(x509.random_serial_number()).public_key(public)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    builder = builder.add_extension(x509.BasicConstraints(ca=name == "a CA", path_length=None), critical=True)
    return builder.sign(issuer, SHA256())


@dataclass(frozen=True, slots=True)
class Place:
    """The line with the token's key, that key's certificate (DER), files for OpenSSL: the CA, a server of its own."""

    line: TokenLine
    point: bytes
    certificate: bytes
    directory: Path

    def sign(self, octets: bytes) -> bytes:
        """What the line makes of it, as TLS has it."""
        request_id = f"handshake-{next(_requests)}"
        outcome = self.line.asked(KeyLabel(PURPOSE), ContentKind.TLS_HANDSHAKE, octets, request_id)
        assert isinstance(outcome, Concluded), outcome
        return assemble(outcome.intent.permit.decision.content, outcome.outputs)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    assert shutil.which("openssl"), "openssl is not installed"
    directory = tmp_path_factory.mktemp("tls")
    with opened(make_softhsm(directory / "token")) as token, books.a_book(directory) as journal:
        point = generate_key(token, KeyLabel(PURPOSE), a_policy(PURPOSE), signs_request=False)
        authority, server = a_private_key(31), a_private_key(32)
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        (directory / "ca.pem").write_bytes(
            a_certificate(authority.public_key(), authority, "a CA").public_bytes(Encoding.PEM)
        )
        (directory / "server.pem").write_bytes(
            a_certificate(server.public_key(), authority, "a Device").public_bytes(Encoding.PEM)
        )
        key = server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "server.key").write_bytes(key)
        own = a_certificate(public, authority, "a DCC system").public_bytes(Encoding.DER)
        yield Place(a_token_line(token, journal, a_dcc_key(PURPOSE, public_key=point)), point, own, directory)


@pytest.fixture
def key(place: Place, monkeypatch: pytest.MonkeyPatch) -> KeyElsewhere:
    elsewhere = KeyElsewhere(place.point, place.sign)
    capture(monkeypatch, elsewhere)
    return elsewhere


def s_client(place: Place, port: int) -> subprocess.CompletedProcess[bytes]:
    """Demands a certificate of the test's CA, and ecdsa_secp256r1_sha256."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(place.directory / "ca.pem")]
    command += ["-verify_return_error", "-sigalgs", "ecdsa_secp256r1_sha256", "-ign_eof"]
    return subprocess.run(command, input=b"a question\n", capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("group", ["secp256r1", "secp384r1", "x25519"])
@pytest.mark.parametrize(("version", "told", "which"), [((3, 4), b"TLSv1.3", 2), ((3, 3), b"TLSv1.2", 3)])
def test_openssl_accepts_us_as_a_server(
    place: Place, key: KeyElsewhere, version: tuple[int, int], told: bytes, which: int, group: str
) -> None:
    server = Server(key, place.certificate, settings(version, group))
    done = s_client(place, server.port)
    server.wait()
    assert done.returncode == 0, done.stderr
    for line in (b"Verify return code: 0 (ok)", b"Peer signature type: ECDSA", b"Peer signing digest: SHA256", told):
        assert line in done.stdout
    assert b"heard: a question" in done.stdout
    assert key.captured[-1][0] == which


def test_openssl_refuses_a_server_whose_signature_is_over_another_handshake(place: Place, key: KeyElsewhere) -> None:
    """The acceptance above is no accident: one octet of what was signed decides."""
    key._ask = lambda octets: place.sign(octets[:-1] + bytes([octets[-1] ^ 1]))
    key.verify = lambda *_, **__: True  # tlslite-ng would not send it
    server = Server(key, place.certificate, settings((3, 4), "secp256r1"))
    done = s_client(place, server.port)
    with pytest.raises(Exception, match=r"decrypt_error|bad signature|remote"):
        server.wait()
    assert done.returncode != 0
    assert b"bad signature" in done.stderr.lower() or b"signature" in done.stderr.lower()


@pytest.mark.parametrize(("version", "flag", "which"), [((3, 4), "-tls1_3", 1), ((3, 3), "-tls1_2", 4)])
def test_openssl_accepts_us_as_a_client(
    place: Place, key: KeyElsewhere, version: tuple[int, int], flag: str, which: int
) -> None:
    files = [str(place.directory / name) for name in ("ca.pem", "server.pem", "server.key")]
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", flag, "-Verify", "1"]
    command += ["-verify_return_error", "-CAfile", files[0], "-cert", files[1], "-key", files[2]]
    # tlslite-ng sends no certificate to a server that does not take RSA too.
    command += ["-client_sigalgs", "ecdsa_secp256r1_sha256:RSA+SHA256"]
    command += ["-rev"]  # it answers each line in reverse
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = next(int(line.rpartition(b":")[2]) for line in server.stdout if line.startswith(b"ACCEPT"))
        answer = say_as_client(port, key, place.certificate, settings(version, "secp256r1"), b"hear this\n")
        _, told = server.communicate(timeout=60)
    assert answer == b"siht raeh\n", told
    for line in (b"CN = a DCC system", b"Signature type: ECDSA", b"Hash used: SHA256", b"Verification: OK"):
        assert line in told
    assert key.captured[-1][0] == which


def test_what_was_signed_stands_in_the_ledger(place: Place) -> None:
    """After the handshakes above, whichever ran: each signature has its intent, and each intent its facts."""
    place.sign(b"\x01" + bytes(32))
    intents = [record for record in place.line.records() if record["kind"] == "intent"]
    outcomes = [record for record in place.line.records() if record["kind"] == "outcome"]
    assert len(intents) == len(outcomes)
    assert {record["state"] for record in outcomes} == {"signed"}
    assert all(record["content"]["signed"].startswith("TLS 1.") for record in intents)
