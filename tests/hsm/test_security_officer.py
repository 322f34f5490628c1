"""The officer's process: a PIN that is refused once is not tried again, and nothing of it is seen anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.connection import ObjectKind
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.pin import PinWrong
from keybroker.hsm.security_officer import Officer, answer_to, child_process
from keybroker.hsm.token_module import Token
from keybroker.hsm.trusted_keys import Recipient, read_recipient
from tests.hsm.tokens import SO_PIN, TokenPlace, make_softhsm, opened
from tests.hsm.transfer import PROFILE_TEXT, a_recipient, an_officer

pytestmark = pytest.mark.hsm


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> TokenPlace:
    return make_softhsm(tmp_path_factory.mktemp("officer") / "place")


@pytest.fixture(scope="module")
def token(place: TokenPlace) -> Iterator[Token]:
    with opened(place) as made:
        yield made


@pytest.fixture(scope="module")
def recipient() -> Recipient:
    return read_recipient(a_recipient()[1])


def asked(answer: bytes) -> Officer:
    """An officer whose process gives this answer."""
    return Officer(lambda _: answer, profile_name="softhsm2", profile="", library="", token_label="", token_serial="")


# --- refusals


def test_a_wrong_pin_is_told_and_never_tried_twice(place: TokenPlace, recipient: Recipient) -> None:
    tried: list[bytes] = []
    run = child_process(lambda: "wrong-pin", place.environment)

    def counted(request: bytes) -> bytes:
        tried.append(request)
        return run(request)

    officer = Officer(
        counted,
        profile_name="softhsm2",
        profile=PROFILE_TEXT,
        library=place.library,
        token_label=place.label,
        token_serial=place.serial,
    )
    for _ in range(3):
        with pytest.raises(PinWrong) as caught:
            officer.make_trusted("a", recipient)
        assert "wrong-pin" not in str(caught.value)
    assert len(tried) == 1
    assert b"wrong-pin" not in tried[0]


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[]", b'{"identifier":"zz"}', b'{"identifier":1}', b'{"other":1}', b"{}", b'{"identifier":""}'],
)
def test_an_answer_that_cannot_be_read_is_a_module_that_is_away(answer: bytes, recipient: Recipient) -> None:
    with pytest.raises(ModuleUnavailable):
        asked(answer).make_trusted("a", recipient)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("MODULE_DISAGREES", ModuleDisagrees),
        ("CONFIGURATION_INVALID", ConfigurationInvalid),
        ("MODULE_BUSY", ModuleUnavailable),
        ("PIN_WRONG", PinWrong),
    ],
)
def test_what_the_process_refuses_is_refused_by_the_same_name(
    reason: str, error: type[Exception], recipient: Recipient
) -> None:
    with pytest.raises(error):
        asked(json.dumps({"refused": reason, "sentence": "so"}).encode()).make_trusted("a", recipient)
    both = json.dumps({"refused": reason, "identifier": "00"}).encode()
    with pytest.raises(error):
        asked(both).make_trusted("a", recipient)


@pytest.mark.parametrize("request_octets", [b"", b"{}", b"null", b'{"v":2}'])
def test_the_process_answers_a_request_that_it_cannot_read_without_asking_for_a_pin(request_octets: bytes) -> None:
    def pin() -> str:
        raise AssertionError("asked")

    assert answer_to(request_octets, pin).refused == "CONFIGURATION_INVALID"


def test_a_token_that_is_not_there_is_told(place: TokenPlace, recipient: Recipient) -> None:
    officer = Officer(
        child_process(lambda: SO_PIN, place.environment),
        profile_name="softhsm2",
        profile=PROFILE_TEXT,
        library=place.library,
        token_label="another",
        token_serial=place.serial,
    )
    with pytest.raises(ModuleUnavailable):
        officer.make_trusted("a", recipient)


def test_a_module_whose_officer_makes_no_trusted_keys_is_not_logged_in_to(
    place: TokenPlace, recipient: Recipient
) -> None:
    text = PROFILE_TEXT.replace('trusted_by = "security-officer"', 'trusted_by = "nobody"')
    officer = Officer(
        child_process(lambda: "wrong-pin", place.environment),
        profile_name="softhsm2",
        profile=text,
        library=place.library,
        token_label=place.label,
        token_serial=place.serial,
    )
    with pytest.raises(ConfigurationInvalid, match="makes no trusted keys"):
        officer.make_trusted("a", recipient)


def test_a_process_that_ends_badly_is_a_module_that_is_away(place: TokenPlace, recipient: Recipient) -> None:
    officer = Officer(
        child_process(lambda: SO_PIN, {**place.environment, "PYTHONHOME": "/nowhere"}),
        profile_name="softhsm2",
        profile=PROFILE_TEXT,
        library=place.library,
        token_label=place.label,
        token_serial=place.serial,
    )
    with pytest.raises(ModuleUnavailable, match="ended with"):
        officer.make_trusted("a", recipient)


# --- acceptance


def test_makes_two_keys_that_are_trusted_and_wrap_and_do_nothing_else(
    token: Token, place: TokenPlace, recipient: Recipient
) -> None:
    identifier = an_officer(place).make_trusted("b", recipient)
    found = {each.label: each for each in list_objects(token)}
    assert {each.identifier for each in found.values()} == {identifier}
    assert found["b.wrapping-key"].kind is ObjectKind.SECRET_KEY
    assert found["b.wrapping-recipient"].kind is ObjectKind.PUBLIC_KEY
    shown = found["b.wrapping-key"].attributes
    assert {name.value for name, value in shown.items() if value is True} == {
        "TOKEN", "SENSITIVE", "EXTRACTABLE", "WRAP_WITH_TRUSTED", "WRAP", "ALWAYS_SENSITIVE", "LOCAL", "MODIFIABLE",
    }  # fmt: skip
