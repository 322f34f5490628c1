"""How does a ceremony use the process that holds secrets? It starts one, asks it line by line, and sees it end.

Nothing secret passes here but sealed (``custody_process.py``). The child's environment is ours and nothing else.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from keybroker.ceremony.custody_request import (
    Answer,
    Expect,
    Guarded,
    Hello,
    Join,
    Offer,
    OfferedAs,
    Print,
    ReadBack,
    Request,
    Split,
)
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.guarded_memory import ENVIRONMENT
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet, read_share_set
from keybroker.errors import ModuleDisagrees, ModuleUnavailable, ShareUnfit
from keybroker.hsm.wrap_mechanism import WrapMechanism

_PROGRAM = (sys.executable, "-m", "keybroker.ceremony.custody_process")
_SECONDS_TO_END = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What came of a split: the set, and one envelope for each custodian in its order."""

    share_set: ShareSet
    envelopes: tuple[bytes, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """One process that holds secrets, while ``opened_custody`` lasts. ``certificate`` (DER) is what is sealed to.

    Every method raises ModuleUnavailable where the process has ended.
    """

    certificate: bytes
    guarded: Guarded
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def spki(self) -> bytes:
        """Of the same key: what a module wraps to (DER)."""
        key = x509.load_der_x509_certificate(self.certificate).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def share(self, request: Split) -> Shared:
        """Raises: ModuleDisagrees where what the module wrapped is not a wrapping key; ShareUnfit."""
        answer = self._ask(request)
        share_set = read_share_set(bytes.fromhex(answer.share_set))
        return Shared(share_set=share_set, envelopes=tuple(map(bytes.fromhex, answer.envelopes)))

    def expect(self, share_set: ShareSet, older: Sequence[ShareSet] = ()) -> None:
        """From now on shares of this set are handed in; none was yet."""
        self._ask(Expect(share_set=share_set.octets.hex(), older=[each.octets.hex() for each in older]))

    def offer(self, custodian: str, sealed: bytes, offered_as: OfferedAs) -> int:
        """The index of the share (from 1) that ``custodian`` handed in. Raises: ShareUnfit, with what is wrong."""
        return self._ask(Offer(custodian=custodian, offered_as=offered_as, sealed=sealed.hex())).index

    def join(self, custodians: Sequence[str], spki: bytes, oaep: WrapMechanism) -> bytes:
        """The wrapping key of exactly these, enciphered to a module's pair. Raises: ShareUnfit."""
        return bytes.fromhex(self._ask(Join(custodians=list(custodians), spki=spki.hex(), oaep=oaep)).wrapped)

    def print_share(self, custodian: str, printer: str) -> None:
        """Words and QR code on paper. Raises: ModuleDisagrees, with why not."""
        self._ask(Print(custodian=custodian, printer=printer))

    def check_read_back(self, custodian: str, typed: str) -> None:
        """Raises: ShareUnfit, with the numbers of the words that are not as printed."""
        self._ask(ReadBack(custodian=custodian, sealed=self.sealed(typed).hex()))

    def sealed(self, typed: str) -> bytes:
        """What was typed at the terminal of this process, for that one alone."""
        return seal(typed.encode(), self.certificate, secrets.token_bytes)

    def _ask(self, request: Request) -> Answer:
        read, written = self._process.stdout, self._process.stdin
        assert read is not None and written is not None  # noqa: S101, PT018 - both are pipes
        try:
            written.write(request.model_dump_json().encode() + b"\n")
            written.flush()
            answer = Answer.model_validate_json(read.readline())
        except (OSError, ValidationError, ValueError):
            raise _ended() from None
        if answer.refused is None:
            return answer
        refused = answer.refused
        if refused.flaw:
            raise ShareUnfit(refused.sentence, flaw=ShareFlaw(refused.flaw), places=tuple(refused.places))
        raise ModuleDisagrees(refused.sentence)


@contextmanager
def opened_custody() -> Iterator[Custody]:
    """A process that ends when this does, whatever happens. Raises: ModuleUnavailable where it does not begin."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        _PROGRAM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A trace might say what it should not.
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        close_fds=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            hello = Hello.model_validate_json(process.stdout.readline())
        except ValidationError:
            raise _ended() from None
        yield Custody(certificate=bytes.fromhex(hello.certificate), guarded=hello.guarded, _process=process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its input ends, and so does it; killed where it does not."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ended() -> ModuleUnavailable:
    return ModuleUnavailable("the process that holds the shares has ended; nothing of them is left: hand them in again")
