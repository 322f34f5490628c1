"""How does a token fail? Once for each meaning and rung of the table of return values, and as no value tells.

A fault is a context: it begins when it is entered and is lifted when it is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from keybroker.hsm.return_values import RETURN_VALUES, WRONG_PIN
from scripts.soak_parts.operator import unlatch, wait_for_latch
from scripts.soak_parts.world import World
from tests.faults.shim import Action, Rule

Fault = Callable[[World], AbstractContextManager[None]]

_CALLS = ("C_SignInit", "C_Sign", "C_GetSessionInfo", "C_GetTokenInfo", "C_FindObjectsInit", "C_CreateObject")


def token_faults() -> Mapping[str, Fault]:
    """By name."""
    spoiling: dict[str, Callable[[World], Rule]] = {
        "token gives wrong signatures": lambda world: _sign(world, "flip", world.chance.randrange(512)),
        "token gives short signatures": lambda world: _sign(world, "truncate", world.chance.randrange(64)),
        "token is slow": lambda world: _sign(world, "delay", world.chance.randrange(20, 300)),
        "token loses what it signed": lambda world: Rule("C_Sign", "lose", "0x30", _every(world)),
        "token hangs for a while": lambda _: Rule("C_Sign", "hang"),
        "token drops its sessions": lambda _: Rule("C_SignInit", "drop", str(time.monotonic_ns() % 2**31)),
        "token has gone": lambda _: Rule("*", "fail", "0x32"),
    }
    failing = {f"token fails with {name}": _failing(number) for name, number in _of_each_class()}
    return {
        **{name: _ruled(rule) for name, rule in spoiling.items()},
        **failing,
        "token cannot be finalised": _cannot_be_finalised,
        "token refuses the PIN": _refuses_the_pin,
    }


def _sign(world: World, action: Action, argument: int) -> Rule:
    return Rule("C_Sign", action, str(argument), _every(world))


def _every(world: World) -> int:
    return world.chance.choice((1, 2, 7, 50))


def _of_each_class() -> Iterator[tuple[str, int]]:
    """The first value of each pair of meaning and rung."""
    seen = set()
    for value in RETURN_VALUES.values():
        if value.name not in WRONG_PIN and (value.meaning, value.rung) not in seen:
            seen.add((value.meaning, value.rung))
            yield value.name, value.number


def _failing(number: int) -> Fault:
    return _ruled(lambda world: Rule(world.chance.choice(_CALLS), "fail", hex(number), _every(world)))


def _ruled(rule: Callable[[World], Rule]) -> Fault:
    @contextmanager
    def fault(world: World) -> Iterator[None]:
        said = rule(world)
        world.tell(f"    {said.function} {said.action} {said.argument}, each {said.every}.")
        with world.ruled(said):
            yield

    return fault


@contextmanager
def _cannot_be_finalised(world: World) -> Iterator[None]:
    """Then only a new process helps."""
    with world.ruled(Rule("C_Finalize", "fail", "0x5"), Rule("C_SignInit", "fail", "0x32")):
        yield


@contextmanager
def _refuses_the_pin(world: World) -> Iterator[None]:
    """Sessions are dropped and the PIN is refused: the module is latched, and an operator lifts that."""
    drop = str(time.monotonic_ns() % 2**31)
    try:
        with world.ruled(Rule("C_Login", "fail", "0xA0"), Rule("C_SignInit", "drop", drop)):
            wait_for_latch(world)
            yield
    finally:
        unlatch(world)
