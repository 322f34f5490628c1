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
        self._anchored = -1

    def __call__(self) -> None:
        """Write the head when it has moved; what fails now is tried again the next time."""
        standing = self._current.standing
        try:
            head = standing.line.journal.head(standing.clock.now())
            if head.tree_size > self._anchored:
                standing.line.module.write_anchor(head)
                self._anchored = head.tree_size
        except (LedgerFault, ModuleFault) as fault:
            self._log.warning("head not anchored", reason=fault.reason, why=fault.sentence)
