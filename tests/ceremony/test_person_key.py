"""A person's keys in files, what a few tries of a PIN are, and OAEP where a token has none."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.file_key import FileKey, read_file_key
from keybroker.ceremony.person_key import TRIES, PersonKey, PersonPinWrong, in_few_tries
from keybroker.ceremony.signed_data import verify
from keybroker.errors import CmsUnfit, ConfigurationInvalid
from keybroker.hsm.oaep import remove_oaep
from keybroker.hsm.person_token import Tries
from tests.ceremony.people import TestPerson
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


@settings(max_examples=25)
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
