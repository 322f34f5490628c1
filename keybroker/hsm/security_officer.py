"""How do trusted wrapping keys come about? In a short child process that logs in as the security officer, and ends.

Officer and user cannot be logged in together in one process, and the officer has no business in the broker's. The
child is given a request on standard input and the PIN on a file descriptor of its own, whose number is all that its
arguments hold; its environment is the request's and nothing else. It answers on standard output with one line of JSON.
A PIN that was refused once is never tried again by the same ``Officer``: tokens count, and lock. SEC G2.22I(a)(ii).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ModuleFault, ModuleUnavailable
from keybroker.hsm.dumps import forbid_dumps
from keybroker.hsm.pin import Pin, PinWrong
from keybroker.hsm.profile import read_profile
from keybroker.hsm.return_values import CallFailed, fault
from keybroker.hsm.token import Pkcs11Connection
from keybroker.hsm.trusted_keys import Recipient, make_trusted
from keybroker.hsm.wrapped_key import IDENTIFIER_OCTETS, encode_json

_SECONDS = 120
_LONGEST_PIN = 255
_Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})+$")]

Run = Callable[[bytes], bytes]
"""One request (JSON) to one answer (JSON), in a process that has ended when it returns."""


class Request(BaseModel):
    """What the child is asked. ``profile`` is the text of hsm_profiles/<profile_name>.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    v: Literal[1]
    profile_name: str
    profile: str
    library: str
    label: str
    serial: str
    name: str
    modulus: _Hex


class Answer(BaseModel):
    """``identifier``: CKA_ID of what was made; or ``refused``, the reason, and its ``sentence``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    identifier: _Hex | None = None
    refused: str | None = None
    sentence: str = ""


@final
class Officer:
    """Who makes trusted keys in one token. ``run`` starts the child; the request's other fields are the token's."""

    def __init__(
        self, run: Run, *, profile_name: str, profile: str, library: str, token_label: str, token_serial: str
    ) -> None:
        self._run = run
        self._place = {
            "profile_name": profile_name,
            "profile": profile,
            "library": library,
            "label": token_label,
            "serial": token_serial,
        }
        self._pin_refused = False

    def make_trusted(self, name: str, recipient: Recipient) -> bytes:
        """Make both keys of this name; gives the CKA_ID that they share (20 octets).

        Raises: PinWrong, and ever after; ModuleDisagrees; ModuleUnavailable; ConfigurationInvalid.
        """
        if self._pin_refused:
            raise PinWrong("the module refused the security officer's PIN; it is not tried again")
        request = {"v": 1, **self._place, "name": name, "modulus": recipient.modulus.hex()}
        try:
            answer = Answer.model_validate_json(self._run(encode_json(request).encode()))
        except ValidationError as error:
            raise ModuleUnavailable("the security officer's process gave no answer that can be read") from error
        if answer.identifier is not None and answer.refused is None:
            return bytes.fromhex(answer.identifier)
        raise self._refused(answer)

    def _refused(self, answer: Answer) -> ConfigurationInvalid | ModuleFault:
        match answer.refused:
            case PinWrong.reason:
                self._pin_refused = True
                return PinWrong("the module refuses the security officer's PIN; it is not tried again")
            case ModuleDisagrees.reason:
                return ModuleDisagrees(answer.sentence)
            case ConfigurationInvalid.reason:
                return ConfigurationInvalid(answer.sentence)
            case _:
                return ModuleUnavailable("the security officer's process could not reach the module")


def child_process(pin: Pin, environment: Mapping[str, str]) -> Run:
    """``Run`` by ``python -m keybroker.hsm.security_officer``; ``pin`` is asked each time, and goes through a pipe.

    ``environment``: what the library needs, and all that the child gets. Raises, when run: ModuleUnavailable for a
    child that ends badly or not in time.
    """

    def run(request: bytes) -> bytes:
        reading, writing = os.pipe()
        try:
            os.write(writing, pin().encode())
        finally:
            os.close(writing)
        command = [sys.executable, "-m", "keybroker.hsm.security_officer", str(reading)]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                command,
                input=request,
                capture_output=True,
                env=dict(environment),
                pass_fds=(reading,),
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModuleUnavailable("the security officer's process did not end in time") from error
        finally:
            os.close(reading)
        if done.returncode != 0:
            raise ModuleUnavailable(f"the security officer's process ended with {done.returncode}")
        return done.stdout

    return run


# --- the child


def main() -> None:
    """File descriptor of the PIN as the one argument; request on standard input, answer on standard output."""
    forbid_dumps()
    with os.fdopen(int(sys.argv[1]), "rb") as stream:
        answer = answer_to(sys.stdin.buffer.read(), lambda: stream.read(_LONGEST_PIN + 1).decode())
    sys.stdout.write(encode_json(answer.model_dump(exclude_none=True)))


def answer_to(octets: bytes, pin: Pin) -> Answer:
    """Log in, make both, log out by ending. Whatever goes wrong is an answer."""
    try:
        request = Request.model_validate_json(octets)
        return Answer(identifier=_make(request, pin).hex())
    except ValidationError:
        return Answer(refused=ConfigurationInvalid.reason, sentence="the request to the officer cannot be read")
    except CallFailed as failure:
        error = fault(failure, used=False)
        return Answer(refused=error.reason, sentence=error.sentence)
    except (ConfigurationInvalid, ModuleFault) as error:
        return Answer(refused=error.reason, sentence=error.sentence)


def _make(request: Request, pin: Pin) -> bytes:
    profile = read_profile(request.profile.encode(), name=request.profile_name)
    if profile.wrapping.trusted_by != "security-officer":
        raise ConfigurationInvalid(f"{profile.title}: its security officer makes no trusted keys")
    connection = Pkcs11Connection(
        profile, library=request.library, label=request.label, serial=request.serial, pin=pin, officer=True
    )
    connection.connect()
    try:
        identifier = connection.random(IDENTIFIER_OCTETS)
        recipient = Recipient(modulus=bytes.fromhex(request.modulus))
        make_trusted(connection.wrapping(), request.name, recipient, identifier, keeping=profile.keeping)
    finally:
        connection.disconnect()
    return identifier


if __name__ == "__main__":
    main()
