"""What a PKCS#11 return value means for the caller, the operator and the recovery ladder.

One written table (PKCS#11 v3.0 §5.1), which a profile may correct where a device uses a value in its own way. The name
of a return value is for the operator's log alone: no sentence of an error holds one. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import assert_never

from keybroker.errors import ModuleBusy, ModuleDisagrees, ModuleFault, ModuleUnavailable


class Meaning(StrEnum):
    """Who can mend it. ``unknown-outcome``: the call may have taken effect although it failed."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    OPERATOR_FIXABLE = "operator-fixable"
    UNKNOWN_OUTCOME = "unknown-outcome"


class Rung(IntEnum):
    """The recovery ladder, lowest first; each rung includes those below it (architecture, "Recovery ladder")."""

    NONE = 0
    SESSION = 1
    LOGIN = 2
    HANDLES = 3
    LIBRARY = 4
    PROCESS = 5


@dataclass(frozen=True, slots=True)
class ReturnValue:
    """One row: its number in PKCS#11, what it means, and the lowest rung that can help."""

    name: str
    number: int
    meaning: Meaning
    rung: Rung


_USING = frozenset({"C_Sign", "C_DeriveKey", "C_DigestKey", "C_Encrypt", "C_Decrypt"})
"""The calls that use a key; one that fails may have used it all the same."""


class CallFailed(Exception):
    """A PKCS#11 function did not return CKR_OK. Never leaves ``keybroker.hsm``. ``used``: a key may have been used."""

    def __init__(self, value: ReturnValue, *, call: str, used: bool = False) -> None:
        super().__init__(f"{call}: {value.name}")
        self.value = value
        self.call = call
        self.used = used or call in _USING

    def after_use(self) -> CallFailed:
        """The same failure, of a call that came after the key had been used."""
        return CallFailed(self.value, call=self.call, used=True)


_P, _T, _O, _U = Meaning.PERMANENT, Meaning.TRANSIENT, Meaning.OPERATOR_FIXABLE, Meaning.UNKNOWN_OUTCOME

# Number, name, meaning, rung. A value that stands in no row is treated as the last line says.
_ROWS: tuple[tuple[int, str, Meaning, Rung], ...] = (
    (0x001, "CKR_CANCEL", _U, Rung.SESSION),
    (0x002, "CKR_HOST_MEMORY", _T, Rung.NONE),
    (0x003, "CKR_SLOT_ID_INVALID", _O, Rung.LIBRARY),
    (0x005, "CKR_GENERAL_ERROR", _U, Rung.LIBRARY),
    (0x006, "CKR_FUNCTION_FAILED", _U, Rung.LIBRARY),
    (0x007, "CKR_ARGUMENTS_BAD", _P, Rung.NONE),
    (0x010, "CKR_ATTRIBUTE_READ_ONLY", _P, Rung.NONE),
    (0x011, "CKR_ATTRIBUTE_SENSITIVE", _P, Rung.NONE),
    (0x012, "CKR_ATTRIBUTE_TYPE_INVALID", _P, Rung.NONE),
    (0x013, "CKR_ATTRIBUTE_VALUE_INVALID", _P, Rung.NONE),
    (0x01B, "CKR_ACTION_PROHIBITED", _P, Rung.NONE),
    (0x020, "CKR_DATA_INVALID", _P, Rung.NONE),
    (0x021, "CKR_DATA_LEN_RANGE", _P, Rung.NONE),
    (0x030, "CKR_DEVICE_ERROR", _U, Rung.LIBRARY),
    (0x031, "CKR_DEVICE_MEMORY", _T, Rung.NONE),
    (0x032, "CKR_DEVICE_REMOVED", _U, Rung.LIBRARY),
    (0x035, "CKR_AEAD_DECRYPT_FAILED", _P, Rung.NONE),
    (0x040, "CKR_ENCRYPTED_DATA_INVALID", _P, Rung.NONE),
    (0x041, "CKR_ENCRYPTED_DATA_LEN_RANGE", _P, Rung.NONE),
    (0x050, "CKR_FUNCTION_CANCELED", _U, Rung.SESSION),
    (0x054, "CKR_FUNCTION_NOT_SUPPORTED", _P, Rung.NONE),
    (0x060, "CKR_KEY_HANDLE_INVALID", _P, Rung.HANDLES),
    (0x062, "CKR_KEY_SIZE_RANGE", _P, Rung.NONE),
    (0x063, "CKR_KEY_TYPE_INCONSISTENT", _P, Rung.NONE),
    (0x068, "CKR_KEY_FUNCTION_NOT_PERMITTED", _P, Rung.NONE),
    (0x069, "CKR_KEY_NOT_WRAPPABLE", _P, Rung.NONE),
    (0x06A, "CKR_KEY_UNEXTRACTABLE", _P, Rung.NONE),
    (0x070, "CKR_MECHANISM_INVALID", _P, Rung.NONE),
    (0x071, "CKR_MECHANISM_PARAM_INVALID", _P, Rung.NONE),
    (0x082, "CKR_OBJECT_HANDLE_INVALID", _P, Rung.HANDLES),
    (0x090, "CKR_OPERATION_ACTIVE", _T, Rung.SESSION),
    (0x091, "CKR_OPERATION_NOT_INITIALIZED", _T, Rung.SESSION),
    (0x0A0, "CKR_PIN_INCORRECT", _O, Rung.NONE),
    (0x0A1, "CKR_PIN_INVALID", _O, Rung.NONE),
    (0x0A2, "CKR_PIN_LEN_RANGE", _O, Rung.NONE),
    (0x0A3, "CKR_PIN_EXPIRED", _O, Rung.NONE),
    (0x0A4, "CKR_PIN_LOCKED", _O, Rung.NONE),
    (0x0B0, "CKR_SESSION_CLOSED", _U, Rung.SESSION),
    (0x0B1, "CKR_SESSION_COUNT", _T, Rung.NONE),
    (0x0B3, "CKR_SESSION_HANDLE_INVALID", _T, Rung.SESSION),
    (0x0B5, "CKR_SESSION_READ_ONLY", _P, Rung.NONE),
    (0x0C0, "CKR_SIGNATURE_INVALID", _P, Rung.NONE),
    (0x0D0, "CKR_TEMPLATE_INCOMPLETE", _P, Rung.NONE),
    (0x0D1, "CKR_TEMPLATE_INCONSISTENT", _P, Rung.NONE),
    (0x0E0, "CKR_TOKEN_NOT_PRESENT", _O, Rung.LIBRARY),
    (0x0E1, "CKR_TOKEN_NOT_RECOGNIZED", _O, Rung.LIBRARY),
    (0x0E2, "CKR_TOKEN_WRITE_PROTECTED", _O, Rung.NONE),
    (0x0F0, "CKR_UNWRAPPING_KEY_HANDLE_INVALID", _P, Rung.HANDLES),
    (0x0F1, "CKR_UNWRAPPING_KEY_SIZE_RANGE", _P, Rung.NONE),
    (0x0F2, "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", _P, Rung.NONE),
    (0x100, "CKR_USER_ALREADY_LOGGED_IN", _T, Rung.NONE),
    (0x101, "CKR_USER_NOT_LOGGED_IN", _T, Rung.LOGIN),
    (0x102, "CKR_USER_PIN_NOT_INITIALIZED", _O, Rung.NONE),
    (0x103, "CKR_USER_TYPE_INVALID", _P, Rung.NONE),
    (0x104, "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", _O, Rung.NONE),
    (0x105, "CKR_USER_TOO_MANY_TYPES", _O, Rung.NONE),
    (0x110, "CKR_WRAPPED_KEY_INVALID", _P, Rung.NONE),
    (0x112, "CKR_WRAPPED_KEY_LEN_RANGE", _P, Rung.NONE),
    (0x113, "CKR_WRAPPING_KEY_HANDLE_INVALID", _P, Rung.HANDLES),
    (0x114, "CKR_WRAPPING_KEY_SIZE_RANGE", _P, Rung.NONE),
    (0x115, "CKR_WRAPPING_KEY_TYPE_INCONSISTENT", _P, Rung.NONE),
    (0x120, "CKR_RANDOM_SEED_NOT_SUPPORTED", _P, Rung.NONE),
    (0x121, "CKR_RANDOM_NO_RNG", _P, Rung.NONE),
    (0x150, "CKR_BUFFER_TOO_SMALL", _P, Rung.SESSION),
    (0x190, "CKR_CRYPTOKI_NOT_INITIALIZED", _T, Rung.LIBRARY),
    (0x191, "CKR_CRYPTOKI_ALREADY_INITIALIZED", _T, Rung.NONE),
    (0x200, "CKR_FUNCTION_REJECTED", _O, Rung.NONE),
)

