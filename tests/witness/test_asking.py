"""What a broker makes of a witness that lies, hangs, errs or never ends: nothing, within its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.cli.dev.pki import certificate_pem, new_private_key, private_key_pem
from keybroker.cli.dev.tls_pki import create_tls_authority, tls_server_certificate
from keybroker.ledger.note import Note, write_note
from keybroker.ledger.note_keys import CosignatureKey, cosigned_message
from keybroker.witness.asking import LONGEST_ANSWER, Cosignature, NoAnswer, Remembers, WitnessPlace, ask_cosignature
from keybroker.witness.asking import ask_last as ask_the_last
from tests.witness.scene import LEDGER_KEY, ORIGIN, History, init, running

SECONDS = 0.7
AT = int(time.time())
HONEST, OTHER = History(), History(turn=2)
NOTE = HONEST.note(6)


def _cosigner(name: str, scalar: bytes) -> tuple[CosignatureKey, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.from_private_bytes(scalar)
    return CosignatureKey(
        name=name, public_key=private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    ), private


KEY, PRIVATE = _cosigner("witness.example/w1", bytes(range(32)))
STRANGER, STRANGERS = _cosigner("witness.example/w1", bytes(32))


def line(note: Note, key: CosignatureKey = KEY, private: Ed25519PrivateKey = PRIVATE, at: int = AT) -> bytes:
    return key.signature(at, private.sign(cosigned_message(note.body, at))).line


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


LIES = [
    ("cosigns nothing", answer(b"")),
    ("signs with another key", answer(line(NOTE, STRANGER, STRANGERS))),
    ("signs with another key under its own id", answer(line(NOTE, KEY, STRANGERS))),
    ("cosigns another root", answer(line(OTHER.note(6)))),
    ("cosigns another size", answer(line(HONEST.note(7)))),
    ("states the time zero", answer(line(NOTE, at=0))),
    ("says that it errs", answer(b"no", "500 Internal Server Error")),
    ("refuses", answer(b"no", "422 Unprocessable Entity")),
    ("sends elsewhere", answer(b"", "302 Found")),
    ("says 409 and no size", answer(b"many\n", "409 Conflict")),
    ("says nothing", b""),
    ("speaks no HTTP", b"SSH-2.0-witness\r\n"),
    ("ends in the middle", answer(line(NOTE))[:-9]),
    ("answers with octets that are no note", answer(b"\xff" * 100)),
    ("answers megabytes", answer(b"\n" * (LONGEST_ANSWER + 1))),
    ("answers a header without end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
]


@contextmanager
def witness_that(says: bytes, *, slowly: float = 0.0, stays: bool = False) -> Iterator[WitnessPlace]:
    """Answers one question with these octets, one every ``slowly`` seconds, and then closes, or ``stays``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                try:
                    for octet in says if slowly else ():
                        connection.sendall(bytes([octet]))
                        time.sleep(slowly)
                    if not slowly:
                        connection.sendall(says)
                    if stays:
                        done.wait(10)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield WitnessPlace(url=f"http://127.0.0.1:{listening.getsockname()[1]}/", key=KEY, timeout_seconds=SECONDS)
        done.set()
        thread.join(5)


def ask(place: WitnessPlace) -> Cosignature:
    octets = write_note(NOTE)
    return ask_cosignature(place, old_size=0, proof=[], note=NOTE, octets=octets, at=datetime.now(UTC))


def ask_last(place: WitnessPlace) -> Note | None:
    return ask_the_last(place, ORIGIN, [LEDGER_KEY], datetime.now(UTC))


@pytest.mark.parametrize("says", [row[1] for row in LIES], ids=[row[0] for row in LIES])
def test_takes_nothing_from_a_witness_that(says: bytes) -> None:
    for asking in (ask, ask_last):
        with witness_that(says) as place, pytest.raises(NoAnswer) as refusal:
            asking(place)
        assert len(refusal.value.why) < 1_000


