"""What breaks a token: threads at once, removal in the middle of work, a wrong PIN. Each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.pin import PinWrong
from keybroker.ledger.model import Signature
from tests.hsm.heads import a_head
from tests.hsm.intents import a_register, a_registered_key, an_intent
from tests.hsm.tokens import make_softhsm, opened, run_script

pytestmark = pytest.mark.hsm


def test_a_wrong_pin_is_tried_once_and_is_the_operators_business(a_directory: Path) -> None:
    place = make_softhsm(a_directory)
    run_script("wrong_pin", place.label, place.serial, environment=place.environment)
    assert issubclass(PinWrong, ConfigurationInvalid)


def test_a_token_taken_away_and_brought_back_signs_again(a_directory: Path) -> None:
    lines = run_script("token_removed", str(a_directory), environment={}).splitlines()
    assert [line for line in lines if ": " in line and not line.startswith(("20", "{"))] == [
        "at first: served=[True]",
        "at first: signed",
        "just taken away: failed MODULE_UNAVAILABLE used=False",
        "away: raised MODULE_UNAVAILABLE",
        "away: raised MODULE_UNAVAILABLE used=False",
        "back: served=[True]",
        "back: signed",
        "session ok: True, PIN asked 2 times or fewer than six: True",
        "taken away again: failed MODULE_UNAVAILABLE used=False",
        "back with another PIN: raised MODULE_UNAVAILABLE used=False",
        "still: raised MODULE_UNAVAILABLE used=False",
        "wrong PIN asked 1, needs new process: True",
    ]


def test_a_token_taken_away_and_brought_back_makes_the_same_macs_again(a_directory: Path) -> None:
    told = run_script("token_removed_mac", str(a_directory), environment={}).splitlines()
    first, away, back = (line.split(": ", 1) for line in told if line.startswith(("at first", "away", "back")))
    assert away == ["away", "raised MODULE_UNAVAILABLE used=False"]
    assert first[1] == back[1]
    assert len(first[1]) == len(str(["00" * 12] * 2))


def test_eight_threads_that_open_sessions_at_once_sign_two_thousand_times_each(a_directory: Path) -> None:
    place = make_softhsm(a_directory)
    told = run_script("locking_stress", place.label, place.serial, "8", "2000", environment=place.environment)
    assert told.strip() == "signed and verified 16000"


def test_what_another_process_made_is_seen_and_its_greater_head_stays(a_directory: Path) -> None:
    place = make_softhsm(a_directory)
    with opened(place) as token:
        token.write_anchor(a_head(40))
        token.served(a_register())
        point = run_script("another_process", place.label, place.serial, environment=place.environment)
        key = a_registered_key("made-elsewhere", bytes.fromhex(point))
        assert token.served(a_register(key, version=2))[key.label].passed
        assert isinstance(token.use([an_intent(key)])[0], Signature)
        with pytest.raises(ModuleDisagrees, match="the module remembers 60"):
            token.write_anchor(a_head(55))
        assert token.read_anchor() == a_head(60)
