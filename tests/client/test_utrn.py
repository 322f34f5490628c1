"""The check digit of a UTRN, on those that the DCC published, and on what is mistyped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.client.utrn import is_utrn, utrn

KNOWN = ("73943333457189043313", "74301825837596672005", "73946144332040217315", "73947252416745201637")
"""SmartDCCInnovation/gbcs-parser, its tests; the first and the last are those of handbook 1.10."""


@pytest.mark.parametrize("known", KNOWN)
def test_known_check_digits_are_made(known: str) -> None:
    assert utrn(known[:-1]) == known
    assert is_utrn(known)


@pytest.mark.parametrize("pptd", ["", "1" * 18, "1" * 20, "12345678901234567 9", "\uff11" * 19, "-" + "1" * 18])
def test_refuses_what_is_no_pptd(pptd: str) -> None:
    with pytest.raises(ValueError, match="19 decimal digits"):
        utrn(pptd)


@given(st.text("0123456789", min_size=19, max_size=19), st.integers(0, 19), st.integers(1, 9))
def test_one_wrong_digit_and_two_exchanged_neighbours_are_noticed(pptd: str, place: int, by: int) -> None:
    right = utrn(pptd)
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    assert not is_utrn(wrong)
    first, second = right[place : place + 1], right[place + 1 : place + 2]
    exchanged = right[:place] + second + first + right[place + 2 :]
    assert exchanged == right or not is_utrn(exchanged)