@pytest.mark.parametrize(
    ("says", "slowly"),
    [(b"", 0.0), (answer(line(NOTE))[:40], 0.0), (answer(line(NOTE)), 0.05)],
    ids=["before it speaks", "in the middle", "an octet at a time"],
)
def test_waits_no_longer_than_its_time_for_a_witness_that_hangs(says: bytes, slowly: float) -> None:
    with witness_that(says, slowly=slowly, stays=True) as place:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(place)
        assert time.monotonic() - begun < 3 * SECONDS


def test_waits_no_longer_for_a_handshake_that_does_not_end() -> None:
    """A record of 16 KiB, announced at once and sent an octet at a time."""
    with witness_that(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(200), slowly=0.05, stays=True) as plain:
        place = replace(plain, url=plain.url.replace("http:", "https:"))
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(place)
        assert time.monotonic() - begun < 3 * SECONDS


def test_refuses_a_witness_whose_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    authority, private = create_tls_authority(not_before=datetime.now(UTC)), new_private_key()
    certificate = tls_server_certificate(authority, private.public_key(), not_before=datetime.now(UTC))
    directory = tmp_path / "w"
    key = init(directory, certificate="tls.pem", **{"private-key": "tls.key"})
    (directory / "tls.pem").write_bytes(certificate_pem(certificate))
    (directory / "tls.key").write_bytes(private_key_pem(private))
    with running(directory) as witness:
        place = WitnessPlace(url=f"https://127.0.0.1:{witness.port}", key=key, timeout_seconds=5)
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            ask(place)


def test_nobody_there_is_no_answer() -> None:
    place = WitnessPlace(url="http://127.0.0.1:1", key=KEY, timeout_seconds=SECONDS)
    with pytest.raises(NoAnswer, match="no answer"):
        ask(place)


@pytest.mark.parametrize(
    "note",
    [
        Note(body=NOTE.body, signatures=NOTE.signatures),
        Note(body=NOTE.body, signatures=(KEY.signature(AT, PRIVATE.sign(cosigned_message(NOTE.body, AT))),)),
        Note(
            body=OTHER.note(6).body,
            signatures=(*NOTE.signatures, KEY.signature(AT, PRIVATE.sign(cosigned_message(OTHER.note(6).body, AT)))),
        ),
    ],
    ids=["without its own signature", "without the ledger's", "with the ledger's of another"],
)
def test_believes_no_last_checkpoint(note: Note) -> None:
    with witness_that(answer(write_note(note))) as place, pytest.raises(NoAnswer):
        ask_last(place)


def test_believes_no_last_checkpoint_of_another_ledger() -> None:
    note = HONEST.note(6, origin="another")
    cosignature = KEY.signature(AT, PRIVATE.sign(cosigned_message(note.body, AT)))
    whole = Note(body=note.body, signatures=(*note.signatures, cosignature))
    with witness_that(answer(write_note(whole))) as place, pytest.raises(NoAnswer, match="another"):
        ask_last(place)


def test_a_size_that_is_remembered_is_told() -> None:
    with witness_that(answer(b"9\n", "409 Conflict")) as place, pytest.raises(Remembers) as told:
        ask(place)
    assert told.value.size == 9


def test_no_last_checkpoint_is_none() -> None:
    with witness_that(answer(b"none\n", "404 Not Found")) as place:
        assert ask_last(place) is None


def test_a_good_cosignature_is_taken_with_its_time_whatever_stands_beside_it() -> None:
    with witness_that(answer(line(NOTE, STRANGER, STRANGERS) + line(NOTE))) as place:
        given = ask(place)
    assert (given.at, given.line.line) == (AT, line(NOTE))


def test_a_good_last_checkpoint_is_given() -> None:
    whole = Note(
        body=NOTE.body, signatures=(*NOTE.signatures, KEY.signature(AT, PRIVATE.sign(cosigned_message(NOTE.body, AT))))
    )
    with witness_that(answer(write_note(whole))) as place:
        assert ask_last(place) == whole
