"""What is done when the module stops answering, and in which order: the recovery ladder.

Session, login, handles, C_Finalize and C_Initialize, process: each rung is tried from the lowest that can help, and
each is believed only when the proof holds afterwards. What other systems learnt: a session made anew with old key
handles can sign with another key, and a lost token needs C_Finalize. Nothing that may have signed is ever tried again
here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from keybroker.errors import ConfigurationInvalid, ModuleFault, ModuleUnavailable
from keybroker.hsm.return_values import CallFailed, Rung

_log = structlog.get_logger("keybroker.hsm")


class Ladder:
    """Climbs when asked, no oftener than every ``pause_seconds``; stays shut for good where only an operator can
    help, as after a wrong PIN.

    ``steps``: what each rung does. ``proof``: raises when the module is still not as it was.
    """

    def __init__(
        self, steps: Mapping[Rung, Callable[[], None]], *, proof: Callable[[], None], pause_seconds: float
    ) -> None:
        self._steps = steps
        self._proof = proof
        self._pause_seconds = pause_seconds
        self._not_before = 0.0
        self._needed = Rung.NONE
        self._refused: ConfigurationInvalid | None = None

    @property
    def refused(self) -> ConfigurationInvalid | None:
        """What recovery met that only an operator can mend, a wrong PIN for one; None where nothing of the kind."""
        return self._refused

    @property
    def needed(self) -> Rung:
        """The lowest rung that must be climbed before the module is used again; PROCESS: only a new process helps."""
        return self._needed

    def report(self, failure: CallFailed) -> None:
        """Remember a failed call and tell the operator its PKCS#11 name, which no caller ever sees."""
        _log.warning(
            "module call failed",
            call=failure.call,
            return_value=failure.value.name,
            meaning=failure.value.meaning.value,
            rung=failure.value.rung.name.lower(),
        )
        self._needed = max(self._needed, failure.value.rung)

    def climb(self) -> None:
        """Does nothing when nothing is needed. Raises: ModuleUnavailable."""
        if self._needed is Rung.NONE:
            return
        if self._needed is Rung.PROCESS:
            raise ModuleUnavailable("the module can only be reached by a new process; the worker must be replaced")
        if time.monotonic() < self._not_before:
            raise ModuleUnavailable("the module is away; it is looked for again in a moment")
        if not any(self._holds(rung) for rung in sorted(self._steps) if rung >= self._needed):
            self._not_before = time.monotonic() + self._pause_seconds
            raise ModuleUnavailable("the module is away; it is looked for again at the next request")

    def _holds(self, rung: Rung) -> bool:
        try:
            self._steps[rung]()
            self._proof()
        except ConfigurationInvalid as error:
            # A wrong PIN, two tokens of one name, another device: nothing that trying again could mend, and tokens
            # count wrong PINs. No traceback: one with local variables would show the PIN.
            self._needed, self._refused = Rung.PROCESS, error
            _log.error("module must not be tried again", rung=rung.name.lower(), why=error.sentence)
            raise ModuleUnavailable("the module needs an operator before it can be used") from error
        except CallFailed as failure:
            _log.warning("recovery failed", rung=rung.name.lower(), call=failure.call, return_value=failure.value.name)
            if failure.call == "C_Finalize":
                self._needed = Rung.PROCESS
            return False
        except ModuleFault as error:
            _log.warning("recovery failed", rung=rung.name.lower(), why=error.sentence)
            return False
        _log.info("module recovered", rung=rung.name.lower())
        self._needed = Rung.NONE
        return True
