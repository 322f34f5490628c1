"""Whose is this report of what was quarantined or deleted? SEC G6.1(a)(ii): whoever is notified checks that, on record.

Nothing comes into force by it, and nothing in quarantine here moves: what it tells is its attester's word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act, refusals_recorded, spend, told_statement, verified
from keybroker.keys.standing import read_standing
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import QuarantineReport

REPORT_CHECKED = "CheckQuarantineReport"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReport:
    """By an attester of that party, of so many communications; ``receipt`` is of the record of its check."""

    attester: str
    party: str
    communications: int
    receipt: Receipt


@clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5")
def check_report(journal: Journal, actor: Actor, octets: bytes, at: datetime) -> CheckedReport:
    """Whose report the statement signs; it is spent by that. That the file is the one that it names was looked at.

    Raises: StatementRefused: it cannot be relied on or was used before (recorded, nothing spent). LedgerFault.
    """

    def work(turn: Turn) -> CheckedReport:
        statement = verified(turn, octets, StatementKind.QUARANTINE_REPORT, at)
        said = statement.payload
        if not isinstance(said, QuarantineReport):
            raise TypeError("a quarantine-report holds one")
        told: dict[str, Json] = {"file_sha256": said.file_sha256, "communications": said.communications}
        receipt = record_act(turn, journal, actor, at, {"act": REPORT_CHECKED, **told, **told_statement(statement)})
        spend(turn, statement, receipt)
        return CheckedReport(
            attester=statement.attester,
            party=read_standing(turn.connection).attesters[statement.kid].party,
            communications=said.communications,
            receipt=receipt,
        )

    return refusals_recorded(journal, actor, {"act": REPORT_CHECKED}, at, lambda: journal.ledger.transact(work))
