"""How does a broker ask a witness? C2SP tlog-witness over HTTP or HTTPS, bounded in octets and in time.

A witness is another party's machine: it may be away, hang, lie, or answer without end. Whatever it does, there is an
answer within ``timeout_seconds``, and none is believed that its key did not sign.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.errors import ContentMalformed, NoteUnfit
from keybroker.ledger.note import Note, NoteSignature, read_note, read_signature_lines
from keybroker.ledger.note_keys import CosignatureKey, NoteKey, check_signed
from keybroker.witness.judging import check_by_ledger
from keybroker.witness.request import read_size, write_request

LONGEST_ANSWER = 64 * 1024


class NoAnswer(Exception):
    """The witness gave nothing that can be used. ``why`` is a sentence for the operator."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Remembers(Exception):
    """The witness remembers another size than it was told (409)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness remembers {size} records")
        self.size = size


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessPlace:
    """Where one witness is asked, and the key that its cosignatures must verify under."""

    url: str
    key: CosignatureKey
    timeout_seconds: float
    context: ssl.SSLContext | None = field(default=None, compare=False, repr=False)
    """For https; None: the system's authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A line that verifies, and the moment that it states (POSIX seconds, by the witness's clock)."""

    line: NoteSignature
    at: int


def ask_cosignature(
    witness: WitnessPlace, *, old_size: int, proof: Sequence[bytes], note: Note, octets: bytes, at: datetime
) -> Cosignature:
    """``note`` is what ``octets`` holds; ``at`` is our clock, which the witness compares with its own.

    Raises: Remembers; NoAnswer.
    """
    body = write_request(old_size, proof, octets)
    status, answered = _ask(witness, "POST", "/add-checkpoint", body, at)
    if status == HTTPStatus.CONFLICT:
        try:
            raise Remembers(read_size(answered))
        except ContentMalformed as error:
            raise NoAnswer(f"409 without a size: {error.sentence}") from error
    if status != HTTPStatus.OK:
        raise NoAnswer(f"{status}: {_shown(answered)}")
    try:
        signed = Note(body=note.body, signatures=read_signature_lines(answered))
        line = check_signed(signed, witness.key)[-1]
        moment = witness.key.cosigned_at(signed)
    except (ContentMalformed, NoteUnfit) as error:
        raise NoAnswer(f"what it answered is no cosignature of its key: {error.sentence}") from error
    return Cosignature(line=line, at=moment)


def ask_last(witness: WitnessPlace, origin: str, ledger_keys: Sequence[NoteKey] | None, at: datetime) -> Note | None:
    """The checkpoint of this ledger that it cosigned last; None where it says that there is none.

    ``ledger_keys`` None: whoever asks knows none yet, and has the witness's word alone. Raises: NoAnswer, too, for one
    that witness and ledger did not both sign.
    """
    path = f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
    status, answered = _ask(witness, "GET", path, b"", at)
    if status == HTTPStatus.NOT_FOUND:
        return None
    if status != HTTPStatus.OK:
        raise NoAnswer(f"{status}: {_shown(answered)}")
    try:
        note = read_note(answered)
        witness.key.cosigned_at(note)
        if ledger_keys is not None:
            check_by_ledger(note, ledger_keys)
        found = decode_checkpoint(note.body).origin
    except (ContentMalformed, NoteUnfit) as error:
        raise NoAnswer(f"what it answered is no checkpoint that both signed: {error.sentence}") from error
    if found != origin:
        raise NoAnswer(f"it answered with a checkpoint of {found}")
    return note


def _ask(witness: WitnessPlace, method: str, path: str, body: bytes, at: datetime) -> tuple[int, bytes]:
    """Raises: NoAnswer."""
    url = urlsplit(witness.url)
    headers = {"Date": format_datetime(at.astimezone(UTC), usegmt=True)}
    is_tls = url.scheme == "https"
    place = url.hostname or "", url.port or (443 if is_tls else 80)
    connection = http.client.HTTPConnection(*place, timeout=witness.timeout_seconds)
    # A timeout of the socket counts from one octet to the next; this one counts once for all of them.
    last = threading.Timer(witness.timeout_seconds, _break_off, [connection])
    last.daemon = True
    last.start()
    try:
        connection.sock = socket.create_connection(place, witness.timeout_seconds)
        if is_tls:
            _shake_hands(connection, witness.context, place[0])
        connection.request(method, url.path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        octets = answer.read(LONGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"no answer within {witness.timeout_seconds} s: {type(error).__name__} {error}") from error
    finally:
        last.cancel()
        connection.close()
    if len(octets) > LONGEST_ANSWER:
        raise NoAnswer(f"an answer of more than {LONGEST_ANSWER} octets")
    return answer.status, octets


def _shake_hands(connection: http.client.HTTPConnection, context: ssl.SSLContext | None, host: str) -> None:
    """The TLS socket takes the plain one's place before it shakes hands, so that it can be broken off meanwhile.

    Raises: OSError (ssl.SSLError).
    """
    context = context or ssl.create_default_context()
    tls = context.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
    connection.sock = tls
    tls.do_handshake()


def _break_off(connection: http.client.HTTPConnection) -> None:
    # Whatever is being read or written ends at once; a socket that is gone already is no news.
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _shown(octets: bytes) -> str:
    """The beginning of what it said, fit for a log."""
    return repr(octets[:160])[2:-1]
