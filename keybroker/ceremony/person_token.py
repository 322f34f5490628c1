"""``python -m keybroker.ceremony.person_token``: one use of one person's token, in a process of its own that ends then.

A person's token may need another library, configuration or login than the broker's module, and what it opens should
stand in memory for a moment only. The request comes as JSON on standard input, the PIN on a file descriptor of its own,
the answer goes as JSON to standard output; never on the command line, never in the environment. Nothing is signed but
whole documents: the signed attributes are made here.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import asdict
from hashlib import sha256
from typing import assert_never

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.ceremony.cms_form import issuer_and_serial
from keybroker.ceremony.enveloped_data import RSA_BITS, open_envelope, seal
from keybroker.ceremony.guarded_memory import guard_memory
from keybroker.ceremony.person_certificate import Holder, receiving_certificate, signed, signing_certificate
from keybroker.ceremony.signed_data import assemble, prepare
from keybroker.ceremony.token_request import (
    LONGEST_PIN,
    Answer,
    At,
    Destroy,
    Guarded,
    HandOver,
    Look,
    MakeReceiving,
    MakeSigning,
    Open,
    Refusing,
    Request,
    Sign,
    Subject,
    Task,
)
from keybroker.errors import KeybrokerError, ModuleDisagrees
from keybroker.hsm.person_token import KeyAt, PersonToken, Unwrapped, WrongPin
from keybroker.hsm.pin import PinWrong
from keybroker.statement.attester import public_key_of


def main() -> None:
    """Answers twice, a line each: what it sees of the token, then what it did. A request that cannot be read ends the
    process with a trace and no answer: it is ours."""
    guarded = Guarded(**asdict(guard_memory()))
    request = Request.model_validate_json(sys.stdin.buffer.read())
    os.environ.update(request.place.environment)
    place, none = request.place, Answer(guarded=guarded)
    try:
        token = PersonToken.find(
            library=place.library, parameters=place.parameters, label=place.label, serial=place.serial
        )
        looked = none.model_copy(update={"tries": token.tries, "has_pad": token.has_pad})
    except KeybrokerError as error:
        _tell(_refused(none, error))
        return
    _tell(looked)
    if not isinstance(request.task, Look):
        _use(request.task, request.pin_descriptor, token, looked)


def _use(task: Task, pin_descriptor: int, token: PersonToken, looked: Answer) -> None:
    pin = None if looked.has_pad else _pin(pin_descriptor)
    if pin == b"":
        return  # Nobody gave one, so nothing is tried.
    try:
        token.login(pin, writes=not isinstance(task, Sign | Open))
        octets, unwrapped = _done(task, token)
        _tell(looked.model_copy(update={"octets": octets.hex(), "unwrapped": unwrapped, "tries": token.tries}))
    except WrongPin as wrong:
        refused = Refusing(reason=PinWrong.reason, sentence="the person's token refuses the PIN")
        _tell(looked.model_copy(update={"tries": wrong.tries, "refused": refused}))
    except KeybrokerError as error:
        _tell(_refused(looked, error))


def _refused(answer: Answer, error: KeybrokerError) -> Answer:
    return answer.model_copy(update={"refused": Refusing(reason=error.reason, sentence=error.sentence)})


def _tell(answer: Answer) -> None:
    sys.stdout.write(f"{answer.model_dump_json()}\n")
    sys.stdout.flush()


def _pin(descriptor: int) -> bytes:
    """Empty where nobody gave one."""
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(LONGEST_PIN)


def _done(task: Task, token: PersonToken) -> tuple[bytes, Unwrapped | None]:
    match task:
        case Sign():
            return _sign(task, token), None
        case Open():
            return _open(task, token)
        case HandOver():
            octets, unwrapped = _open(task, token)
            return seal(octets, bytes.fromhex(task.recipient), secrets.token_bytes), unwrapped
        case MakeSigning():
            return _make_signing(task, token), None
        case MakeReceiving():
            return _make_receiving(task, token), None
        case Destroy():
            token.destroy(task.label)
            return b"", None
        case never:
            assert_never(never)


def _sign(task: Sign, token: PersonToken) -> bytes:
    certificate, octets = bytes.fromhex(task.key.certificate), bytes.fromhex(task.octets)
    attributes = prepare(octets, certificate, task.at)
    signature = _der(token.sign_digest(_place(task.key), certificate, sha256(attributes).digest()))
    _check(certificate, signature, attributes)
    return assemble(octets, certificate, attributes, signature)


def _open(task: Open | HandOver, token: PersonToken) -> tuple[bytes, Unwrapped]:
    certificate, where = bytes.fromhex(task.key.certificate), []

    def unwrap(wrapped: bytes) -> bytes:
        key, place = token.unwrap(_place(task.key), certificate, wrapped)
        where.append(place)
        return key

    octets = open_envelope(bytes.fromhex(task.octets), certificate, unwrap)
    return octets, where[0]


def _make_signing(task: MakeSigning, token: PersonToken) -> bytes:
    at = _place(task.key)
    to_be_signed = signing_certificate(_holder(task.subject), token.make_signing_pair(at), secrets.token_bytes)
    signature = _der(token.sign_digest_uncertified(at, sha256(to_be_signed.dump()).digest()))
    return _stored(token, at, signed(to_be_signed, signature))


def _make_receiving(task: MakeReceiving, token: PersonToken) -> bytes:
    at, signer = _place(task.key), bytes.fromhex(task.signing.certificate)
    numbers = token.make_receiving_pair(at, RSA_BITS)
    to_be_signed = receiving_certificate(_holder(task.subject), numbers, signer, secrets.token_bytes)
    digest = sha256(to_be_signed.dump()).digest()
    signature = _der(token.sign_digest(_place(task.signing), signer, digest))
    _check(signer, signature, to_be_signed.dump())
    return _stored(token, at, signed(to_be_signed, signature))


def _stored(token: PersonToken, at: KeyAt, certificate: bytes) -> bytes:
    _, serial = issuer_and_serial(certificate)
    read = x509.Certificate.load(certificate)
    token.store_certificate(at, certificate, subject=read.subject.dump(), issuer=read.issuer.dump(), serial=serial)
    return certificate


def _check(certificate: bytes, signature: bytes, octets: bytes) -> None:
    """Raises: ModuleDisagrees when the token signed with another key than its certificate's."""
    try:
        public_key_of(certificate).verify(signature, octets, ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ModuleDisagrees("the token signs with another key than its certificate's") from error


def _place(at: At) -> KeyAt:
    return KeyAt(label=at.label, identifier=bytes.fromhex(at.identifier))


def _holder(subject: Subject) -> Holder:
    return Holder(name=subject.name, since=subject.since, until=subject.until)


def _der(r_and_s: bytes) -> bytes:
    half = len(r_and_s) // 2
    return encode_dss_signature(int.from_bytes(r_and_s[:half], "big"), int.from_bytes(r_and_s[half:], "big"))


if __name__ == "__main__":
    main()
