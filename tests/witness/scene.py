"""A small ledger with a key of its own, whose history may be another's; and a witness in a process."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.ledger.merkle import leaf_hash, node_hash
from keybroker.ledger.note import Note, NoteSignature, read_signature_lines, write_note
from keybroker.ledger.note_keys import CosignatureKey, EcdsaNoteKey, check_signed, read_vkey, write_vkey
from keybroker.ledger.proofs import consistency_proof, inclusion_proof, root_hash
from keybroker.witness.request import write_request
from tests.cli.command import Done, run_here

ORIGIN = "keybroker.example/ledger"
NAME = "witness.example/w1"
SILENCE = 30.0
CLOCK = 5.0

_signer = ec.generate_private_key(ec.SECP256R1())
LEDGER_KEY = EcdsaNoteKey(
    name=ORIGIN, point=_signer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)


@dataclass(frozen=True, slots=True)
class History:
    """``turn``: from this record on it is another history than the one with turn None."""

    turn: int | None = None

    def _subtree(self, height: int, place: int) -> bytes:
        if height == 0:
            ours = self.turn is None or place < self.turn
            return leaf_hash(f"record {place}".encode() if ours else f"other {place}".encode())
        return node_hash(self._subtree(height - 1, 2 * place), self._subtree(height - 1, 2 * place + 1))

    def root(self, size: int) -> bytes:
        return root_hash(size, self._subtree)

    def proof(self, first: int, second: int) -> Sequence[bytes]:
        return consistency_proof(first, second, self._subtree)

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        return inclusion_proof(index, size, self._subtree)

    def note(self, size: int, *, origin: str = ORIGIN, root: bytes | None = None) -> Note:
        """Signed by the ledger's key."""
        return sign(encode_checkpoint(origin, size, self.root(size) if root is None else root))

    def request(self, old: int, size: int, **changes: Any) -> bytes:
        """A good one, to be spoilt by ``changes``: proof, note."""
        note = changes.get("note", self.note(size))
        return write_request(old, changes.get("proof", self.proof(old, size)), write_note(note))


def sign(body: bytes) -> Note:
    r, s = decode_dss_signature(_signer.sign(body, ec.ECDSA(SHA256())))
    line = LEDGER_KEY.signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return Note(body=body, signatures=(line,))


def init(directory: Path, **changes: object) -> CosignatureKey:
    """``keybroker witness init``; its verifier key."""
    done = try_init(directory, **changes)
    assert done.returncode == 0, done.stdout
    key = read_vkey(json.loads(done.stdout)["vkey"])
    assert isinstance(key, CosignatureKey)
    return key


def try_init(directory: Path, **changes: object) -> Done:
    """The same, whatever comes of it."""
    options: dict[str, object] = {
        "directory": directory,
        "name": NAME,
        "origin": ORIGIN,
        "ledger-key": write_vkey(LEDGER_KEY),
        "listen": "127.0.0.1:0",
        "silence-seconds": SILENCE,
        "clock-seconds": CLOCK,
        **changes,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return run_here("witness", "init", "--json", *words)


class RunningWitness:
    """A witness on a directory that was made, as ``keybroker witness run`` becomes one (or by it: ``by_command``)."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, *, by_command: bool = False
    ) -> None:
        self.directory = directory
        self._log = directory.with_name(f"{directory.name}.log")
        command = [sys.executable, "-m", "keybroker.witness", str(directory)]
        if by_command:
            command[2:] = ["keybroker.cli.main", "witness", "run", "--directory", str(directory)]
        with self._log.open("ab") as log:
            self._from = log.tell()
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
            )

    def log(self) -> str:
        return self._log.read_bytes()[self._from :].decode()

    def events(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def wait_for(self, event: str, *, seconds: float = 20) -> dict[str, Any]:
        last = time.monotonic() + seconds
        while not (found := self.events(event)):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < last, self.log()
            time.sleep(0.02)
        return found[-1]

    @property
    def port(self) -> int:
        return int(self.wait_for("witness ready")["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, body: bytes, *, method: str = "POST", path: str = "/add-checkpoint", **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def last(self, origin: str = ORIGIN) -> tuple[int, bytes]:
        return self.ask(b"", method="GET", path=f"/{sha256(origin.encode()).hexdigest()}/checkpoint")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)


@contextmanager
def running(directory: Path, **arguments: Any) -> Iterator[RunningWitness]:
    """One that is ready."""
    witness = RunningWitness(directory, **arguments)
    try:
        witness.wait_for("witness ready")
        yield witness
    finally:
        witness.stop()


def cosigned(key: CosignatureKey, note: Note, answer: bytes) -> NoteSignature:
    """The line, after it was verified."""
    signed = Note(body=note.body, signatures=read_signature_lines(answer))
    return check_signed(signed, key)[-1]


def metrics(port: int) -> dict[str, float]:
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def encoded(octets: bytes) -> bytes:
    return b64encode(octets)
