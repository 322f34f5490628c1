"""Is the ledger's head still kept outside the ledger? A module that has failed to keep it for too long serves no key.

What cannot be remembered outside the ledger could be rolled back unnoticed (invariant 5): so signing ends, and begins
again with the first head that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from keybroker.errors import ModuleFault, ModuleUnavailable
from keybroker.gates.model import ModuleIdentity
from keybroker.hsm.module import CryptographicModule
from keybroker.ledger.model import Failure, Head, Intent, Result
from keybroker.policy.model import KeyRegister
from keybroker.terms import Finding, KeyLabel

MISSED_MOST = 6
"""How many times in a row the head may fail to be kept: so many periods of ``ledger.anchor_seconds``."""


@final
class AnchoredModule:
    """A ``CryptographicModule`` over another. One that keeps no heads never fails to, and always serves."""

    def __init__(self, module: CryptographicModule) -> None:
        self._module = module
        self._missed = 0

    @property
    def serial(self) -> str:
        return self._module.serial

    @property
    def identity(self) -> ModuleIdentity:
        return self._module.identity

    def use(self, intents: Sequence[Intent]) -> list[Result | Failure]:
        return self._module.use(intents)

    def served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        """Raises: ModuleUnavailable, too, when the head was missed too often; every batch asks here first."""
        if self._missed >= MISSED_MOST:
            raise ModuleUnavailable(
                f"the module has failed {self._missed} times in a row to keep the ledger's head; nothing is signed"
                " until it keeps it again"
            )
        return self._module.served(register)

    def last_served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        return self._module.last_served(register)

    def read_anchor(self) -> Head | None:
        return self._module.read_anchor()

    def write_anchor(self, head: Head) -> None:
        """Raises: ModuleFault, and counts it."""
        try:
            self._module.write_anchor(head)
        except ModuleFault:
            self._missed += 1
            raise
        self._missed = 0
