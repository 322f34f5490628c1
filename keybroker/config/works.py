"""What is open while a broker, or an act beside it, works? Line, ledger and token, closed together."""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.config.clock_watch import ClockWatch
from keybroker.hsm.token_module import Token
from keybroker.keys.register import Register
from keybroker.ledger.journal import Journal
from keybroker.ledger.store import Ledger
from keybroker.signing import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """A line and the parts behind it that must be closed."""

    line: Line
    register: Register
    journal: Journal
    ledger: Ledger
    token: Token
    watch: ClockWatch

    def close(self) -> None:
        self.token.close()
        self.journal.close()
        self.ledger.close()
