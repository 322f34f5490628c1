"""LABEL SERIAL: open a token with a wrong PIN, then with the right one."""

from __future__ import annotations

import sys

import pytest

from keybroker.hsm.pin import PinWrong
from tests.hsm.tokens import PIN, SOFTHSM, TokenPlace, packaged_profile


def main(label: str, serial: str) -> None:
    place = TokenPlace(packaged_profile("softhsm2"), SOFTHSM, label, serial, {})
    asked: list[str] = []

    def wrong() -> str:
        asked.append("wrong")
        return "not-the-pin"

    with pytest.raises(PinWrong) as raised:
        place.open(pin=wrong)
    assert "not-the-pin" not in str(raised.value)
    assert "CKR" not in str(raised.value)
    assert asked == ["wrong"]
    token = place.open(pin=lambda: PIN)
    assert token.session_ok()


if __name__ == "__main__":
    main(*sys.argv[1:])
