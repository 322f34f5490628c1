"""What becomes of a request to cosign? Judged, kept, cosigned, answered; and shouted where it must be. One at a time.

Read, compare, keep and cosign are one step under one lock: two requests at one instant cannot both be next (C2SP
tlog-witness, the race it describes). What is answered is on the disk.

*Clocks.* A checkpoint tells no time. An asker's ``Date`` header (RFC 9110 section 6.6.1) does, and is compared with
this machine's clock; the broker compares the other way, the cosignature's time with its own. A difference is shouted,
and does not keep the witness from cosigning: its own clock is what it states. It never states an earlier time than
before.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed, LedgerUnavailable
from keybroker.ledger.note import Note, write_note
from keybroker.ledger.note_keys import CosignatureKey, check_signed, cosigned_message
from keybroker.witness.book import Book
from keybroker.witness.judging import Judgement, Shown, judge
from keybroker.witness.metrics import WitnessMetrics
from keybroker.witness.request import SIZE_TYPE, AddCheckpoint, read_request, write_size

_TEXT = "text/plain; charset=utf-8"


class Log(Protocol):
    """Where it says what people should read (structlog)."""

    def info(self, event: str, **fields: object) -> None: ...

    def warning(self, event: str, **fields: object) -> None: ...

    def error(self, event: str, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


@final
class Witness:
    """``book`` is entered. ``seconds`` is this machine's clock, POSIX; ``clock_seconds`` how far others' may be off."""

    def __init__(
        self,
        book: Book,
        key: Ed25519PrivateKey,
        public: CosignatureKey,
        *,
        clock_seconds: float,
        metrics: WitnessMetrics,
        log: Log,
        seconds: Callable[[], float],
    ) -> None:
        self._book = book
        self._key = key
        self._public = public
        self._clock_seconds = clock_seconds
        self._metrics = metrics
        self._log = log
        self._seconds = seconds
        self._lock = threading.Lock()
        self._clock_is_out = False
        self.cosigned = threading.Event()
        """Set with every cosignature; whoever watches for silence clears it."""
        self._show()

    def add(self, octets: bytes, dated: datetime | None) -> Answer:
        """One request. ``dated``: what the asker's clock said, where it did."""
        try:
            asked = read_request(octets)
        except ContentMalformed as error:
            return self._answered(HTTPStatus.BAD_REQUEST, error.sentence)
        with self._lock:
            judgement = judge(asked, self._book.memory)
            try:
                if judgement.signed and dated is not None:
                    self._compare_clocks(dated)
                self._shout(asked, judgement)
                if judgement.status is HTTPStatus.OK:
                    return self._cosign(asked)
            except LedgerUnavailable as fault:
                self._log.error("witness cannot write", why=fault.sentence)
                return self._answered(HTTPStatus.SERVICE_UNAVAILABLE, fault.sentence)
            return self._refused(judgement)

    def last(self, origin_hash: str) -> Answer:
        """The last checkpoint with its cosignature (tlog-witness, section Monitor Retrieval Mechanism)."""
        with self._lock:
            note, origin = self._book.last, self._book.memory.origin
        if note is None or origin_hash != hashlib.sha256(origin.encode()).hexdigest():
            return Answer(status=HTTPStatus.NOT_FOUND, body=b"no checkpoint of that ledger\n")
        return Answer(status=HTTPStatus.OK, body=write_note(note))

    def _cosign(self, asked: AddCheckpoint) -> Answer:
        """Raises: LedgerUnavailable: then nothing leaves."""
        at = max(int(self._seconds()), self._book.last_at)
        line = self._public.signature(at, self._key.sign(cosigned_message(asked.note.body, at)))
        by_ledger = [
            each
            for key in self._book.memory.ledger_keys
            if any((key.name, key.key_id) == (s.name, s.key_id) for s in asked.note.signatures)
            for each in check_signed(asked.note, key)
        ]
        self._book.keep(Note(body=asked.note.body, signatures=(*by_ledger, line)), at)
        self._show()
        self.cosigned.set()
        self._log.info("checkpoint cosigned", size=asked.checkpoint.tree_size, root=asked.checkpoint.root_hash.hex())
        self._metrics.answers.labels("200").inc()
        return Answer(status=HTTPStatus.OK, body=line.line)

    def _refused(self, judgement: Judgement) -> Answer:
        if judgement.status is HTTPStatus.CONFLICT:
            self._metrics.answers.labels("409").inc()
            size = self._book.memory.last_size
            return Answer(status=HTTPStatus.CONFLICT, body=write_size(size), content_type=SIZE_TYPE)
        return self._answered(judgement.status, judgement.sentence)

    def _answered(self, status: HTTPStatus, sentence: str) -> Answer:
        self._metrics.answers.labels(str(status.value)).inc()
        return Answer(status=status, body=f"{sentence}\n".encode("utf-8", "backslashreplace"))

    def _shout(self, asked: AddCheckpoint, judgement: Judgement) -> None:
        """Raises: LedgerUnavailable, after it was said."""
        against = judgement.against
        if against is None:
            return
        proven = against.shown is Shown.FORK
        say = self._log.error if proven else self._log.warning
        say(
            "LEDGER FORKED" if proven else "checkpoint not proven to extend the last",
            size=against.size,
            cosigned_root=against.cosigned_root.hex(),
            shown_root=None if against.shown_root is None else against.shown_root.hex(),
            of=asked.checkpoint.tree_size,
            root=asked.checkpoint.root_hash.hex(),
        )
        if (kept := self._book.keep_against(asked, against, datetime.fromtimestamp(self._seconds(), UTC))) is not None:
            self._show()
            self._log.error("evidence against the ledger kept", file=kept.name)

    def _compare_clocks(self, dated: datetime) -> None:
        difference = dated.timestamp() - self._seconds()
        out = abs(difference) > self._clock_seconds
        self._metrics.clock_difference.set(difference)
        self._metrics.clock_out_of_line.set(out)
        if out and not self._clock_is_out:
            self._log.error("clock out of line", asker=dated.isoformat(), difference_seconds=round(difference, 3))
        if self._clock_is_out and not out:
            self._log.info("clock in line again", difference_seconds=round(difference, 3))
        self._clock_is_out = out

    def _show(self) -> None:
        checkpoint: AuditCheckpoint | None = self._book.checkpoint
        self._metrics.records.set(0 if checkpoint is None else checkpoint.tree_size)
        self._metrics.cosigned_at.set(self._book.last_at)
        for shown in Shown:
            self._metrics.against.labels(shown.value).set(self._book.count(shown))
