"""A person's keys: in files, and in a token that is used by a process of its own."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.file_key import FileKey, read_file_key
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.person_key import TRIES, PersonKey, PersonPinWrong, in_few_tries
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.token_key import (
    TokenKey,
    destroy_key,
    look_at_token,
    make_receiving_key,
    make_signing_key,
    use_token,
)
from keybroker.ceremony.token_request import At, Doing, Place, Request, Subject
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.oaep import remove_oaep
from keybroker.hsm.person_token import Tries, Unwrapped
from tests.ceremony.people import TestPerson
from tests.hsm.tokens import NSS, PIN, TokenPlace, add_softhsm_token, make_nss, make_softhsm
from tests.statement.attested import AT

ADA = TestPerson(name="ada")
BEN = TestPerson(name="ben", number=1)
OCTETS = b'{"number":1}'


# --- files


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    ADA.write(tmp_path)
    return tmp_path


def ada(directory: Path) -> FileKey:
    return read_file_key(directory, "ada", now=lambda: AT)


def encrypt(directory: Path, passphrase: bytes) -> None:
    octets = ADA.attests.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    (directory / "signing.key").write_bytes(octets)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
@pytest.mark.parametrize("file", ["signing.key", "receiving.key"])
def test_refuses_a_key_file_that_is_open_to_others(file: str, mode: int, directory: Path) -> None:
    (directory / file).chmod(mode)
    with pytest.raises(ConfigurationInvalid, match="owner alone"):
        ada(directory)


def test_refuses_a_key_file_that_was_opened_to_others_afterwards(directory: Path) -> None:
    key = ada(directory)
    (directory / "signing.key").chmod(0o644)
    with pytest.raises(ConfigurationInvalid, match="owner alone"):
        key.sign(OCTETS)


@pytest.mark.parametrize("file", ["signing.pem", "signing.key", "receiving.key"])
def test_refuses_a_directory_without(file: str, directory: Path) -> None:
    (directory / file).unlink()
    with pytest.raises(ConfigurationInvalid, match="found none"):
        ada(directory)


def test_refuses_a_file_that_holds_no_key(directory: Path) -> None:
    (directory / "signing.key").write_bytes(b"nothing")
    with pytest.raises(ConfigurationInvalid, match="found none"):
        ada(directory).sign(OCTETS)


@pytest.mark.parametrize("file", ["signing.key", "receiving.key"])
def test_refuses_the_key_of_another_certificate(
    file: str, directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("ben")
    BEN.write(other)
    (directory / file).write_bytes((other / file).read_bytes())
    key = ada(directory)
    with pytest.raises(ConfigurationInvalid, match="another's"):
        key.sign(OCTETS) if file == "signing.key" else key.open(seal(b"", key.receiving_certificate or b"", os.urandom))


def test_refuses_a_receiving_certificate_that_another_person_signed(directory: Path) -> None:
    BEN.write(directory / "ben")
    for kind in ("pem", "key"):
        (directory / f"receiving.{kind}").write_bytes((directory / f"ben/receiving.{kind}").read_bytes())
    with pytest.raises(CmsUnfit, match="own signing key"):
        ada(directory)


def test_refuses_a_signing_certificate_of_another_kind(directory: Path) -> None:
    (directory / "signing.pem").write_bytes((directory / "receiving.pem").read_bytes())
    with pytest.raises(ConfigurationInvalid, match="P-256"):
        ada(directory)


def test_refuses_to_open_for_whoever_receives_nothing(directory: Path) -> None:
    (directory / "receiving.pem").unlink()
    key = ada(directory)
    assert key.receiving_certificate is None
    with pytest.raises(ConfigurationInvalid, match="no receiving key"):
        key.open(seal(OCTETS, ADA.receiving_certificate, secrets.token_bytes))


def test_refuses_a_wrong_passphrase_and_says_so_as_of_a_pin(directory: Path) -> None:
    encrypt(directory, b"right one")
    with pytest.raises(PersonPinWrong) as caught:
        read_file_key(directory, "ada", now=lambda: AT, passphrase=lambda _: b"wrong one").sign(OCTETS)
    assert "wrong one" not in str(caught.value)


def test_refuses_an_encrypted_key_that_nobody_can_open(directory: Path) -> None:
    encrypt(directory, b"right one")
    with pytest.raises(ConfigurationInvalid, match="nobody can be asked"):
        ada(directory).sign(OCTETS)


def test_an_encrypted_key_signs_when_its_passphrase_is_given(directory: Path) -> None:
    encrypt(directory, b"right one")
    asked: list[str] = []

    def ask(file: str) -> bytes:
        asked.append(file)
        return b"right one"

    signed = read_file_key(directory, "ada", now=lambda: AT, passphrase=ask).sign(OCTETS)
    assert verify(signed, certificates=ADA.certificate).octets == OCTETS
    assert asked == ["signing.key"]


def test_files_sign_and_open(directory: Path) -> None:
    key: PersonKey = ada(directory)
    signed = verify(key.sign(OCTETS), certificates={"ada": ADA.certificate})
    assert (signed.octets, signed.at, signed.name) == (OCTETS, AT, key.name)
    assert key.open(seal(OCTETS, ADA.receiving_certificate, secrets.token_bytes)) == OCTETS


# --- a few tries


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([Tries.ENOUGH] * 5, TRIES),
        ([Tries.LOW] * 5, TRIES),
        ([Tries.FINAL] * 5, 1),
        ([Tries.LOW, Tries.FINAL, Tries.LOCKED], 2),
        ([Tries.LOCKED] * 5, 1),
    ],
)
def test_refuses_after_a_few_tries_and_never_takes_the_tokens_last(said: list[Tries], asked: int) -> None:
    left: list[int] = []
    answers = iter(said)

    def use() -> None:
        raise PersonPinWrong("no", tries=next(answers))

    with pytest.raises(PersonPinWrong):
        in_few_tries(use, lambda _, more: left.append(more))
    assert (len(left), left[-1]) == (asked, 0)


def test_goes_on_when_the_pin_is_right_at_last() -> None:
    answers = iter([PersonPinWrong("no", tries=Tries.LOW), PersonPinWrong("no", tries=Tries.LOW), None])

    def use() -> str:
        wrong = next(answers)
        if wrong is not None:
            raise wrong
        return "done"

    assert in_few_tries(use, lambda *_: None) == "done"


# --- OAEP on the host


def bare(message: bytes, algorithm: SHA1 | SHA256, label: bytes | None = None) -> bytes:
    """What RSA gives back bare of a message in OAEP."""
    key = ADA.receiving_key
    encrypted = key.public_key().encrypt(message, padding.OAEP(padding.MGF1(algorithm), algorithm, label))
    numbers = key.private_numbers()
    return pow(int.from_bytes(encrypted, "big"), numbers.d, numbers.public_numbers.n).to_bytes(384, "big")


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_padding_is_taken_off_as_it_was_put_on(message: bytes) -> None:
    assert remove_oaep(bare(message, SHA256()), 32) == message


@pytest.mark.parametrize(
    "padded",
    [
        pytest.param(bare(bytes(32), SHA1()), id="of-sha-1"),  # noqa: S303 - what SoftHSM has
        pytest.param(bare(bytes(32), SHA256(), b"a label"), id="with-a-label"),
        pytest.param(bare(bytes(31), SHA256()), id="a-shorter-message"),
        pytest.param(bare(bytes(33), SHA256()), id="a-longer-message"),
        pytest.param(bare(b"", SHA256()), id="no-message"),
        pytest.param(b"\x01" + bare(bytes(32), SHA256())[1:], id="not-zero-first"),
        pytest.param(bytes(384), id="zeros"),
        pytest.param(b"\xff" * 384, id="ones"),
    ],
)
def test_refuses_any_other_padding(padded: bytes) -> None:
    with pytest.raises(ValueError, match="OAEP"):
        remove_oaep(padded, 32)


def test_refuses_a_padded_message_with_any_octet_changed() -> None:
    padded = bare(bytes(range(32)), SHA256())
    for place in range(len(padded)):
        changed = bytearray(padded)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="OAEP"):
            remove_oaep(bytes(changed), 32)


# --- a token


def place_of(token: TokenPlace) -> Place:
    parameters = token.profile.library.initialise_parameters.format_map(token.environment)
    return Place(
        library=token.library,
        label=token.label,
        serial=token.serial,
        parameters=parameters,
        environment=token.environment,
    )


def right(_: Tries) -> str:
    return PIN


def enrolled(place: Place) -> TokenKey:
    now = datetime.now(UTC)
    subject = Subject(name="ada", since=now - timedelta(minutes=5), until=now + timedelta(days=700))
    signing = At(label="ada signs", identifier=secrets.token_hex(16))
    certificate = make_signing_key(place, signing, subject, right)
    signing = signing.model_copy(update={"certificate": certificate.hex()})
    receiving = At(label="ada receives 1", identifier=secrets.token_hex(16))
    received = make_receiving_key(place, receiving, signing, subject, right)
    receiving = receiving.model_copy(update={"certificate": received.hex()})
    return TokenKey(
        name="ada", place=place, signing=signing, receiving=receiving, pin=right, now=lambda: datetime.now(UTC)
    )


@pytest.fixture(scope="module", params=["softhsm", "nss"])
def key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TokenKey:
    directory = tmp_path_factory.mktemp("person") / "token"
    if request.param == "nss" and not NSS:
        pytest.skip("NSS softokn is not installed")
    return enrolled(place_of(make_softhsm(directory) if request.param == "softhsm" else make_nss(directory)))


def receiving_of(key: TokenKey) -> At:
    assert key.receiving is not None
    return key.receiving


def sealed(key: TokenKey, octets: bytes = OCTETS) -> bytes:
    return seal(octets, bytes.fromhex(receiving_of(key).certificate), secrets.token_bytes)


@pytest.mark.hsm
def test_a_token_signs_and_opens(key: TokenKey) -> None:
    person: PersonKey = key
    before = datetime.now(UTC).replace(microsecond=0)
    signed = verify(person.sign(OCTETS), certificates=key.certificate)
    assert signed.octets == OCTETS
    assert before <= signed.at <= datetime.now(UTC)
    assert person.open(sealed(key)) == OCTETS
    check_receiving(bytes.fromhex(receiving_of(key).certificate), key.certificate)


@pytest.mark.hsm
def test_a_token_that_has_no_oaep_with_sha_256_has_its_padding_taken_off_here(key: TokenKey) -> None:
    request = Request(doing=Doing.OPEN, place=key.place, key=key.receiving, octets=sealed(key).hex())
    answer = use_token(request, right)
    where = Unwrapped.PADDING_ON_HOST if "softhsm" in key.place.library else Unwrapped.IN_TOKEN
    assert (answer.unwrapped, bytes.fromhex(answer.octets)) == (where, OCTETS)


@pytest.mark.hsm
def test_the_process_says_how_its_memory_is_guarded_and_shows_nothing_in_its_answer(key: TokenKey) -> None:
    request = Request(doing=Doing.OPEN, place=key.place, key=key.receiving, octets=sealed(key).hex())
    answer = use_token(request, right)
    assert (answer.guarded.undumpable, answer.guarded.no_core) == (True, True)
    assert OCTETS.hex() not in repr(answer)
    assert PIN not in repr(key)


@pytest.mark.hsm
def test_refuses_a_wrong_pin_as_what_it_is_and_goes_on(key: TokenKey) -> None:
    with pytest.raises(PersonPinWrong) as caught:
        replace(key, pin=lambda _: "wrong-pin").sign(OCTETS)
    assert "wrong-pin" not in str(caught.value)
    assert verify(key.sign(OCTETS), certificates=key.certificate).octets == OCTETS


@pytest.mark.hsm
@pytest.mark.parametrize("pin", ["", "1" * 256])
def test_refuses_what_can_be_no_pin_without_a_try(pin: str, key: TokenKey) -> None:
    before = look_at_token(key.place).tries
    with pytest.raises(ConfigurationInvalid, match="expected a PIN"):
        replace(key, pin=lambda _: pin).sign(OCTETS)
    assert look_at_token(key.place).tries is before


@pytest.mark.hsm
def test_asks_for_the_pin_at_each_use_and_tells_what_the_token_says_of_tries(key: TokenKey) -> None:
    asked: list[Tries] = []

    def ask(tries: Tries) -> str:
        asked.append(tries)
        return PIN

    asking = replace(key, pin=ask)
    asking.sign(OCTETS)
    asking.open(sealed(key))
    assert len(asked) == 2
    assert look_at_token(key.place).tries is Tries.ENOUGH


@pytest.mark.hsm
@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"label": "another"}, ModuleUnavailable, "exactly one token"),
        ({"serial": "0123"}, ModuleUnavailable, "exactly one token"),
        ({"library": "/nowhere/lib.so"}, ConfigurationInvalid, "cannot be loaded"),
    ],
)
def test_refuses_a_token_that_is_not_the_one(
    change: dict[str, str], error: type[KeybrokerError], told: str, key: TokenKey
) -> None:
    with pytest.raises(error, match=told):
        replace(key, place=key.place.model_copy(update=change)).sign(OCTETS)


@pytest.mark.hsm
@pytest.mark.parametrize(
    "change",
    [
        {"label": "ben signs"},
        {"identifier": "00" * 16},
        {"certificate": ADA.certificate.hex()},
    ],
)
def test_refuses_a_key_that_does_not_stand_beside_its_certificate(change: dict[str, str], key: TokenKey) -> None:
    with pytest.raises(ModuleDisagrees, match="certificate once in the token"):
        replace(key, signing=key.signing.model_copy(update=change)).sign(OCTETS)


@pytest.mark.hsm
@pytest.mark.parametrize("place", [0, 200, 400, -1])
def test_refuses_an_envelope_that_was_changed(place: int, key: TokenKey) -> None:
    changed = bytearray(sealed(key))
    changed[place] ^= 1
    with pytest.raises(CmsUnfit):
        key.open(bytes(changed))


@pytest.mark.hsm
def test_refuses_an_envelope_to_somebody_else(key: TokenKey) -> None:
    with pytest.raises(CmsUnfit, match="somebody else"):
        key.open(seal(OCTETS, ADA.receiving_certificate, secrets.token_bytes))


@pytest.mark.hsm
def test_refuses_to_make_a_key_over_another(key: TokenKey) -> None:
    subject = Subject(name="ada", since=AT, until=AT + timedelta(days=1))
    taken = key.signing.model_copy(update={"certificate": ""})
    with pytest.raises(ModuleDisagrees, match="stands in the token already"):
        make_signing_key(key.place, taken, subject, right)
    assert verify(key.sign(OCTETS), certificates=key.certificate).octets == OCTETS


@pytest.mark.hsm
def test_refuses_two_tokens_of_one_label_when_neither_serial_is_the_one(tmp_path: Path) -> None:
    token = make_softhsm(tmp_path / "token", "twice")
    add_softhsm_token(token.environment, "twice")
    place = place_of(token)
    assert look_at_token(place).tries is Tries.ENOUGH
    with pytest.raises(ModuleUnavailable, match="found 0"):
        look_at_token(place.model_copy(update={"serial": "none"}))


@pytest.mark.hsm
def test_a_destroyed_key_opens_nothing_and_destroying_it_again_is_done(tmp_path: Path) -> None:
    key = enrolled(place_of(make_softhsm(tmp_path / "token")))
    envelope = sealed(key)
    for _ in range(2):
        destroy_key(key.place, receiving_of(key).label, right)
    with pytest.raises(ModuleDisagrees):
        key.open(envelope)
    assert verify(key.sign(OCTETS), certificates=key.certificate).octets == OCTETS
