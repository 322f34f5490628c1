"""A person's keys in a token that is used by a process of its own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.person_key import PersonKey, PersonPinWrong
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.token_key import (
    TokenKey,
    destroy_key,
    look_at_token,
    make_receiving_key,
    make_signing_key,
    use_token,
)
from keybroker.ceremony.token_request import At, Open, Place, Subject
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.person_token import Tries, Unwrapped
from tests.ceremony.people import TestPerson
from tests.hsm.tokens import NSS, PIN, TokenPlace, add_softhsm_token, make_nss, make_softhsm
from tests.statement.attested import AT

ADA = TestPerson(name="ada")
OCTETS = b'{"number":1}'


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
    answer = use_token(key.place, Open(key=receiving_of(key), octets=sealed(key).hex()), right)
    where = Unwrapped.PADDING_ON_HOST if "softhsm" in key.place.library else Unwrapped.IN_TOKEN
    assert (answer.unwrapped, bytes.fromhex(answer.octets)) == (where, OCTETS)


@pytest.mark.hsm
def test_the_process_says_how_its_memory_is_guarded_and_shows_nothing_in_its_answer(key: TokenKey) -> None:
    answer = use_token(key.place, Open(key=receiving_of(key), octets=sealed(key).hex()), right)
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
