"""The ladder: lowest rung first, believed only with the proof, never oftener than it should, shut where an operator
must act."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keybroker.errors import ConfigurationInvalid, KeybrokerError, ModuleUnavailable
from keybroker.hsm.pin import PinWrong
from keybroker.hsm.recovery import Ladder
from keybroker.hsm.return_values import CallFailed, Rung, return_value

RUNGS = (Rung.SESSION, Rung.LOGIN, Rung.HANDLES, Rung.LIBRARY)
GONE = CallFailed(return_value(0xE0), call="C_OpenSession")


class Scene:
    """Steps that write down that they were taken; ``mends_at``: the rung from which the proof holds."""

    def __init__(self, *, mends_at: Rung, pause_seconds: float = 0.0, fails: Exception | None = None) -> None:
        self.taken: list[Rung] = []
        self.mends_at = mends_at
        self.fails = fails
        self.ladder = Ladder({rung: self._step(rung) for rung in RUNGS}, proof=self._prove, pause_seconds=pause_seconds)

    def _step(self, rung: Rung) -> Callable[[], None]:
        def take() -> None:
            self.taken.append(rung)
            if self.fails is not None:
                raise self.fails

        return take

    def _prove(self) -> None:
        if self.taken[-1] < self.mends_at:
            raise GONE


def a_failure(number: int) -> CallFailed:
    return CallFailed(return_value(number), call="C_SignInit")


@pytest.mark.parametrize(
    ("number", "mends_at", "taken"),
    [
        (0xB3, Rung.SESSION, [Rung.SESSION]),
        (0xB3, Rung.LIBRARY, list(RUNGS)),
        (0x101, Rung.LOGIN, [Rung.LOGIN]),
        (0x82, Rung.LIBRARY, [Rung.HANDLES, Rung.LIBRARY]),
        (0x30, Rung.LIBRARY, [Rung.LIBRARY]),
        (0x31, Rung.SESSION, []),
    ],
)
def test_climbs_from_the_lowest_rung_that_can_help(number: int, mends_at: Rung, taken: list[Rung]) -> None:
    scene = Scene(mends_at=mends_at)
    scene.ladder.report(a_failure(number))
    scene.ladder.climb()
    assert scene.taken == taken
    assert scene.ladder.needed is Rung.NONE


def test_rests_after_it_failed_at_every_rung() -> None:
    scene = Scene(mends_at=Rung.PROCESS, pause_seconds=60)
    scene.ladder.report(a_failure(0xB3))
    for _ in range(3):
        with pytest.raises(ModuleUnavailable):
            scene.ladder.climb()
    assert scene.taken == list(RUNGS)


@pytest.mark.parametrize(
    "error",
    [
        PinWrong("the PIN is wrong"),
        ConfigurationInvalid("two tokens"),
        CallFailed(return_value(0x05), call="C_Finalize"),
    ],
)
def test_stays_shut_where_only_an_operator_or_a_new_process_can_help(error: KeybrokerError | CallFailed) -> None:
    scene = Scene(mends_at=Rung.SESSION, fails=error)
    scene.ladder.report(a_failure(0x30))
    for _ in range(3):
        with pytest.raises(ModuleUnavailable):
            scene.ladder.climb()
    assert scene.taken == [Rung.LIBRARY]
    assert scene.ladder.needed is Rung.PROCESS
    assert scene.ladder.refused is (error if isinstance(error, ConfigurationInvalid) else None)


def test_a_module_that_shows_none_of_its_keys_is_not_believed() -> None:
    scene = Scene(mends_at=Rung.SESSION, fails=ModuleUnavailable("the token shows none of the registered keys"))
    scene.ladder.report(a_failure(0xB3))
    with pytest.raises(ModuleUnavailable):
        scene.ladder.climb()
    assert scene.ladder.needed is Rung.SESSION
