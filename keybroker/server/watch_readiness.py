"""Is anything left undone that nobody looks at? Health of ``watch/messages`` and ``watch/review``.

SEC G2.26, G2.30, G3.16. A message on an Anomalous Event that nobody takes, and an audit log that nobody reviews, keep
no key from being used: they are shown, until somebody sees to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from keybroker.config.anomalies_table import AnomaliesTable
from keybroker.ledger.message_queue import first_undelivered
from keybroker.ledger.reading import Reader
from keybroker.ledger.reviews import last_review

MESSAGES, REVIEW = "watch/messages", "watch/review"


def watch_readiness(ledger: Reader, table: AnomaliesTable | None, at: datetime) -> Mapping[str, bool]:
    """By name of the service; empty where the ledger is not watched. Raises: LedgerFault."""
    if table is None:
        return {}
    ready = {REVIEW: not last_review(ledger).is_overdue(table.review_days, at)}
    if table.webhook is not None:
        since = first_undelivered(ledger)
        ready[MESSAGES] = since is None or at - since <= timedelta(seconds=table.webhook.late_seconds)
    return ready