RETURN_VALUES: Mapping[int, ReturnValue] = {row[0]: ReturnValue(row[1], row[0], row[2], row[3]) for row in _ROWS}

WRONG_PIN = frozenset(
    {"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE", "CKR_PIN_EXPIRED", "CKR_PIN_LOCKED"}
)
"""The answers to C_Login after which nobody tries again until an operator has acted: tries are counted by the token."""


def _letters(name: str) -> str:
    """``CKR_TOKEN_NOT_RECOGNIZED`` and ``TokenNotRecognised`` are one."""
    letters = name.replace("_", "").upper().removeprefix("CKR")
    return letters.replace("RECOGNISED", "RECOGNIZED").replace("CANCELLED", "CANCELED")


_BY_LETTERS = {_letters(value.name): value for value in RETURN_VALUES.values()}


def return_value(number: int, *, corrections: Mapping[str, Meaning] | None = None) -> ReturnValue:
    """The row of a return value, as a profile corrects it; one that stands in no row may have done anything."""
    value = RETURN_VALUES.get(number, ReturnValue(f"0x{number:X}", number, _U, Rung.LIBRARY))
    meaning = (corrections or {}).get(value.name)
    if meaning is None:
        return value
    # What is merely busy needs no recovery; everything else keeps its rung.
    rung = Rung.NONE if meaning is Meaning.TRANSIENT else value.rung
    return ReturnValue(value.name, value.number, meaning, rung)


def number_of(name: str) -> int:
    """The number behind a name written in any of the usual ways (``CKR_PIN_INCORRECT``, ``PinIncorrect``); 0x80000000
    for none."""
    value = _BY_LETTERS.get(_letters(name))
    return value.number if value is not None else 0x80000000


def fault(failure: CallFailed, *, used: bool) -> ModuleFault:
    """What the caller is told. ``used``: the key may have been used."""
    match failure.value.meaning:
        case Meaning.PERMANENT if failure.value.rung is Rung.NONE:
            return ModuleDisagrees(
                "the module refuses what its profile says it can do; an operator must look", used=used
            )
        case Meaning.TRANSIENT if failure.value.rung is Rung.NONE:
            return ModuleBusy("the module has no room for this now; ask again later", used=used)
        case Meaning.OPERATOR_FIXABLE:
            return ModuleUnavailable("the module needs an operator before it can be used", used=used)
        case Meaning.PERMANENT | Meaning.TRANSIENT | Meaning.UNKNOWN_OUTCOME:
            return ModuleUnavailable("the module is away; it is looked for again at the next request", used=used)
        case never:
            assert_never(never)
