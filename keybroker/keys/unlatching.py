"""Who may have the latched module tried again? SEC G3.23, G3.24: who puts right what holds keys in scope, by order.

The ledger alone is asked: whoever does this at night has a broker that does not serve, and a token that nobody opened.
The latch itself is a file (``config/latch.py``), and goes when this is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from keybroker.clause import clause
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import record_act, refusals_recorded
from keybroker.keys.orders import Ordered, check_order, serves_united_kingdom, settle_order, told_order, without_order
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.module_form import module_subject, unlatching
from keybroker.ledger.turn import Turn
from keybroker.policy.model import Policy
from keybroker.terms import KeyPurpose


# SEC G3.23: "operated, configured, tested and maintained in the United Kingdom by User Personnel who are located in the
# United Kingdom."
@clause("G3.23", "G3.24")
def order_unlatching(
    journal: Journal,
    actor: Actor,
    serial: str,
    ordered: Ordered | None,
    policies: Mapping[KeyPurpose, Policy],
    at: datetime,
) -> Receipt | None:
    """Record that a person has the module tried again, who is from then on one of its people; None where none of its
    keys is in scope and nobody ordered it: that needs no order, and leaves no record.

    Raises: PersonMayNotAct, StatementRefused (each recorded), LedgerFault.
    """
    told = unlatching(serial)

    def work(turn: Turn) -> Receipt | None:
        located = serves_united_kingdom(turn.connection, policies)
        if ordered is None:
            if located:
                raise without_order(told)
            return None
        order = check_order(turn, ordered, told, at, in_united_kingdom=located)
        receipt = record_act(turn, journal, actor, at, {**told, **told_order(order)}, moves=True)
        settle_order(turn, order, receipt, [module_subject(serial)], at)
        return receipt

    return refusals_recorded(journal, actor, told, at, lambda: journal.ledger.transact(work))
