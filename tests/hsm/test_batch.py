"""A batch at the module: what is unknown is called unknown, what was not used is said to be unused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from keybroker.content.use import Use
from keybroker.errors import ModuleBusy, ModuleDisagrees, ModuleFault, ModuleUnavailable
from keybroker.hsm.batch import Batch
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.processing import KeyUses
from keybroker.hsm.return_values import CallFailed, return_value
from keybroker.hsm.verify import Verifier
from keybroker.ledger.model import Failure, Result
from tests.hsm.intents import a_registered_key, an_intent
from tests.situations import a_point

KEY = a_registered_key("supplier-a", a_point())
HELD = {KEY.label: HeldKey(handle=7, identity=KEY.public_key, verifier=Verifier(KEY.public_key))}


def never(_use: Use, _held: HeldKey) -> tuple[bytes, ...]:
    raise AssertionError("nothing is processed")


def fails_at(place: int, number: int, *, call: str) -> KeyUses:
    """A signer whose n-th call fails; the others give octets that do not verify."""
    calls = count(1)

    def sign(_key: int, _digest: bytes) -> bytes:
        if next(calls) == place:
            raise CallFailed(return_value(number), call=call)
        return bytes(31) + b"\x01" + bytes(31) + b"\x01"

    return KeyUses(sign=sign, process=never)


def told(answer: Result | Failure) -> tuple[type[Exception], bool]:
    assert isinstance(answer, Failure)
    assert isinstance(answer.error, ModuleFault)
    return type(answer.error), answer.error.used


@pytest.mark.parametrize(
    ("call", "number", "error", "used"),
    [
        ("C_SignInit", 0xB3, ModuleUnavailable, False),
        ("C_SignInit", 0x82, ModuleUnavailable, False),
        ("C_Sign", 0x30, ModuleUnavailable, True),
        ("C_Sign", 0xB3, ModuleUnavailable, True),
        ("C_Sign", 0x31, ModuleBusy, True),
        ("C_SignInit", 0x31, ModuleBusy, False),
        ("C_SignInit", 0x68, ModuleDisagrees, False),
    ],
)
def test_a_failure_says_whether_the_key_may_have_been_used(
    call: str, number: int, error: type[ModuleFault], used: bool
) -> None:
    reported: list[CallFailed] = []
    batch = Batch([an_intent(KEY)], HELD, serial="S", report=reported.append)
    (answer,) = batch.use_with(fails_at(1, number, call=call))
    assert told(answer) == (error, used)
    assert [failure.value.number for failure in reported] == [number]


def test_a_symmetric_key_signs_nothing() -> None:
    held = {KEY.label: HeldKey(handle=7, identity=KEY.public_key)}
    (answer,) = Batch([an_intent(KEY)], held, serial="S", report=lambda _: None).use_with(
        fails_at(1, 0x30, call="C_Sign")
    )
    assert told(answer) == (ModuleDisagrees, False)


def test_what_recovery_must_mend_stops_the_rest_of_the_batch_unused() -> None:
    batch = Batch([an_intent(KEY, n) for n in range(1, 5)], HELD, serial="S", report=lambda _: None)
    answers = batch.use_with(fails_at(2, 0x32, call="C_Sign"))
    assert [told(answer) for answer in answers] == [
        (ModuleDisagrees, True),
        (ModuleUnavailable, True),
        (ModuleUnavailable, False),
        (ModuleUnavailable, False),
    ]


def test_what_is_merely_busy_stops_nothing_else() -> None:
    batch = Batch([an_intent(KEY, n) for n in range(1, 4)], HELD, serial="S", report=lambda _: None)
    answers = batch.use_with(fails_at(1, 0x31, call="C_SignInit"))
    assert [told(answer)[0] for answer in answers] == [ModuleBusy, ModuleDisagrees, ModuleDisagrees]


def test_several_sessions_answer_every_intent_although_one_fails() -> None:
    batch = Batch([an_intent(KEY, n) for n in range(1, 9)], HELD, serial="S", report=lambda _: None)
    signers = [fails_at(1, 0x31, call="C_SignInit"), fails_at(99, 0x31, call="C_SignInit")]
    with ThreadPoolExecutor(2) as executor:
        answers = batch.use_in_parallel(signers, executor)
    assert len(answers) == 8
    assert {told(answer)[0] for answer in answers} <= {ModuleBusy, ModuleDisagrees}


@pytest.mark.parametrize("octets", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_octets_that_are_no_signature_are_withheld(octets: bytes) -> None:
    batch = Batch([an_intent(KEY)], HELD, serial="S", report=lambda _: None)
    (answer,) = batch.use_with(KeyUses(sign=lambda _key, _digest: octets, process=never))
    assert told(answer) == (ModuleDisagrees, True)


@pytest.mark.parametrize("point", [b"", bytes(65), b"\x04" + bytes(64), a_point()[:33]])
def test_a_public_key_that_is_no_point_has_no_verifier(point: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verifier(point)
