"""How are a person's keys used where they stand in a PKCS#11 token? By a process of its own for each use.

``python -m keybroker.ceremony.person_token`` loads the token's library with the environment that it needs, does one
thing and ends. First it tells, without a PIN, how many tries are left and whether the PIN is typed at the token itself;
then the PIN goes to it through a pipe of its own, never through argv, environment, or the request.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from threading import Timer

from pydantic import ValidationError

from keybroker.ceremony.person_key import Now, PersonPinWrong
from keybroker.ceremony.token_request import (
    LONGEST_PIN,
    Answer,
    At,
    Destroy,
    HandOver,
    Look,
    MakeReceiving,
    MakeSigning,
    Open,
    Place,
    Request,
    Sign,
    Subject,
    Task,
)
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.person_token import Tries
from keybroker.hsm.pin import PinWrong

SECONDS = 120.0
"""A token at whose pad a PIN is typed takes its time."""

AskPin = Callable[[Tries], str]
"""Asks for the PIN, told how many tries the token says are left."""

_PROGRAM = (sys.executable, "-m", "keybroker.ceremony.person_token")
_ERRORS: dict[str, type[KeybrokerError]] = {
    each.reason: each for each in (CmsUnfit, ConfigurationInvalid, ModuleDisagrees, ModuleUnavailable)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """``PersonKey`` in a token; ``signing`` and ``receiving`` say where."""

    name: str
    place: Place
    signing: At
    receiving: At | None
    pin: AskPin = field(repr=False)
    now: Now = field(repr=False)

    @property
    def certificate(self) -> bytes:
        return bytes.fromhex(self.signing.certificate)

    @property
    def receiving_certificate(self) -> bytes | None:
        return None if self.receiving is None else bytes.fromhex(self.receiving.certificate)

    def sign(self, octets: bytes) -> bytes:
        """Raises: PersonPinWrong; ModuleFault; ConfigurationInvalid."""
        return self._use(Sign(key=self.signing, octets=octets.hex(), at=self.now()))

    def open(self, der: bytes) -> bytes:
        """Raises: CmsUnfit; as ``sign``."""
        if self.receiving is None:
            raise ConfigurationInvalid(f"{self.name} has no receiving key")
        return self._use(Open(key=self.receiving, octets=der.hex()))

    def hand_over(self, der: bytes, certificate: bytes) -> bytes:
        """Opened and sealed anew by the token's own process. Raises: as ``open``."""
        if self.receiving is None:
            raise ConfigurationInvalid(f"{self.name} has no receiving key")
        return self._use(HandOver(key=self.receiving, octets=der.hex(), recipient=certificate.hex()))

    def _use(self, task: Task) -> bytes:
        return _run(self.place, task, self.pin)


def look_at_token(place: Place) -> Answer:
    """Is the token there, how many tries are left, has it a pad? No PIN is needed. Raises: as ``use_token``."""
    return use_token(place, Look(), _nobody)


def make_signing_key(place: Place, key: At, subject: Subject, pin: AskPin) -> bytes:
    """A P-256 pair in the token and its certificate, which is given. Raises: as ``use_token``."""
    return _run(place, MakeSigning(key=key, subject=subject), pin)


def make_receiving_key(place: Place, key: At, signing: At, subject: Subject, pin: AskPin) -> bytes:
    """An RSA-3072 pair in the token and its certificate, signed by ``signing``. Raises: as ``use_token``."""
    return _run(place, MakeReceiving(key=key, signing=signing, subject=subject), pin)


def destroy_key(place: Place, label: str, pin: AskPin) -> None:
    """Every object of this label; none is done already. Raises: as ``use_token``."""
    _run(place, Destroy(label=label), pin)


def _run(place: Place, task: Task, pin: AskPin) -> bytes:
    return bytes.fromhex(use_token(place, task, pin).octets)


def use_token(place: Place, task: Look | Task, pin: AskPin) -> Answer:
    """Do one thing with the token. The process answers twice: what it sees of the token, and, when it got the PIN, what
    it did.

    Raises: PersonPinWrong, also for a token that is locked already, which is not asked; ModuleUnavailable (no such
    token, or no answer in time), ModuleDisagrees, ConfigurationInvalid, CmsUnfit.
    """
    reading, writing = os.pipe()
    with closing(_Descriptor(reading)) as given, closing(_Descriptor(writing)) as giving:
        asked = Request(place=place, pin_descriptor=reading, task=task).model_dump_json().encode()
        with subprocess.Popen(  # noqa: S603 - our own module
            _PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(reading,)
        ) as process:
            try:
                given.close()
                looked = _checked(_answer(process, asked))
                if isinstance(task, Look):
                    return looked
                if not looked.has_pad:
                    os.write(writing, _pin(looked, pin))
                giving.close()
                return _checked(_answer(process, b""))
            finally:
                process.kill()


def _pin(looked: Answer, pin: AskPin) -> bytes:
    """Raises: PersonPinWrong where the token has locked it; ConfigurationInvalid where nobody gave one."""
    if looked.tries is Tries.LOCKED:
        raise PersonPinWrong(
            "the person's token has locked its PIN; its security officer sets a new one", tries=looked.tries
        )
    given = pin(looked.tries).encode()
    # What cannot be a PIN should not cost a try.
    if not 1 <= len(given) <= LONGEST_PIN:
        raise ConfigurationInvalid(f"expected a PIN of 1 to {LONGEST_PIN} octets")
    return given


def _answer(process: subprocess.Popen[bytes], request: bytes) -> Answer:
    """One line. Raises: ModuleUnavailable where there is none in time; it says nothing of what was read."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
    timer = Timer(SECONDS, process.kill)
    timer.start()
    try:
        if request:
            process.stdin.write(request)
            process.stdin.close()
        return Answer.model_validate_json(process.stdout.readline())
    except (BrokenPipeError, ValidationError):
        # What the error holds may be what was opened: it is told to nobody.
        raise ModuleUnavailable("the person's token gives no answer") from None
    finally:
        timer.cancel()


def _nobody(_: Tries) -> str:
    raise AssertionError("who only looks is asked for no PIN")


class _Descriptor:
    """Closed once, however often that is said."""

    def __init__(self, number: int) -> None:
        self._number: int | None = number

    def close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            os.close(number)


def _checked(answer: Answer) -> Answer:
    refused = answer.refused
    if refused is None:
        return answer
    if refused.reason == PinWrong.reason:
        raise PersonPinWrong(refused.sentence, tries=answer.tries)
    raise _ERRORS.get(refused.reason, ModuleUnavailable)(refused.sentence)
