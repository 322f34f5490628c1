"""The written table: what a return value means, and what the caller is told."""

from __future__ import annotations

import pytest

from keybroker.errors import ModuleBusy, ModuleDisagrees, ModuleFault, ModuleUnavailable
from keybroker.hsm.return_values import RETURN_VALUES, CallFailed, Meaning, Rung, fault, number_of, return_value


@pytest.mark.parametrize(
    ("number", "rung", "told"),
    [
        (0x70, Rung.NONE, ModuleDisagrees),
        (0x68, Rung.NONE, ModuleDisagrees),
        (0x31, Rung.NONE, ModuleBusy),
        (0xB1, Rung.NONE, ModuleBusy),
        (0xB3, Rung.SESSION, ModuleUnavailable),
        (0x101, Rung.LOGIN, ModuleUnavailable),
        (0x82, Rung.HANDLES, ModuleUnavailable),
        (0x30, Rung.LIBRARY, ModuleUnavailable),
        (0xE0, Rung.LIBRARY, ModuleUnavailable),
        (0xA4, Rung.NONE, ModuleUnavailable),
        (0x80001234, Rung.LIBRARY, ModuleUnavailable),
    ],
)
def test_a_return_value_has_its_rung_and_its_fault(number: int, rung: Rung, told: type[ModuleFault]) -> None:
    value = return_value(number)
    failure = CallFailed(value, call="C_Sign")
    error = fault(failure, used=True)
    assert (value.rung, type(error), error.used) == (rung, told, True)
    assert value.name not in error.sentence
    assert "CKR" not in error.sentence


def test_a_profile_corrects_a_meaning_and_what_is_busy_needs_no_recovery() -> None:
    value = return_value(0x30, corrections={"CKR_DEVICE_ERROR": Meaning.TRANSIENT})
    assert (value.meaning, value.rung) == (Meaning.TRANSIENT, Rung.NONE)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CKR_PIN_INCORRECT", 0xA0),
        ("PinIncorrect", 0xA0),
        ("SlotIDInvalid", 0x03),
        ("TokenNotRecognised", 0xE1),
        ("FunctionCancelled", 0x50),
        ("PKCS11Error", 0x80000000),
    ],
)
def test_a_name_in_any_spelling_is_one_number(name: str, number: int) -> None:
    assert number_of(name) == number


def test_the_table_names_every_value_once() -> None:
    assert len({value.name for value in RETURN_VALUES.values()}) == len(RETURN_VALUES)
