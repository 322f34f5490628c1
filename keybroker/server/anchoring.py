"""Where does the ledger's head stand outside the ledger? In the token, every few seconds and at a stop."""

from __future__ import annotations

from typing import final

from keybroker.errors import LedgerFault, ModuleFault
from keybroker.server.logging import Logger
from keybroker.server.standing import Current


@final
class Anchoring:
    """Runs on the signer thread. The token keeps the greatest head, whichever worker wrote it."""

    def __init__(self, current: Current, log: Logger) -> None:
        self._current = current
        self._log = log

    def begin(self) -> None:
        """Before a worker's start is recorded: so a ledger that was served has a head outside, wherever a worker died.

        Raises: LedgerFault, ModuleFault: then nothing is served.
        """
        standing = self._current.standing
        with standing.line.journal.keeping_head(standing.clock.now()) as head:
            standing.line.module.write_anchor(head)

    def __call__(self) -> None:
        """Write the head, moved or not: it is also looked whether it is still there. What fails is tried again the
        next time, and the module counts how often (``hsm/anchored.py``)."""
        try:
            self.begin()
        except (LedgerFault, ModuleFault) as fault:
            self._log.warning("head not anchored", reason=fault.reason, why=fault.sentence)
