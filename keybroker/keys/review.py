"""Who reviewed the audit log, up to which record, and what did they mark? By order of a person. SEC G2.26.

"all system activity audit logs are reviewed regularly in accordance with the DCC Information Security Management
System". The person is an auditor or a reviewer, and by this act becomes none of those who run the deployment.
"""

from __future__ import annotations

from datetime import datetime

from keybroker.errors import NotPermitted
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act, refusals_recorded, spend
from keybroker.keys.orders import Ordered, check_order, told_order, without_order
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.review_form import REVIEW, REVIEWERS, Review, why_not
from keybroker.ledger.reviews import remember_review, reviewed_up_to
from keybroker.ledger.turn import Turn


def review_ledger(journal: Journal, actor: Actor, review: Review, ordered: Ordered | None, at: datetime) -> Receipt:
    """Record it. Raises: NotPermitted: backwards, beyond the last record, or of nothing; PersonMayNotAct,
    StatementRefused (each recorded). LedgerFault.
    """
    return refusals_recorded(
        journal,
        actor,
        {"act": REVIEW, "up_to": review.up_to},
        at,
        lambda: journal.ledger.transact(lambda turn: _review(turn, journal, actor, review, ordered, at)),
    )


def _review(
    turn: Turn, journal: Journal, actor: Actor, review: Review, ordered: Ordered | None, at: datetime
) -> Receipt:
    before = reviewed_up_to(turn.connection)
    if why := why_not(review, before=before, last=turn.size - 1):
        raise NotPermitted(f"{why} (G2.26)")
    told = review.told()
    if ordered is None:
        raise without_order(told)
    order = check_order(turn, ordered, told, at, in_united_kingdom=False, roles=REVIEWERS)
    receipt = record_act(turn, journal, actor, at, {**told, **told_order(order)})
    spend(turn, order, receipt)
    remember_review(turn.connection, review, order.attester, receipt, at)
    return receipt
